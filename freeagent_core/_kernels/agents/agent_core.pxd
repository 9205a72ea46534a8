from freeagent_core._kernels.agents.agent_parameters cimport AgentParameters
from freeagent_core._kernels.base.state_lock cimport StateLock
from freeagent_core._kernels.learning.learned_model cimport LearnedModel
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef class AgentCore(AgentParameters):
    cdef readonly PackedModel packed
    cdef readonly LearnedModel learned  # the same, or None before the agent learns
    cdef StateLock _lock
    cdef bint _has_policies
    # What the caller holds of these, or has assigned. Callers write into it, so it is read
    # again before each use. None where the state above is all there is.
    cdef object _qs_object, _q_pi_object, _G_object, _action_object

    cpdef infer_states(self, observation, bint distr_obs, bint joint_likelihood=*)
    cpdef infer_policies(self)
    cpdef sample_action(self)
    cpdef step(self, observation, bint distr_obs=*)
    cpdef update_A(self, observation, bytes to_learn, lr)
    cpdef update_B(self, qs_previous, bytes to_learn, lr)
    cpdef update_D(self, qs_first, bytes to_learn, lr)
    cdef LearnedModel _learner(self)
    cdef int _read_step(self, OwnedWorkspace workspace, object observation, bint distr_obs) except -1
    cdef bint _is_short_step(self) noexcept
    cdef int _infer_states(self, OwnedWorkspace workspace, int read, bint joint_likelihood) noexcept
    cdef int _infer_policies(self, OwnedWorkspace workspace, const double* qs) noexcept
    cdef int _whole_step(self, OwnedWorkspace workspace, int read, const double** choice) noexcept
    cdef int _enumerate_policies(self) except -1
    cdef const double* _choice(self, OwnedWorkspace workspace) except NULL
    cdef object _draw_action(self, const double* choice)
    cdef Py_ssize_t _draw(self, const double* p, Py_ssize_t n) except -1
    cdef const double* _current_qs(self, OwnedWorkspace workspace) except NULL
    cdef const double* _current_q_pi(self, OwnedWorkspace workspace) except? NULL
    cdef const double* _read_q_pi(self, OwnedWorkspace workspace, object value) except NULL
    cdef void _keep_beliefs(self, OwnedWorkspace workspace) noexcept
    cdef void _keep_policies(self, const double* qs, OwnedWorkspace workspace) noexcept
