cdef enum LockStatus:              # of `acquire_without_gil`
    ACQUIRED = 0
    HELD_BY_THIS_THREAD = 1
    LOST_IN_FORK = 2


cdef class StateLock:
    cdef unsigned long _owner      # the thread that holds it, as Python numbers threads; 0: none
    cdef Py_ssize_t _forks         # that led to the process in which it was acquired last
    cdef bint _is_stuck
    cdef bint intact               # held, but the state is that of before: nothing is written
    cpdef bint acquire(self, double timeout=*) except -1
    cpdef release(self)
    cdef LockStatus acquire_without_gil(self) noexcept nogil
    cdef void release_without_gil(self) noexcept nogil
    cdef int _check_fork(self) except -1
