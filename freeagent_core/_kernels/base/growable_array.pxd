cdef struct GrowableArray:         # grows by doubling; never shrinks
    void* data
    Py_ssize_t num_bytes


cdef int grow(GrowableArray* array, Py_ssize_t num_bytes) noexcept nogil
cdef int reserve(GrowableArray* array, Py_ssize_t num_bytes) noexcept nogil
