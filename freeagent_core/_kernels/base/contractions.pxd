cdef void outer_product(const double** q, const Py_ssize_t* sizes, Py_ssize_t count,
                        double* out) noexcept nogil
cdef const double* contract_others(const double* tensor, const Py_ssize_t* sizes,
                                   Py_ssize_t count, Py_ssize_t tail, const double** q,
                                   Py_ssize_t keep, double* scratch) noexcept nogil
cdef void log_clipped(const double* x, Py_ssize_t n, double* out) noexcept nogil
