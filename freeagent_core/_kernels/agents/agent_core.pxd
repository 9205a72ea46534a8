from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.agents.message_passing_window cimport Window
from freeagent_core._kernels.agents.parameters cimport Parameters
from freeagent_core._kernels.base.state_lock cimport StateLock
from freeagent_core._kernels.learning.learned_model cimport LearnedModel
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef class AgentCore:
    cdef readonly PackedModel packed
    cdef readonly LearnedModel learned  # the same, or None before the agent learns
    cdef readonly Parameters parameters
    cdef AgentState state
    cdef Window window             # None without message passing
    cdef StateLock lock
    cdef public bint is_watched    # callers may have written into arrays of its model
    cdef public bint replaces_parts    # the agent has methods of its own in its __dict__
    cdef unsigned int class_version    # of the agent's class ...
    cdef bint class_steps_whole    # ... whose parts of a step are those of `Agent`,
    cdef bint class_has_step       # ... and whose step
    cdef void* _block              # qs, action, and G and q_pi or what stands for them
    # What callers hold of these, or have assigned. They write into it, so it is read again
    # before each use. None where the state above is all there is.
    cdef object _qs, _q_pi, _G, _action
    # time and histories, as pymdp keeps them
    cdef public Py_ssize_t curr_timestep
    cdef object _prev_obs, _prev_actions, _qs_hist, _q_pi_hist, _edge_handling_params

    cdef int _allocate(self, PackedModel packed) except -1
    cdef bint is_short_step(self) noexcept
    cdef OwnedWorkspace begin(self, Task* task, object observation, bint distr_obs)
    cdef OwnedWorkspace begin_unobserved(self, Task* task)
    cdef int load(self, Task* task, OwnedWorkspace workspace, bint observed) except -1
    cdef int execute(self, Task* task, int operations) except -1
    cdef void keep_results(self, Task* task, int operations) noexcept
    cdef void forget_objects(self, int operations) noexcept
    cdef object keep_action(self, const Py_ssize_t* action)
    cdef int note_observation(self, object observation, bint distr_obs) except -1
    cdef int note_results(self, int operations) except -1
    cdef int end_step(self, object observation, bint distr_obs, object action) except -1
    cdef int _enumerate(self) except -1
    cdef int _load_beliefs(self, OwnedWorkspace workspace) except -1
    cdef int _check_terms(self) except -1
    cdef OwnedWorkspace _begin_choice(self, Task* task)
    cdef const double* _load_q_pi(self, OwnedWorkspace workspace) except? NULL
    cdef const double* _read_q_pi(self, OwnedWorkspace workspace, object value) except NULL
    cpdef infer_states(self, observation, bint distr_obs=*, bint joint_likelihood=*)
    cpdef infer_policies(self)
    cpdef sample_action(self)
    cpdef step(self, observation, bint distr_obs=*)
    cpdef advance(self, action)
    cdef int end_sample(self, object action) except -1
    cpdef keep_prior(self)
    cpdef set_latest_belief(self)
    cpdef update_A(self, observation, bytes to_learn, lr)
    cpdef update_B(self, qs_previous, bytes to_learn, lr)
    cpdef update_D(self, qs_first, bytes to_learn, lr)
    cdef LearnedModel _learner(self)
