"""Draws from NumPy's global generator, through the C interface that NumPy documents.

``np.random.choice(n)`` spends most of its time on checks of its arguments; ties between
actions are common, so its one draw is made here. tests/kernels/action/test_numpy_generator.py
compares values and generator states with NumPy's.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pystate cimport (
    PyInterpreterState, PyInterpreterState_ThreadHead, PyThreadState, PyThreadState_Next,
)
from libc.stdint cimport uint32_t, uint64_t

import numpy as np


# numpy/random/bitgen.h: the ABI of all of NumPy's bit generators
ctypedef struct bitgen_t:
    void* state
    uint64_t (*next_uint64)(void* state) noexcept nogil
    uint32_t (*next_uint32)(void* state) noexcept nogil
    double (*next_double)(void* state) noexcept nogil
    uint64_t (*next_raw)(void* state) noexcept nogil


cdef extern from "Python.h":
    PyInterpreterState* PyInterpreterState_Get()


cdef object _get_bit_generator = np.random.get_bit_generator
# The generator of the last draw, its lock's methods and its C interface. A draw takes 0.32 us
# if these are looked up each time, 0.13 us if they are kept, and 0.05 us without the lock.
cdef object _generator = None, _acquire = None, _release = None
cdef bitgen_t* _bitgen = NULL


# np.random.choice(count): a uniform draw from range(count), by 32 random bits under the
# smallest mask that covers count - 1, drawn again while too large. count >= 1.
# numpy/random/src/distributions/distributions.c (masked rejection).
# Cost: fewer than two draws of 32 bits on average.
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
    if _get_bit_generator() is not _generator:
        _look_up_generator()
    if _is_only_thread():
        return _draw_masked(_bitgen, highest, mask)
    # our own, for another thread may look up another one while this one waits for the lock
    generator, release, bitgen = _generator, _release, _bitgen
    _acquire()
    value = _draw_masked(bitgen, highest, mask)
    release()
    return value


# value = bits & mask until value <= highest. NumPy's masked rejection.
# Cost: fewer than two draws on average.
cdef uint32_t _draw_masked(bitgen_t* bitgen, uint32_t highest, uint32_t mask) noexcept:
    cdef uint32_t value = bitgen.next_uint32(bitgen.state) & mask
    while value > highest:
        value = bitgen.next_uint32(bitgen.state) & mask
    return value


# NumPy draws with its lock held and the GIL released, so that a thread with the GIL needs the
# lock; but not the only thread there is.
cdef bint _is_only_thread() noexcept:
    return PyThreadState_Next(PyInterpreterState_ThreadHead(PyInterpreterState_Get())) == NULL


cdef int _look_up_generator() except -1:
    global _generator, _acquire, _release, _bitgen
    generator = _get_bit_generator()
    lock = generator.lock
    _bitgen = <bitgen_t*>PyCapsule_GetPointer(generator.capsule, "BitGenerator")
    _generator, _acquire, _release = generator, lock.acquire, lock.release
    return 0


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
