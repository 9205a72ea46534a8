from libc.stdint cimport int32_t

from freeagent_core._kernels.model.batched_model cimport BatchedTables


cdef void smooth_backwards(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                           Py_ssize_t num_steps, const int32_t* actions, const double** filtered,
                           bint exact, double* smoothed, double* joints,
                           double* scratch) noexcept nogil
cdef bint smooth_chain(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                       Py_ssize_t num_steps, const int32_t* actions, const double* filtered,
                       bint exact, double* smoothed, double* weights,
                       double* scratch) noexcept nogil
