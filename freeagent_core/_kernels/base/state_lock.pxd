from cpython.pythread cimport PyThread_type_lock


cdef class StateLock:
    cdef PyThread_type_lock _lock
    cdef Py_ssize_t _generation
    cdef bint _is_stuck
    cdef int _check(self) except -1
    cdef bint _wait(self, double timeout) except -1
    cdef int take(self) except -1
    cdef void give(self) noexcept
