"""Draws from NumPy's global generator, through the C interface that NumPy documents.

``np.random.choice(n)`` spends most of its time on checks of its arguments; ties between
actions are common, so its one draw is made here. tests/test_global_random.py compares
values and generator states with NumPy's.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport uint32_t, uint64_t

import numpy as np


# numpy/random/bitgen.h: the ABI of all of NumPy's bit generators
ctypedef struct bitgen_t:
    void* state
    uint64_t (*next_uint64)(void* state) noexcept nogil
    uint32_t (*next_uint32)(void* state) noexcept nogil
    double (*next_double)(void* state) noexcept nogil
    uint64_t (*next_raw)(void* state) noexcept nogil


# np.random.choice(count): a uniform draw from range(count), by 32 random bits under the
# smallest mask that covers count - 1, drawn again while too large. count >= 1.
cdef Py_ssize_t draw_below(Py_ssize_t count) except -1:
    cdef uint32_t highest, mask, value
    cdef bitgen_t* bitgen
    if count == 1:
        return 0
    if count > 0x7fffffff:
        return np.random.choice(count)
    highest = <uint32_t>(count - 1)
    mask = highest
    mask |= mask >> 1
    mask |= mask >> 2
    mask |= mask >> 4
    mask |= mask >> 8
    mask |= mask >> 16
    generator = np.random.get_bit_generator()
    bitgen = <bitgen_t*>PyCapsule_GetPointer(generator.capsule, "BitGenerator")
    with generator.lock:
        value = bitgen.next_uint32(bitgen.state) & mask
        while value > highest:
            value = bitgen.next_uint32(bitgen.state) & mask
    return value


def choice(Py_ssize_t count):
    """Return what ``np.random.choice(count)`` would, with the same draws.

    Parameters
    ----------
    count : int

    Returns
    -------
    index : int

    Raises
    ------
    ValueError
        If `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    return draw_below(count)
