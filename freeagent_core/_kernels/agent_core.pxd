cimport cython

from freeagent_core._kernels.belief_update cimport FPIParameters
from freeagent_core._kernels.learned_model cimport LearnedModel
from freeagent_core._kernels.packed_model cimport PackedModel, Scratch, Workspace
from freeagent_core._kernels.policy_evaluation cimport EFEParameters
from freeagent_core._kernels.sophisticated cimport SIParameters


cdef class AgentCore:
    cdef readonly PackedModel packed
    cdef readonly LearnedModel learned  # the same, or None before the agent learns
    cdef cython.pymutex _lock
    cdef FPIParameters _fpi
    cdef EFEParameters _efe
    cdef double _alpha, _tie_tolerance
    cdef bint _stochastic, _full, _first_of_ties, _joint_likelihood, _has_policies
    cdef SIParameters _search
    cdef double* _search_memory    # NULL without sophisticated inference
    cdef double* _qs               # (qs_size,)
    cdef double* _q_pi             # (num_policies,)
    cdef double* _G                # (num_policies,)
    # What the caller holds of these, or has assigned. Callers write into it, so it is read
    # again before each use. None where the buffer above is all there is.
    cdef object _qs_object, _q_pi_object, _G_object, _action_object

    cdef LearnedModel _learner(self)
    cdef void _refresh(self, Scratch scratch) noexcept
    cdef int _read_step(self, Scratch scratch, object observation, bint distr_obs) except -1
    cdef int _update_beliefs(self, Scratch scratch, bint vectors, bint has_action,
                             bint joint_likelihood) noexcept nogil
    cdef int _evaluate(self, Scratch scratch, const double* qs) noexcept nogil
    cdef void _action_probabilities(self, Scratch scratch, const double* q_pi) noexcept nogil
    cdef object _draw_action(self, Scratch scratch, const double* q_pi)
    cdef Py_ssize_t _draw(self, const double* p, Py_ssize_t n) except -1
    cdef const double* _current_qs(self, Scratch scratch) except NULL
    cdef const double* _current_q_pi(self, Scratch scratch) except NULL
    cdef void _keep_beliefs(self, Scratch scratch) noexcept
    cdef void _keep_policies(self, Scratch scratch) noexcept
