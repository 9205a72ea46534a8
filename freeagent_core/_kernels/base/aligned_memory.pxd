cdef extern from "<stdlib.h>":
    void* aligned_alloc(size_t alignment, size_t size) nogil


# At least `num_bytes`, which may be 0, from the start of a cache line; NULL without memory. To be
# released by `free`.
cdef inline void* allocate_aligned(Py_ssize_t num_bytes) noexcept nogil:
    return aligned_alloc(64, (num_bytes + 64) // 64 * 64)
