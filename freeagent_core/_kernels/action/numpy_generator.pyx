"""Draws from NumPy's global generator, through the C interface that NumPy documents.

``np.random.choice(n)`` and ``np.random.multinomial(1, p)`` spend most of their time on checks of
their arguments; their draws are made here, with the same numbers from the same bits.
tests/kernels/action/test_numpy_generator.py compares values and generator states with NumPy's.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pystate cimport (
    PyInterpreterState, PyInterpreterState_ThreadHead, PyThreadState, PyThreadState_Next,
)
from libc.math cimport exp, log
from libc.stdint cimport uint32_t, uint64_t

import os

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
# From the first draw of a call to its `end_draws`:
cdef bitgen_t* _drawn_from = NULL
cdef object _held = None           # the release of the lock that is held, or None
cdef object _error = None          # why there was no draw
cdef object _lost = None           # the generator of which a fork has no lock any more


# np.random.choice(count): a uniform draw from range(count), by 32 random bits under the
# smallest mask that covers count - 1, drawn again while too large; by 64 above 2^32.
# numpy/random/src/distributions/distributions.c (masked rejection).
# Cost: fewer than two draws on average.
cdef Py_ssize_t _below(void* state, Py_ssize_t count) noexcept nogil:
    cdef bitgen_t* bitgen
    cdef uint64_t highest = <uint64_t>(count - 1), mask = highest, value
    if highest == 0:
        return 0
    bitgen = _begin_draws()
    if bitgen == NULL:
        return 0
    mask |= mask >> 1
    mask |= mask >> 2
    mask |= mask >> 4
    mask |= mask >> 8
    mask |= mask >> 16
    mask |= mask >> 32
    while True:
        if highest >> 32 == 0:
            value = bitgen.next_uint32(bitgen.state) & mask
        else:
            value = bitgen.next_uint64(bitgen.state) & mask
        if value <= highest:
            return <Py_ssize_t>value


# np.random.multinomial(1, p).argmax(): entry after entry a binomial draw of the probability
# that is left. Cost: a uniform number and a division per entry before the one drawn.
cdef Py_ssize_t _categorical(void* state, const double* p, Py_ssize_t n) noexcept nogil:
    cdef bitgen_t* bitgen = _begin_draws()
    cdef double remaining = 1.0
    cdef Py_ssize_t i
    if bitgen == NULL:
        return 0
    for i in range(n - 1):
        if _binomial_of_one(bitgen, p[i] / remaining):
            return i
        remaining -= p[i]
    return n - 1


# A binomial draw of one trial as NumPy's RandomState makes it, by inversion of the smaller of
# p and 1 - p.
cdef bint _binomial_of_one(bitgen_t* bitgen, double p) noexcept nogil:
    if p == 0.0:
        return False
    if p <= 0.5:
        return _inverted(bitgen, p)
    return not _inverted(bitgen, 1.0 - p)


cdef bint _inverted(bitgen_t* bitgen, double p) noexcept nogil:
    cdef double q = 1.0 - p, none = exp(log(q)), u
    while True:
        u = bitgen.next_double(bitgen.state)
        if u <= none:
            return False
        if u - none <= p * none / q:
            return True
        # rounding left a gap at 1: NumPy draws again


# NumPy draws with its lock held and the GIL released, so that a thread with the GIL needs the
# lock; but not the only thread there is.
cdef bint _is_only_thread() noexcept:
    return PyThreadState_Next(PyInterpreterState_ThreadHead(PyInterpreterState_Get())) == NULL


# The generator to draw from, looked up and locked at the first draw of a call, because most
# choices need none; NULL after an error, which `end_draws` raises.
cdef bitgen_t* _begin_draws() noexcept nogil:
    if _drawn_from == NULL:
        with gil:
            _acquire_generator()
    return _drawn_from


cdef void _acquire_generator() noexcept:
    global _drawn_from, _held, _error
    if _error is not None:  # nothing more is drawn: the call fails
        return
    try:
        if _get_bit_generator() is not _generator:
            _look_up_generator()
        # the lock of this generator, whichever is looked up while this thread waits for it
        bitgen, acquire, release = <size_t>_bitgen, _acquire, _release
        if not _is_only_thread():
            if _generator is _lost:
                raise RuntimeError(
                    "another thread was drawing from NumPy's random generator when this "
                    "process was forked: give it another one by np.random.set_bit_generator")
            acquire()
            _held = release
        _drawn_from = <bitgen_t*><size_t>bitgen
    except BaseException as error:  # KeyboardInterrupt while it waits
        _error = error


cdef int end_draws() except -1:
    global _drawn_from, _held, _error
    if _drawn_from == NULL and _error is None:
        return 0
    _drawn_from = NULL
    release, _held = _held, None
    error, _error = _error, None
    if release is not None:
        release()
    if error is not None:
        raise error
    return 0


# In a child that was forked: what another thread had locked stays locked for ever. NumPy itself
# would wait for it.
def _after_fork():
    global _drawn_from, _held, _error, _lost
    _drawn_from = NULL
    _held = _error = None
    generator = _get_bit_generator()
    if generator.lock.acquire(False):
        generator.lock.release()
    else:
        _lost = generator


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


cdef int _look_up_generator() except -1:
    global _generator, _acquire, _release, _bitgen
    generator = _get_bit_generator()
    lock = generator.lock
    _bitgen = <bitgen_t*>PyCapsule_GetPointer(generator.capsule, "BitGenerator")
    _generator, _acquire, _release = generator, lock.acquire, lock.release
    return 0


numpy_source.below = _below
numpy_source.categorical = _categorical


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
    cdef Py_ssize_t index = _below(NULL, count)
    end_draws()
    return index
