"""Where random numbers come from: a kernel that draws takes any source."""


cdef struct RandomSource:
    void* state
    # uniform in range(count), count >= 1
    Py_ssize_t (*below)(void* state, Py_ssize_t count) noexcept nogil
    # index i with probability p[i] / sum(p)
    Py_ssize_t (*categorical)(void* state, const double* p, Py_ssize_t n) noexcept nogil
