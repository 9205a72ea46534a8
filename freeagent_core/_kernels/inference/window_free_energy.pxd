from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.inference.window_messages cimport Window
from freeagent_core._kernels.model.batched_model cimport BatchedTables


cdef Py_ssize_t free_energy_scratch(const BatchedTables* t) noexcept nogil
cdef void window_free_energy(const BatchedTables* t, const Observed* observed,
                             const Window* window, bint chain, Py_ssize_t agent,
                             const double** prior, const double** qs, Py_ssize_t first_step,
                             double** terms, double* scratch) noexcept nogil
