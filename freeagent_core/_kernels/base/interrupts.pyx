"""Ctrl-C during a kernel without the GIL.

Python notes a signal and calls its handler on the main thread, once that runs Python code again. A
kernel that may take longer than 20 ms asks `interrupted` now and then. On the main thread it
looks whether SIGINT waits (no handler is called), and tells the kernels on all threads: those
that work for the same call must end too. They return INTERRUPTED with nothing changed; their
callers call `handle_interrupt`, and begin again if the handler does not raise: then the next look is
after twice the time, so that a kernel comes to its end however often such a handler is called.
"""

import os
import threading

from libc.stdint cimport int64_t

from freeagent_core._kernels.base.clock cimport monotonic_ns, nap
from freeagent_core._kernels.base.status cimport INTERRUPTED


cdef extern from *:
    """
    static inline int fc_flag(int *flag)
    {
        return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
    }
    static inline void fc_set_flag(int *flag, int value)
    {
        __atomic_store_n(flag, value, __ATOMIC_RELEASE);
    }
    """
    int fc_flag(int* flag) nogil
    void fc_set_flag(int* flag, int value) nogil

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil
    bint PyOS_InterruptOccurred()
    void PyErr_SetInterrupt()
    int PyErr_CheckSignals() except -1


cdef int _requested = 0            # a SIGINT was seen and is not handled yet
cdef int64_t _looked = 0           # when the main thread looked last
cdef int64_t _patience = LOOK_NS   # until it looks again: it needs the GIL for that
cdef unsigned long _main = threading.main_thread().ident


def _note_main_thread():
    global _main, _requested
    _main, _requested = PyThread_get_thread_ident(), 0


os.register_at_fork(after_in_child=_note_main_thread)


cdef bint interrupted() noexcept nogil:
    global _looked, _patience
    cdef int64_t now
    if fc_flag(&_requested):
        return True
    if PyThread_get_thread_ident() != _main:
        return False
    now = monotonic_ns()
    if now - _looked < _patience:
        return False
    _looked = now
    with gil:
        if PyOS_InterruptOccurred():  # and it is forgotten there: `handle_interrupt` repeats it
            fc_set_flag(&_requested, 1)
            return True
    _patience = LOOK_NS
    return False


cdef int handle_interrupt() except -1:
    global _looked, _patience
    cdef int64_t before = _patience
    if PyThread_get_thread_ident() == _main:
        fc_set_flag(&_requested, 0)
        _patience = LOOK_NS
        PyErr_SetInterrupt()
        PyErr_CheckSignals()
        _patience, _looked = 2 * before, monotonic_ns()  # the handler did not raise
        return 0
    with nogil:
        while fc_flag(&_requested):
            nap(100_000)
    return 0


cdef bint begins_again(int status) except -1:
    if status != INTERRUPTED:
        return False
    handle_interrupt()
    return True
