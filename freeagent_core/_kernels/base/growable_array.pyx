"""Arrays that grow, for work whose size is not known before it is done."""

from libc.stdlib cimport realloc


# No array takes more; a step that needs more ends with an error instead of exhausting the
# machine.
cdef Py_ssize_t MAX_ARRAY_BYTES = <Py_ssize_t>1 << 28


def bound_memory(Py_ssize_t num_bytes):
    """Let one array take so many bytes at most; return what it was before."""
    global MAX_ARRAY_BYTES
    before, MAX_ARRAY_BYTES = MAX_ARRAY_BYTES, num_bytes
    return before


# Have room for so many bytes. Returns 0, or -1 if there is no memory or MAX_ARRAY_BYTES is passed.
cdef int reserve(GrowableArray* array, Py_ssize_t num_bytes) noexcept nogil:
    cdef Py_ssize_t larger
    cdef void* data
    if num_bytes <= array.num_bytes:
        return 0
    if num_bytes > MAX_ARRAY_BYTES:
        return -1
    larger = max(2 * array.num_bytes, num_bytes, 256)
    data = realloc(array.data, larger)
    if data == NULL:
        return -1
    array.data, array.num_bytes = data, larger
    return 0
