from libc.stdint cimport int32_t

from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.model.batched_model cimport BatchedTables, Transition


# Steps of the past and what is known of them, of one agent.
ctypedef struct Window:
    const int32_t* actions         # (num_steps - 1, num_factors), UNKNOWN where not known; or NULL
    const unsigned char* step_valid        # (num_steps,)
    const unsigned char* transition_valid  # (num_steps - 1,)
    bint variational               # VMP instead of MMP
    bint without_prior             # ignore the prior (pymdp's VMP of a single step)


cdef enum:
    UNKNOWN = -1


cdef const double* conditioned(const Transition* f, const Window* window, Py_ssize_t step,
                               Py_ssize_t index, Py_ssize_t num_factors, Py_ssize_t agent,
                               double* uniform) noexcept nogil
cdef Py_ssize_t messages_scratch(const BatchedTables* t, Py_ssize_t num_steps) noexcept nogil
cdef void pass_messages(const BatchedTables* t, const Observed* observed, const Window* window,
                        Py_ssize_t agent, const double** prior, Py_ssize_t num_iter,
                        double** qs, double* scratch) noexcept nogil
