from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.inference.window_messages cimport Window
from freeagent_core._kernels.model.batched_model cimport BatchedTables


# Whether windows of this length are inferred eight agents at a time.
cdef bint fit_message_lanes(const BatchedTables* t, Py_ssize_t num_steps,
                            bint variational) noexcept nogil
cdef Py_ssize_t lane_messages_scratch(const BatchedTables* t, Py_ssize_t num_steps) noexcept nogil
cdef void pass_messages_in_lanes(const BatchedTables* t, const Observed* observed,
                                 const Window* windows, const Py_ssize_t* agents,
                                 const double** prior, Py_ssize_t num_iter, double* qs,
                                 double* scratch) noexcept nogil
cdef const double* contract_in_lanes(const double* tensor, const Py_ssize_t* sizes,
                                     Py_ssize_t count, Py_ssize_t tail, const double** q,
                                     Py_ssize_t keep, double* scratch) noexcept nogil
