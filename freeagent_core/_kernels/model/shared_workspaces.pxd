from freeagent_core._kernels.base.atomics cimport load
from freeagent_core._kernels.base.state_lock cimport fc_this_thread
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport Workspace


cdef extern from *:
    """
    #ifndef FREEAGENT_SHARED_WORKSPACES
    #define FREEAGENT_SHARED_WORKSPACES
    static inline int fc_take_flag(int *flag)
    {
        return !__atomic_load_n(flag, __ATOMIC_RELAXED)
               && !__atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE);
    }
    static inline unsigned long fc_last_taker(const unsigned long *thread)
    {
        return __atomic_load_n(thread, __ATOMIC_RELAXED);
    }
    static inline void fc_note_taker(unsigned long *thread, unsigned long taker)
    {
        __atomic_store_n(thread, taker, __ATOMIC_RELAXED);
    }
    static inline void fc_drop_flag(int *flag) { __atomic_store_n(flag, 0, __ATOMIC_RELEASE); }
    #endif
    """
    bint fc_take_flag(int* flag) nogil
    unsigned long fc_last_taker(const unsigned long* thread) nogil
    void fc_note_taker(unsigned long* thread, unsigned long taker) nogil
    void fc_drop_flag(int* flag) nogil


cdef enum:
    MAX_SHARED = 64


cdef struct SharedWorkspace:
    int is_taken
    unsigned long thread           # that took it last
    Workspace* work
    char padding[40]               # a cache line each


cdef class SharedWorkspaces:
    cdef PackedModel _packed
    cdef list _owned
    cdef SharedWorkspace _slots[MAX_SHARED]
    cdef Py_ssize_t _count
    cdef SharedWorkspace* search(self, Py_ssize_t at) noexcept nogil
    cdef bint _add(self) noexcept

    # NULL without memory. A thread looks first where it was the last time.
    cdef inline SharedWorkspace* take(self) noexcept nogil:
        cdef Py_ssize_t count = load(&self._count), at = 0
        cdef unsigned long thread = fc_this_thread()
        if count > 1:
            at = <Py_ssize_t>((thread >> 12) % <unsigned long>count)
        if fc_take_flag(&self._slots[at].is_taken):
            fc_note_taker(&self._slots[at].thread, thread)
            return &self._slots[at]
        return self.search(at)

    # Take `slot` if this thread was its last taker and nobody has it, in few instructions.
    @staticmethod
    cdef inline bint take_again(SharedWorkspace* slot) noexcept nogil:
        return (fc_last_taker(&slot.thread) == fc_this_thread()
                and fc_take_flag(&slot.is_taken))

    cdef inline void give_back(self, SharedWorkspace* slot) noexcept nogil:
        fc_drop_flag(&slot.is_taken)
