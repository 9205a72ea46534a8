# A kernel on agents [start, stop) of a job; returns 0, INTERRUPTED, or another number without memory.
# What it does once more leaves the same behind: an interrupted batch begins again.
ctypedef int (*batch_kernel)(void* job, Py_ssize_t start, Py_ssize_t stop) noexcept nogil


cdef int run_batch(batch_kernel kernel, void* job, Py_ssize_t batch_size,
                   double* agent_ns, bint is_interruptible=*) except -1
