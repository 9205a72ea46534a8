from libc.stdint cimport uint64_t


cdef double uniform(uint64_t* state) noexcept nogil
cdef Py_ssize_t below(uint64_t* state, Py_ssize_t count) noexcept nogil
cdef Py_ssize_t categorical(uint64_t* state, const double* p, Py_ssize_t n) noexcept nogil
