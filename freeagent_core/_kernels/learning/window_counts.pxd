from libc.stdint cimport int32_t

from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.model.batched_model cimport BatchedTables


cdef void add_outcome_counts(const BatchedTables* t, Py_ssize_t group, Py_ssize_t agent,
                             const Observed* observed, const double** qs, double rate,
                             double** counts, double* scratch) noexcept nogil
cdef void add_chain_counts(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                           const double* weights, double* counts) noexcept nogil
cdef void add_transition_counts(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                                Py_ssize_t num_steps, const int32_t* actions,
                                const double** before, const double* after,
                                const double* joints, double rate, double* counts,
                                double* scratch) noexcept nogil
cdef void expected_probabilities(const double* counts, Py_ssize_t num_outcomes, Py_ssize_t size,
                                 double* out, double* scratch) noexcept nogil
