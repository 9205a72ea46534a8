"""Workspaces of one model that threads take and give back without the GIL."""

from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef extern from *:
    """
    #include <sched.h>
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
    static inline void fc_store_count(Py_ssize_t *count, Py_ssize_t value)
    {
        __atomic_store_n(count, value, __ATOMIC_RELEASE);
    }
    """
    bint fc_take_flag(int* flag) nogil
    void fc_drop_flag(int* flag) nogil
    Py_ssize_t fc_load_count(const Py_ssize_t* count) nogil
    void fc_store_count(Py_ssize_t* count, Py_ssize_t value) nogil
    void sched_yield() nogil

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil


cdef class SharedWorkspaces:
    """Workspaces of `packed`, as many as threads have been at work at the same time."""

    def __init__(self, PackedModel packed not None):
        if self._packed is not None:
            raise TypeError("SharedWorkspaces cannot be initialised twice")
        self._packed, self._owned = packed, []
        self._add()

    def __dealloc__(self):
        for workspace in self._owned or ():
            self._packed.release_workspace(<OwnedWorkspace>workspace)

    # NULL without memory. A thread looks first where it was the last time.
    cdef SharedWorkspace* take(self) noexcept nogil:
        cdef Py_ssize_t count = fc_load_count(&self._count), i, at
        cdef bint added
        at = <Py_ssize_t>((PyThread_get_thread_ident() >> 12) % <unsigned long>max(count, 1))
        while True:
            for i in range(count):
                if fc_take_flag(&self._slots[at].is_taken):
                    return &self._slots[at]
                at = at + 1 if at + 1 < count else 0
            if count == MAX_SHARED:
                sched_yield()
                continue
            with gil:
                added = self._add()
            if not added:
                return NULL
            count = fc_load_count(&self._count)
            at = count - 1

    cdef void give_back(self, SharedWorkspace* slot) noexcept nogil:
        fc_drop_flag(&slot.is_taken)

    cdef bint _add(self) noexcept:
        cdef OwnedWorkspace workspace
        if self._count == MAX_SHARED:
            return True
        try:
            workspace = self._packed.acquire_workspace()
            self._owned.append(workspace)
        except MemoryError:
            return False
        self._slots[self._count].work = &workspace.work
        fc_store_count(&self._count, self._count + 1)
        return True
