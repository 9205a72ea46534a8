cdef double log_ratio(double x) noexcept nogil
