from libc.stdint cimport uint32_t, uint64_t


cdef struct Key:
    uint32_t high
    uint32_t low


cdef Key hashed(Key key, uint64_t counter) noexcept nogil
cdef double uniform(Key key, uint64_t counter) noexcept nogil
cdef float uniform_float(Key key, uint64_t counter) noexcept nogil
cdef Py_ssize_t choice(Key key, const double* p, Py_ssize_t n, double* scratch) noexcept nogil
cdef Py_ssize_t choice_float(Key key, const double* p, Py_ssize_t n, double* scratch) noexcept nogil
cdef Py_ssize_t categorical(Key key, const double* logits, Py_ssize_t n) noexcept nogil
cdef Py_ssize_t categorical_of_weights(Key key, const double* weights,
                                       Py_ssize_t n) noexcept nogil
