"""Arrays that grow: for graphs whose size is known only when they are complete."""

from libc.stdlib cimport realloc


# The most that one array may take: a step that needs more fails instead of exhausting the
# machine.
cdef Py_ssize_t MAX_ARRAY_BYTES = <Py_ssize_t>1 << 28


def bound_memory(Py_ssize_t num_bytes):
    """Let one array take at most `num_bytes`; return the bound before."""
    global MAX_ARRAY_BYTES
    before, MAX_ARRAY_BYTES = MAX_ARRAY_BYTES, num_bytes
    return before


# Makes room for num_bytes. Returns 0, or -1 without memory or past MAX_ARRAY_BYTES.
# Cost: constant, amortised (arrays double).
cdef int reserve(GrowableArray* array, Py_ssize_t num_bytes) noexcept nogil:
    if num_bytes > MAX_ARRAY_BYTES and num_bytes > array.num_bytes:
        return -1
    return grow(array, num_bytes)


# The same without a bound.
cdef int grow(GrowableArray* array, Py_ssize_t num_bytes) noexcept nogil:
    cdef Py_ssize_t larger
    cdef void* data
    if num_bytes <= array.num_bytes:
        return 0
    larger = max(2 * array.num_bytes, num_bytes, 256)
    data = realloc(array.data, larger)
    if data == NULL:
        return -1
    array.data, array.num_bytes = data, larger
    return 0
