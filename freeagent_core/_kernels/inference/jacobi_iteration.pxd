from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.model.batched_model cimport BatchedTables


cdef Py_ssize_t jacobi_scratch(const BatchedTables* t) noexcept nogil
cdef void jacobi_iteration(const BatchedTables* t, const Observed* observed, Py_ssize_t agent,
                           const double** prior, Py_ssize_t num_iter, double** qs,
                           double* scratch) noexcept nogil
