from cpython.object cimport PyObject
from libc.stdint cimport uint64_t


cdef enum Kind:
    MODEL = 1
    AGENT = 2
    POPULATION = 3


# The object that a handle stands for (borrowed), or NULL with an error.
cdef PyObject* find(const void* handle, Kind kind) noexcept nogil

# With the GIL:
cdef void* new_handle(Kind kind, object target) except NULL
cdef int free_handle(const void* handle, Kind kind) noexcept
