"""One agent's state and its step: from checked input through the kernels and back.

Results are written to workspace first and copied into the agent when the kernels
have returned without an error, so that a failed call leaves the agent as it was. A lock
per agent keeps calls from several threads apart while the GIL is released.

Random numbers come from NumPy's global generator, by the same calls in the same order
as pymdp's, so that one ``np.random.seed`` gives the same actions.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from freeagent_core._kernels.action.action_selection cimport count_best, nth_best
from freeagent_core._kernels.agents.agent_parameters cimport AgentParameters, finite_number
from freeagent_core._kernels.agents.agent_step cimport (
    action_probabilities, are_enumerated, infer_policies, infer_states, keep_beliefs, keep_policies,
    enumerate_evaluated, whole_step,
)
from freeagent_core._kernels.learning.dirichlet_updates cimport learn_A, learn_B, learn_D
from freeagent_core._kernels.action.numpy_generator cimport draw_below
from freeagent_core._kernels.base.growable_array cimport reserve
from freeagent_core._kernels.learning.learned_model cimport LearnedModel
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Model, first_action
from freeagent_core._kernels.model.python_input cimport (
    new_array, read_action, read_beliefs, read_observation, read_probabilities,
)
from freeagent_core._kernels.planning.sophisticated cimport search_size
from freeagent_core._kernels.base.status cimport NO_MEMORY, raise_status
from freeagent_core._kernels.model.workspace cimport Workspace

import numpy as np

cdef object _empty = np.empty
# More policies than this are not listed unasked (`_planning.MAX_POLICIES`).
cdef Py_ssize_t MAX_POLICIES = 1 << 24


cdef int _check_length(Py_ssize_t length, Py_ssize_t expected) except -1:
    if length != expected:
        raise ValueError(f"to_learn must have {expected} entries, got {length}")
    return 0


cdef class AgentCore(AgentParameters):
    """Beliefs, policy posterior, last action and parameters of one agent.

    Parameters
    ----------
    packed : PackedModel
    joint_likelihood : bool
        Take the joint likelihood of all modalities, as pymdp 0.0.7.1 does.
    tie_tolerance : float
        Actions with a probability this close to the best are as good.
    first_of_ties : bool
        Take the first of them instead of drawing one.
    """

    def __cinit__(self):
        self._lock = StateLock()
        self.state.qs = NULL
        self.state.search_memory = NULL

    def __init__(self, PackedModel packed not None, bint joint_likelihood, double tie_tolerance,
                 bint first_of_ties):
        if self.state.qs != NULL:
            raise TypeError("an AgentCore cannot be initialised twice")
        cdef const Model* model = &packed.model
        cdef const Factor* f
        cdef Py_ssize_t i, s
        cdef Py_ssize_t num_enumerated = model.tree.num_enumerated
        cdef Py_ssize_t size = model.qs_size + 2 * num_enumerated
        if num_enumerated == 0:
            size += model.num_controls_total + model.qs_size
        self.state.qs = <double*>calloc(size, sizeof(double))
        if self.state.qs == NULL:
            raise MemoryError("no memory for an agent's beliefs")
        self.packed = packed
        self.state.model = model
        self.state.q_pi = self.state.qs + model.qs_size
        self.state.G = self.state.q_pi + num_enumerated
        self.state.evaluated_qs = self.state.G + num_enumerated
        self.state.p_first = self.state.evaluated_qs + model.qs_size
        for i in range(model.num_factors):
            f = &model.factors[i]
            for s in range(f.num_states):
                self.state.qs[f.offset + s] = 1.0 / f.num_states
        self.state.joint_likelihood = joint_likelihood
        self.state.tie_tolerance = tie_tolerance
        self.state.first_of_ties = first_of_ties

    def __dealloc__(self):
        free(self.state.qs)
        free(self.state.search_memory)

    def set_search(self, Py_ssize_t horizon, double policy_prune_threshold,
                   double state_prune_threshold, double prune_penalty, double gamma=1.0):
        """Evaluate policies by sophisticated inference from now on; pymdp's agent gives the
        search a precision of 1."""
        cdef Py_ssize_t size = search_size(&self.packed.model, horizon)
        cdef double* memory
        memory = <double*>calloc(max(size, 1), sizeof(double))
        if memory == NULL:
            raise MemoryError(f"no memory for a search of si_horizon {horizon}")
        with self._lock:
            free(self.state.search_memory)
            self.state.search_memory = memory
            self.state.search.horizon = horizon
            self.state.search.policy_prune_threshold = policy_prune_threshold
            self.state.search.state_prune_threshold = state_prune_threshold
            self.state.search.prune_penalty = prune_penalty
            self.state.search.gamma = gamma

    # --- state that callers read and assign ----------------------------------------------

    @property
    def qs(self):
        """Beliefs, an object array of one float64 array per factor."""
        cdef const Factor* f
        cdef Py_ssize_t i
        if self._qs_object is None:
            beliefs = _empty(self.packed.model.num_factors, object)
            for i in range(self.packed.model.num_factors):
                f = &self.packed.model.factors[i]
                beliefs[i] = new_array(self.state.qs + f.offset, f.num_states)
            self._qs_object = beliefs
        return self._qs_object

    @qs.setter
    def qs(self, value):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        try:
            read_beliefs(self.packed, workspace, value, "qs")
            self._qs_object = value
        finally:
            self.packed.release_workspace(workspace)

    # Make the objects of q_pi and G.
    cdef int _enumerate_policies(self) except -1:
        cdef Py_ssize_t n = self.packed.model.tree.num_policies
        cdef OwnedWorkspace workspace
        cdef int status
        if not self._has_policies:
            raise AttributeError("q_pi and G are not set before infer_policies")
        if are_enumerated(&self.state):
            if self._q_pi_object is None:
                self._q_pi_object = new_array(self.state.q_pi, n)
            if self._G_object is None:
                self._G_object = new_array(self.state.G, n)
            return 0
        workspace = self.packed.acquire_workspace()
        try:
            with self._lock:
                with nogil:
                    status = enumerate_evaluated(&self.state, &workspace.work)
                raise_status(status, "G")
                if self._q_pi_object is None:
                    self._q_pi_object = new_array(<double*>workspace.work.graph.enumerated_q_pi.data, n)
                if self._G_object is None:
                    self._G_object = new_array(<double*>workspace.work.graph.enumerated_G.data, n)
        finally:
            self.packed.release_workspace(workspace)
        return 0

    @property
    def q_pi(self):
        """Posterior over policies, float64 of shape (num_policies,)."""
        if self._q_pi_object is None:
            self._enumerate_policies()
        return self._q_pi_object

    @q_pi.setter
    def q_pi(self, value):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        try:
            self._read_q_pi(workspace, value)
            self._q_pi_object = value
        finally:
            self.packed.release_workspace(workspace)

    @property
    def G(self):
        """Negative expected free energy per policy, float64 of shape (num_policies,)."""
        if self._G_object is None:
            self._enumerate_policies()
        return self._G_object

    @G.setter
    def G(self, value):
        self._G_object = value

    @property
    def action(self):
        """The last action, float64 of shape (num_factors,), or None before the first."""
        return self._action_object

    @action.setter
    def action(self, value):
        cdef OwnedWorkspace workspace
        if value is not None:
            workspace = self.packed.acquire_workspace()
            try:
                read_action(self.packed, workspace, value)
            finally:
                self.packed.release_workspace(workspace)
        self._action_object = value

    cdef const double* _current_qs(self, OwnedWorkspace workspace) except NULL:
        if self._qs_object is None:
            return self.state.qs
        read_beliefs(self.packed, workspace, self._qs_object, "qs")
        return workspace.work.qs_new

    # NULL for policies that are not listed, where the caller has assigned none.
    cdef const double* _current_q_pi(self, OwnedWorkspace workspace) except? NULL:
        if self._q_pi_object is not None:
            return self._read_q_pi(workspace, self._q_pi_object)
        if not self._has_policies:
            raise AttributeError("q_pi is not set: call infer_policies before sample_action")
        if not are_enumerated(&self.state):
            return NULL
        return self.state.q_pi

    cdef const double* _read_q_pi(self, OwnedWorkspace workspace, object value) except NULL:
        cdef Py_ssize_t n = self.packed.model.tree.num_policies
        cdef double* q_pi = workspace.work.q_pi_new
        if not are_enumerated(&self.state):
            if reserve(&workspace.work.graph.enumerated_q_pi, n * <Py_ssize_t>sizeof(double)) != 0:
                raise MemoryError(f"no memory for q_pi of {n} policies")
            q_pi = <double*>workspace.work.graph.enumerated_q_pi.data
        read_probabilities(value, n, q_pi, "q_pi")
        return q_pi

    cdef void _keep_beliefs(self, OwnedWorkspace workspace) noexcept:
        keep_beliefs(&self.state, &workspace.work)
        self._qs_object = None

    cdef void _keep_policies(self, const double* qs, OwnedWorkspace workspace) noexcept:
        keep_policies(&self.state, qs, &workspace.work)
        self._q_pi_object = None
        self._G_object = None
        self._has_policies = True

    # --- learning ------------------------------------------------------------------------

    def begin_learning(self, LearnedModel learned not None):
        """Take over a copy of the present model that `update_A`, `update_B` and `update_D`
        write to."""
        with self._lock:
            if learned.shared is not self.packed:
                raise ValueError("the learned model must be one of this agent's model")
            self.learned = learned
            self.packed = learned
            self.state.learned = &learned.own
            self.state.model = &learned.model

    cdef LearnedModel _learner(self):
        if self.learned is None:
            raise ValueError("call begin_learning before an update")
        # policies are not listed yet: once the model has changed they could not be any more
        if self._has_policies and not are_enumerated(&self.state):
            if self.packed.model.tree.num_policies <= MAX_POLICIES:
                self._enumerate_policies()
            else:
                self._has_policies = False
        return self.learned

    cpdef update_A(self, observation, bytes to_learn, lr):
        """Learn from an observation and the beliefs. Return pA.

        Parameters
        ----------
        observation
            As `infer_states` takes it.
        to_learn : bytes
            Per modality, 1 to learn it.
        lr : float
        """
        cdef LearnedModel learned = self._learner()
        cdef OwnedWorkspace workspace = learned.acquire_workspace()
        cdef double rate = finite_number(lr, "lr_pA")
        cdef const unsigned char* wanted = to_learn
        cdef const double* qs
        cdef bint vectors
        _check_length(len(to_learn), learned.model.num_modalities)
        try:
            with self._lock:
                vectors = read_observation(learned, workspace, observation, True)
                qs = self._current_qs(workspace)
                learned.prepare_A()
                learn_A(&learned.own, vectors, qs, wanted, rate, &workspace.work)
            return learned.pA
        finally:
            learned.release_workspace(workspace)

    cpdef update_B(self, qs_previous, bytes to_learn, lr):
        """Learn from the beliefs before and after the last action. Return pB."""
        cdef LearnedModel learned = self._learner()
        cdef OwnedWorkspace workspace = learned.acquire_workspace()
        cdef double rate = finite_number(lr, "lr_pB")
        cdef const unsigned char* wanted = to_learn
        cdef const double* qs
        _check_length(len(to_learn), learned.model.num_factors)
        try:
            with self._lock:
                read_action(self.packed, workspace, self._action_object)
                read_beliefs(learned, workspace, qs_previous, "qs_prev")
                memcpy(workspace.work.prior, workspace.work.qs_new,
                       learned.model.qs_size * sizeof(double))
                qs = self._current_qs(workspace)
                learned.prepare_B()
                learn_B(&learned.own, workspace.work.action, qs, workspace.work.prior, wanted,
                        rate, &workspace.work)
            return learned.pB
        finally:
            learned.release_workspace(workspace)

    cpdef update_D(self, qs_first, bytes to_learn, lr):
        """Learn from the beliefs at the first step. Return pD."""
        cdef LearnedModel learned = self._learner()
        cdef OwnedWorkspace workspace = learned.acquire_workspace()
        cdef double rate = finite_number(lr, "lr_pD")
        cdef const unsigned char* wanted = to_learn
        _check_length(len(to_learn), learned.model.num_factors)
        try:
            with self._lock:
                read_beliefs(learned, workspace, qs_first, "qs_t0")
                learned.prepare_D()
                learn_D(&learned.own, workspace.work.qs_new, wanted, rate)
            return learned.pD
        finally:
            learned.release_workspace(workspace)

    # --- the step ------------------------------------------------------------------------

    cdef int _read_step(self, OwnedWorkspace workspace, object observation, bint distr_obs) except -1:
        """Read what a belief update starts from; return 1 for vectors, 2 for an action, 3 both."""
        cdef int vectors = read_observation(self.packed, workspace, observation, distr_obs)
        if self._action_object is None:
            return vectors
        read_action(self.packed, workspace, self._action_object)
        if self._qs_object is not None:
            read_beliefs(self.packed, workspace, self._qs_object, "qs")
            memcpy(self.state.qs, workspace.work.qs_new, self.packed.model.qs_size * sizeof(double))
        return vectors + 2

    # A kernel that is soon done keeps the GIL: to give it away and to get it back would cost as
    # much as the kernel, or very much more where other threads wait for it.
    cdef bint _is_short_step(self) noexcept:
        return self.packed.short_step and self.state.search_memory == NULL

    cdef int _infer_states(self, OwnedWorkspace workspace, int read, bint joint_likelihood) noexcept:
        cdef Workspace* work = &workspace.work
        if self._is_short_step():
            return infer_states(&self.state, work.observation, read & 1, read & 2,
                                joint_likelihood, work)
        with nogil:
            return infer_states(&self.state, work.observation, read & 1, read & 2,
                                joint_likelihood, work)

    cdef int _infer_policies(self, OwnedWorkspace workspace, const double* qs) noexcept:
        if self._is_short_step():
            return infer_policies(&self.state, qs, &workspace.work)
        with nogil:
            return infer_policies(&self.state, qs, &workspace.work)

    cdef int _whole_step(self, OwnedWorkspace workspace, int read, const double** choice) noexcept:
        cdef Workspace* work = &workspace.work
        if self._is_short_step():
            return whole_step(&self.state, work.observation, read & 1, read & 2, choice, work)
        with nogil:
            return whole_step(&self.state, work.observation, read & 1, read & 2, choice, work)

    cpdef infer_states(self, observation, bint distr_obs, bint joint_likelihood=False):
        """Update the beliefs; `joint_likelihood` forces that of `_infer_states_test`."""
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        cdef int read, status
        joint_likelihood |= self.state.joint_likelihood
        try:
            with self._lock:
                read = self._read_step(workspace, observation, distr_obs)
                status = self._infer_states(workspace, read, joint_likelihood)
                raise_status(status, "a belief")
                self._keep_beliefs(workspace)
        finally:
            self.packed.release_workspace(workspace)

    cpdef infer_policies(self):
        """Evaluate all policies from the current beliefs."""
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        cdef const double* qs
        cdef int status
        try:
            with self._lock:
                qs = self._current_qs(workspace)
                status = self._infer_policies(workspace, qs)
                raise_status(status, "q_pi")
                self._keep_policies(qs, workspace)
        finally:
            self.packed.release_workspace(workspace)

    # What sample_action draws from: probabilities of actions or, with sampling_mode "full",
    # of policies.
    cdef const double* _choice(self, OwnedWorkspace workspace) except NULL:
        cdef const double* q_pi = self._current_q_pi(workspace)
        cdef int status = 0
        if q_pi == NULL and self.state.full:
            with nogil:
                status = enumerate_evaluated(&self.state, &workspace.work)
            raise_status(status, "q_pi")
            q_pi = <double*>workspace.work.graph.enumerated_q_pi.data
        return action_probabilities(&self.state, q_pi, self.state.p_first, &workspace.work)

    cpdef sample_action(self):
        """Choose an action from q_pi, keep it and return it."""
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        try:
            with self._lock:
                self._action_object = self._draw_action(self._choice(workspace))
                return self._action_object
        finally:
            self.packed.release_workspace(workspace)

    cpdef step(self, observation, bint distr_obs=False):
        """infer_states, infer_policies and sample_action in one call; without the GIL, but to
        draw random numbers and where a step is brief."""
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        cdef const double* choice = NULL
        cdef int read, status
        try:
            self._lock.take()  # `with` would look two methods up
            try:
                read = self._read_step(workspace, observation, distr_obs)
                status = self._whole_step(workspace, read, &choice)
                raise_status(status, "a belief or q_pi")
                action = self._draw_action(choice)
                self._keep_beliefs(workspace)
                self._keep_policies(self.state.qs, workspace)
                self._action_object = action
                return action
            finally:
                self._lock.give()
        finally:
            self.packed.release_workspace(workspace)

    # --- choosing ------------------------------------------------------------------------

    cdef object _draw_action(self, const double* choice):
        cdef const Model* model = &self.packed.model
        cdef double action[MAX_FACTORS]
        cdef Py_ssize_t i, policy
        if self.state.full:
            policy = self._draw(choice, model.tree.num_policies)
            for i in range(model.num_factors):
                action[i] = first_action(model, policy)[i]
        else:
            for i in range(model.num_factors):
                action[i] = self._draw(choice + model.factors[i].control_offset,
                                       model.factors[i].num_controls)
        return new_array(action, model.num_factors)

    # One index: np.random.multinomial as pymdp's utils.sample, or the best, with
    # np.random.choice among ties as pymdp.legacy.control.select_highest.
    cdef Py_ssize_t _draw(self, const double* p, Py_ssize_t n) except -1:
        cdef Py_ssize_t count, first = 0
        if self.state.stochastic:
            return np.random.multinomial(1, new_array(p, n)).argmax()
        count = count_best(p, n, self.state.tie_tolerance, &first)
        if count == 1 or self.state.first_of_ties:
            return first
        return nth_best(p, n, self.state.tie_tolerance, draw_below(count))

    def action_distribution(self):
        """Return what `sample_action` draws from: an array over policies ("full") or an
        object array of one array per factor ("marginal")."""
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        cdef const Model* model = &self.packed.model
        cdef const double* choice
        cdef Py_ssize_t i
        try:
            with self._lock:
                choice = self._choice(workspace)
                if self.state.full:
                    return new_array(choice, model.tree.num_policies)
                p_actions = _empty(model.num_factors, object)
                for i in range(model.num_factors):
                    p_actions[i] = new_array(choice + model.factors[i].control_offset,
                                             model.factors[i].num_controls)
                return p_actions
        finally:
            self.packed.release_workspace(workspace)
