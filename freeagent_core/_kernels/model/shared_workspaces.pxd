from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport Workspace


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
    cdef SharedWorkspace* take(self) noexcept nogil
    cdef void give_back(self, SharedWorkspace* slot) noexcept nogil
    cdef bint _add(self) noexcept
