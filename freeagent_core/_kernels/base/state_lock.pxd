cdef extern from *:
    """
    #ifndef FREEAGENT_STATE_LOCK
    #define FREEAGENT_STATE_LOCK
    #include <pthread.h>
    /* A number that no other thread has now, not 0: where the compiler can, without a call. */
    #if defined(__has_builtin)
    #if __has_builtin(__builtin_thread_pointer)
    #define FREEAGENT_THREAD_POINTER
    #endif
    #endif
    static inline unsigned long fc_this_thread(void)
    {
    #ifdef FREEAGENT_THREAD_POINTER
        return (unsigned long)__builtin_thread_pointer();
    #else
        return (unsigned long)pthread_self();
    #endif
    }
    static inline int fc_lock_try(unsigned long *owner, unsigned long thread)
    {
        unsigned long none = 0;
        return __atomic_compare_exchange_n(owner, &none, thread, 0, __ATOMIC_ACQUIRE,
                                           __ATOMIC_RELAXED);
    }
    static inline unsigned long fc_lock_owner(unsigned long *owner)
    {
        return __atomic_load_n(owner, __ATOMIC_RELAXED);
    }
    static inline void fc_lock_free(unsigned long *owner)
    {
        __atomic_store_n(owner, 0, __ATOMIC_RELEASE);
    }
    #endif
    """
    unsigned long fc_this_thread() nogil
    bint fc_lock_try(unsigned long* owner, unsigned long thread) nogil
    unsigned long fc_lock_owner(unsigned long* owner) nogil
    void fc_lock_free(unsigned long* owner) nogil


cdef enum LockStatus:              # of `acquire_without_gil`
    ACQUIRED = 0
    HELD_BY_THIS_THREAD = 1
    LOST_IN_FORK = 2


cdef Py_ssize_t num_forks          # that led to this process


cdef class StateLock:
    cdef unsigned long _owner      # the thread that holds it, as numbered here; 0: none
    cdef Py_ssize_t _forks         # that led to the process in which it was acquired last; -1: stuck
    cdef bint intact               # held, but the state is that of before: nothing is written
    cpdef bint acquire(self, double timeout=*) except -1
    cpdef release(self)
    cdef LockStatus wait_without_gil(self) noexcept nogil
    cdef int _check_fork(self) except -1

    # `acquire` for callers from C, with or without the GIL: it waits for ever, and no signal's
    # handler runs.
    cdef inline LockStatus acquire_without_gil(self) noexcept nogil:
        if self._forks != num_forks or not fc_lock_try(&self._owner, fc_this_thread()):
            return self.wait_without_gil()
        self.intact = False
        return ACQUIRED

    cdef inline void release_without_gil(self) noexcept nogil:
        fc_lock_free(&self._owner)
