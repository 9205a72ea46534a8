from libc.stdint cimport int32_t

from freeagent_core._kernels.model.batched_model cimport BatchedTables


cdef void predict_states(const BatchedTables* t, Py_ssize_t agent, const int32_t* action,
                         const double** qs, double** out, double* scratch) noexcept nogil
