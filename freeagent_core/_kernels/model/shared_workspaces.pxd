from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport Workspace


cdef extern from *:
    """
    #ifndef FREEAGENT_SHARED_WORKSPACES
    #define FREEAGENT_SHARED_WORKSPACES
    #include <pthread.h>
    static inline unsigned long fc_thread_number(void)
    {
        return (unsigned long)pthread_self() >> 12;
    }
    static inline int fc_take_flag(int *flag)
    {
        return !__atomic_load_n(flag, __ATOMIC_RELAXED)
               && !__atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE);
    }
    static inline void fc_drop_flag(int *flag) { __atomic_store_n(flag, 0, __ATOMIC_RELEASE); }
    static inline Py_ssize_t fc_load_count(const Py_ssize_t *count)
    {
        return __atomic_load_n(count, __ATOMIC_ACQUIRE);
    }
    #endif
    """
    unsigned long fc_thread_number() nogil
    bint fc_take_flag(int* flag) nogil
    void fc_drop_flag(int* flag) nogil
    Py_ssize_t fc_load_count(const Py_ssize_t* count) nogil


cdef enum:
    MAX_SHARED = 64


cdef struct SharedWorkspace:
    int is_taken
    Workspace* work
    char padding[48]               # a cache line each


cdef class SharedWorkspaces:
    cdef PackedModel _packed
    cdef list _owned
    cdef SharedWorkspace _slots[MAX_SHARED]
    cdef Py_ssize_t _count
    cdef SharedWorkspace* search(self, Py_ssize_t at) noexcept nogil
    cdef bint _add(self) noexcept

    # NULL without memory. A thread looks first where it was the last time.
    cdef inline SharedWorkspace* take(self) noexcept nogil:
        cdef Py_ssize_t count = fc_load_count(&self._count), at = 0
        if count > 1:
            at = <Py_ssize_t>(fc_thread_number() % <unsigned long>count)
        if fc_take_flag(&self._slots[at].is_taken):
            return &self._slots[at]
        return self.search(at)

    cdef inline void give_back(self, SharedWorkspace* slot) noexcept nogil:
        fc_drop_flag(&slot.is_taken)
