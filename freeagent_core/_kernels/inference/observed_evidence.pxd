from libc.stdint cimport int32_t

from freeagent_core._kernels.model.batched_model cimport BatchedTables


# What a batch observed, num_steps at a time: the outcome of each modality,
# codes[(agent * num_steps + step) * num_modalities + modality], NO_EVIDENCE or IN_WEIGHTS;
# in weights[(agent * num_steps + step) * num_obs_total + offset] the soft ones (else NULL).
ctypedef struct Observed:
    Py_ssize_t num_steps
    const int32_t* codes
    const double* weights


cdef enum:
    NO_EVIDENCE = -1
    IN_WEIGHTS = -2


cdef void log_likelihoods(const BatchedTables* t, const Observed* observed, Py_ssize_t agent,
                          Py_ssize_t step, const double** out, double* scratch) noexcept nogil
cdef void add_group(const BatchedTables* t, Py_ssize_t group, const double* ll, const double** q,
                    double** log_q, double* scratch) noexcept nogil
