"""A lock over the state of agents that neither a fork nor Ctrl-C leaves hanging.

A lock that another thread holds when a process forks is held for ever in the child, whose copy
of the state is that of the middle of a step. There `StateLock` raises. A lock that nobody holds
then works in the child as before. While a thread waits it looks for signals.
"""

from cpython.exc cimport PyErr_CheckSignals
from cpython.pythread cimport (
    NOWAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock,
    PyThread_release_lock, PyThread_type_lock,
)

import os
import time

cdef extern from "pythread.h":
    ctypedef enum PyLockStatus:
        PY_LOCK_ACQUIRED
    PyLockStatus PyThread_acquire_lock_timed(PyThread_type_lock lock, long long microseconds,
                                             int intr_flag) nogil


cdef object _monotonic = time.monotonic
cdef Py_ssize_t _forks = 0  # that led to this process
# The longest wait without a look at signals, in microseconds.
cdef long long LOOK = 50_000


def _count_fork():
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)


cdef class StateLock:
    """A lock that is not reentrant, with `threading.Lock`'s methods."""

    def __cinit__(self):
        self._generation = _forks
        self._lock = PyThread_allocate_lock()
        if self._lock == NULL:
            raise MemoryError("no memory for a lock")

    def __dealloc__(self):
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    # Raise if the lock was held when this process was forked. With the GIL: the first look
    # decides, before any thread of the child can have the lock.
    cdef int _check(self) except -1:
        if self._generation != _forks:
            self._generation = _forks
            if PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
                PyThread_release_lock(self._lock)
            else:
                self._is_stuck = True
        if self._is_stuck:
            raise RuntimeError(
                "another thread was at work on these agents when this process was forked: their "
                "state is incomplete here; make them again, or fork while nothing is at work")
        return 0

    # Take the lock, whatever the time.
    cdef int take(self) except -1:
        self._check()
        if PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
            return 0
        self._wait(-1.0)
        return 0

    cdef void give(self) noexcept:
        PyThread_release_lock(self._lock)

    cdef bint _wait(self, double timeout) except -1:
        cdef PyLockStatus status
        cdef double deadline = _monotonic() + timeout if timeout >= 0.0 else 0.0
        cdef double remaining
        cdef long long wait
        while True:
            wait = LOOK
            if timeout >= 0.0:
                remaining = (deadline - <double>_monotonic()) * 1e6
                if remaining <= 0.0:
                    return False
                if remaining < LOOK:
                    wait = <long long>remaining + 1
            with nogil:
                status = PyThread_acquire_lock_timed(self._lock, wait, 1)
            if status == PY_LOCK_ACQUIRED:
                return True
            PyErr_CheckSignals()

    def acquire(self, double timeout=-1.0):
        """Take the lock, waiting for at most `timeout` seconds if that is not negative; return
        whether it is taken."""
        self._check()
        if PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
            return True
        return self._wait(timeout)

    def release(self):
        """Give the lock back; RuntimeError if nobody holds it."""
        if PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
            PyThread_release_lock(self._lock)
            raise RuntimeError("release of a lock that nobody holds")
        PyThread_release_lock(self._lock)

    def __enter__(self):
        self.take()
        return self

    def __exit__(self, kind, error, traceback):
        self.give()
