# A kernel on agents [start, stop) of a job; returns 0, or -1 without memory.
ctypedef int (*batch_kernel)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil


cdef int run_batch(batch_kernel kernel, void* job, Py_ssize_t batch_size,
                   double* agent_ns) except -1
