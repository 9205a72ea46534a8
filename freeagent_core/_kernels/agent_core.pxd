cimport cython

from freeagent_core._kernels.agent_step cimport AgentState
from freeagent_core._kernels.learned_model cimport LearnedModel
from freeagent_core._kernels.packed_model cimport PackedModel, Scratch


cdef class AgentCore:
    cdef AgentState state
    cdef readonly PackedModel packed
    cdef readonly LearnedModel learned  # the same, or None before the agent learns
    cdef cython.pymutex _lock
    cdef bint _has_policies
    # What the caller holds of these, or has assigned. Callers write into it, so it is read
    # again before each use. None where the state above is all there is.
    cdef object _qs_object, _q_pi_object, _G_object, _action_object

    cdef LearnedModel _learner(self)
    cdef int _read_step(self, Scratch scratch, object observation, bint distr_obs) except -1
    cdef object _draw_action(self, const double* p_actions, const double* p_policies)
    cdef Py_ssize_t _draw(self, const double* p, Py_ssize_t n) except -1
    cdef const double* _current_qs(self, Scratch scratch) except NULL
    cdef const double* _current_q_pi(self, Scratch scratch) except NULL
    cdef void _keep_beliefs(self, Scratch scratch) noexcept
    cdef void _keep_policies(self, Scratch scratch) noexcept
