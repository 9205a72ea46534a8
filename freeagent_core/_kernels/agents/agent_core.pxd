from freeagent_core._kernels.agents.agent_history cimport Histories
from freeagent_core._kernels.agents.agent_policies cimport HeldPolicies
from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.agents.message_passing_prior cimport NextPrior
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
    cdef void* block               # qs, action, and G and q_pi or what stands for them ...
    cdef Py_ssize_t block_size     # ... in bytes
    # What callers hold of these, or have assigned. They write into it, so it is read again
    # before each use. None where the state above is all there is.
    cdef object held_qs, held_action
    cdef HeldPolicies policies
    cdef readonly Histories histories
    cdef NextPrior next_prior
    cdef object _entry             # what the call at work will append to prev_obs, or None

    cdef int allocate(self, PackedModel packed) except -1
    cdef Py_ssize_t search_size_of(self, PackedModel packed) except -1
    cdef int load_beliefs(self, OwnedWorkspace workspace) except -1
    cdef bint is_short_step(self) noexcept
    cdef OwnedWorkspace begin(self, Task* task, object observation, bint distr_obs)
    cdef OwnedWorkspace begin_unobserved(self, Task* task)
    cdef int load(self, Task* task, OwnedWorkspace workspace, bint observed) except -1
    cdef int execute(self, Task* task, int operations) except -1
    cdef object keep_states(self, Task* task)
    cdef void keep_results(self, Task* task, int operations) noexcept
    cdef void forget_objects(self, int operations) noexcept
    cdef object _new_qs(self, Task* task)
    cdef void _hold_qs(self, object qs) noexcept
    cdef object new_action(self)
    cdef void keep_action(self, const Py_ssize_t* action, object array) noexcept
    cdef int _add(self, object qs, object q_pi, object action) except -1
    cdef int _choose(self, Task* task, Py_ssize_t* action, bint has_added) except -1
    cdef void _end_step(self, const double* q_pi) noexcept
    cdef bint is_window_full_at(self, Py_ssize_t time) noexcept
    cdef int prepare_prior(self, Py_ssize_t time) except -1
    cdef int check_terms(self) except -1
    cdef OwnedWorkspace begin_choice(self, Task* task)
    cpdef infer_states(self, observation, bint distr_obs=*, bint joint_likelihood=*)
    cpdef infer_policies(self)
    cpdef sample_action(self, bint ends_step=*)
    cpdef step(self, observation, bint distr_obs=*)
    cpdef keep_prior(self)
    cpdef set_latest_belief(self)
