"""One agent: its memory, and what its callers hold of it.

Its time and histories (`agent_history`), q_pi and G (`agent_policies`), message passing's past
(`message_passing_window`) and what it learned are parts that it holds; learning, another model,
copies and traces are functions of it (`agent_learning`, `agent_transfer`, `agent_traces`).

A call reads its input, takes the lock, runs the step's kernels and keeps their results; what the
step does stands in `agent_step`. Results that callers were given stay as they are: each is a new
array, made when it is asked for. Callers may write into the latest ones, as in pymdp.

Random numbers come from NumPy's global generator, by the same draws in the same order as pymdp's,
so that one ``np.random.seed`` gives the same actions.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from freeagent_core._kernels.action.numpy_generator cimport end_draws, numpy_source
from freeagent_core._kernels.agents.agent_history cimport observation_entry
from freeagent_core._kernels.agents.agent_policies cimport new_G, new_q_pi, read_q_pi
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.agent_step cimport (
    are_enumerated, draw_action, infer, keep, prepare_choice, set_uniform_beliefs,
)
from freeagent_core._kernels.agents.message_passing_step cimport inferred_len
from freeagent_core._kernels.base.interrupts cimport begins_again
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.model.python_input cimport (
    array_data, new_array, new_beliefs, read_action, read_beliefs, read_observation,
)
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Model
from freeagent_core._kernels.planning.sophisticated cimport search_size

from freeagent_core._kernels.base.status import NotReadyError

cdef int STEP = INFER_STATES | INFER_POLICIES | SAMPLE_ACTION


cdef class AgentCore:
    """Beliefs, policy posterior, last action, time and histories of one agent.

    Parameters
    ----------
    packed : PackedModel
    parameters : Parameters
        The agent's own.
    save_belief_hist : bool
    """

    def __cinit__(self):
        self.block = NULL

    def __init__(self, PackedModel packed not None, Parameters parameters not None,
                 bint save_belief_hist=False):
        if self.block != NULL:
            raise TypeError("an AgentCore cannot be initialised twice")
        self.parameters = parameters
        self.state.parameters = &parameters.values
        self.lock = StateLock()
        self.histories = Histories(save_belief_hist)
        self.policies = HeldPolicies()
        self.next_prior = NextPrior(parameters)
        self.state.search_size = self.search_size_of(packed)
        self.allocate(packed)
        self.packed = packed
        set_uniform_beliefs(self.state.model, self.state.qs)
        if parameters.values.passes_messages:
            self.window = Window()
            self.window.begin_episode(&self.state)

    def __dealloc__(self):
        free(self.block)

    cdef int allocate(self, PackedModel packed) except -1:
        cdef const Model* model = &packed.model
        cdef Py_ssize_t num_enumerated = model.tree.num_enumerated
        cdef Py_ssize_t size = model.qs_size + 2 * num_enumerated + model.num_factors
        cdef double* block
        if num_enumerated == 0:
            size += model.num_controls_total + model.qs_size
        block = <double*>calloc(size, sizeof(double))
        if block == NULL:
            raise MemoryError("no memory for an agent's beliefs")
        self.block, self.block_size = block, size * <Py_ssize_t>sizeof(double)
        self.state.model = model
        self.state.qs = block
        self.state.q_pi = block + model.qs_size
        self.state.G = self.state.q_pi + num_enumerated
        self.state.action = <Py_ssize_t*>(self.state.G + num_enumerated)
        self.state.evaluated_qs = <double*>(self.state.action + model.num_factors)
        self.state.p_first = self.state.evaluated_qs + model.qs_size
        return 0

    cdef Py_ssize_t search_size_of(self, PackedModel packed) except -1:
        if self.parameters.values.search.horizon == 0:
            return 0
        return search_size(&packed.model, self.parameters.values.search.horizon)

    def set_search(self, Py_ssize_t horizon, double policy_prune_threshold,
                   double state_prune_threshold, double prune_penalty):
        """Change the parameters of sophisticated inference."""
        cdef Py_ssize_t size = search_size(&self.packed.model, horizon)
        with self.lock:
            self.state.search_size = size
            self.parameters.set_search(horizon, policy_prune_threshold, state_prune_threshold,
                                       prune_penalty)

    def begin_episode(self):
        """Set time to 0, the beliefs to uniform ones and message passing's prior to D."""
        with self.lock:
            self.histories.curr_timestep = 0
            self.held_qs = None
            set_uniform_beliefs(self.state.model, self.state.qs)
            if self.window is not None:
                self.next_prior.read_edges(self.parameters)
                F = self.window.F
                if F is None and self.state.infer_len:
                    F = self.window.free_energies(&self.state)
                self.window.begin_episode(&self.state)
                self.window.F = F  # stays, as in pymdp

    # --- state that callers read and assign ----------------------------------------------

    @property
    def qs(self):
        """Beliefs, an object array of one float64 array per factor; with message passing
        [policy][step][factor]."""
        if self.window is not None:
            return self.window.held_sequences(&self.state)
        if self.held_qs is None:
            self.held_qs = new_beliefs(self.state.model, self.state.qs)
        return self.held_qs

    @qs.setter
    def qs(self, value):
        cdef OwnedWorkspace workspace
        if self.window is not None:
            self.window.assign_sequences(self.packed, &self.state, value)
            return
        workspace = self.packed.acquire_workspace()
        read_beliefs(self.packed, workspace, value, "qs")
        self.held_qs = value

    @property
    def q_pi(self):
        """Posterior over policies, float64 of shape (num_policies,)."""
        if self.policies.q_pi is None:
            self.policies.enumerate(self.packed, &self.state, self.lock)
        return self.policies.q_pi

    @q_pi.setter
    def q_pi(self, value):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        read_q_pi(&self.state, workspace, value)
        self.policies.q_pi = value

    @property
    def G(self):
        """Negative expected free energy per policy in nats, float64 of shape (num_policies,)."""
        if self.policies.G is None:
            self.policies.enumerate(self.packed, &self.state, self.lock)
        return self.policies.G

    @G.setter
    def G(self, value):
        self.policies.G = value

    @property
    def F(self):
        """Variational free energy of each policy in nats, float64 of shape (num_policies,)."""
        if self.window is None:
            raise AttributeError("F belongs to inference_algo 'MMP'")
        return self.window.held_free_energies(&self.state)

    @F.setter
    def F(self, value):
        if self.window is None:
            raise AttributeError("F belongs to inference_algo 'MMP'")
        self.window.assign_free_energies(self.packed, &self.state, value)

    @property
    def action(self):
        """The last action, float64 of shape (num_factors,), or None before the first."""
        return self.held_action

    @action.setter
    def action(self, value):
        cdef OwnedWorkspace workspace
        if value is not None:
            workspace = self.packed.acquire_workspace()
            read_action(self.packed, workspace, value)
        self.held_action = value

    @property
    def infer_len(self):
        """Steps of message passing's sequences; 0 before the first inference."""
        return self.state.infer_len

    @property
    def latest_belief(self):
        """Message passing's belief before its window, by factor or [policy][factor]; None
        where it is D itself."""
        if self.window is None:
            raise AttributeError("latest_belief belongs to inference_algo 'MMP'")
        return self.window.held_prior(&self.state)

    @latest_belief.setter
    def latest_belief(self, value):
        if self.window is None:
            raise AttributeError("latest_belief belongs to inference_algo 'MMP'")
        self.window.assign_prior(self.packed, &self.state, value)

    @property
    def edge_handling_params(self):
        """`use_BMA` and `policy_sep_prior`: which prior message passing's next window gets."""
        return self.next_prior.edge_handling_params

    @edge_handling_params.setter
    def edge_handling_params(self, value):
        self.next_prior.assign(value)

    @property
    def window_is_full(self):
        """Whether message passing's window has all its steps: its first beliefs are a prior."""
        return self.is_window_full_at(self.histories.curr_timestep)

    cpdef set_latest_belief(self):
        """Make the first beliefs of message passing's sequences the next window's prior."""
        cdef OwnedWorkspace workspace
        cdef const double* q_pi = NULL
        with self.lock:
            workspace = self.packed.acquire_workspace()
            self.prepare_prior(self.histories.curr_timestep)
            self.window.load_sequences(self.packed, workspace, &self.state)
            if self.next_prior.averages and self.next_prior.weights is None:
                q_pi = self.policies.load(&self.state, workspace)
            self.next_prior.keep(&self.state, self.window, q_pi)
            self.packed.release_workspace(workspace)

    cdef bint is_window_full_at(self, Py_ssize_t time) noexcept:
        return self.window is not None and time >= self.parameters.values.inference_horizon

    # Before anything changes: what `_end_step` needs for the prior after a time step.
    cdef int prepare_prior(self, Py_ssize_t time) except -1:
        self.next_prior.read_edges(self.parameters)
        return self.next_prior.prepare(&self.state, self.window, self.histories, time)

    cpdef keep_prior(self):
        """Let message passing's prior stay what it is where it was D, which becomes another."""
        cdef OwnedWorkspace workspace
        if self.window is not None and self.window.prior_is_D:
            workspace = self.packed.acquire_workspace()
            self.window.load_prior(self.packed, workspace, &self.state)
            self.window.prior_is_D = False

    # --- the step ------------------------------------------------------------------------

    # A kernel that is soon done keeps the GIL: to give it away and to get it back would cost as
    # much as the kernel, or very much more where other threads wait for it.
    cdef bint is_short_step(self) noexcept:
        return self.packed.short_step and self.state.search_size == 0 and self.window is None

    # Read an observation, then take the lock: no code of callers runs while it is held. The
    # model may have become another one while another thread had it.
    cdef OwnedWorkspace begin(self, Task* task, object observation, bint distr_obs):
        cdef PackedModel packed
        cdef OwnedWorkspace workspace
        entry = None
        while True:
            packed = self.packed
            workspace = packed.acquire_workspace()
            task.observation.vectors = read_observation(packed, workspace, observation, distr_obs)
            task.observation.outcomes = workspace.work.observation
            task.observation.distributions = workspace.work.outcome_probabilities
            if self.window is not None:
                entry = observation_entry(observation, distr_obs, packed.model.num_modalities)
            self.lock.acquire()
            self.lock.intact = True
            if self.packed is packed:
                break
            self.lock.release()
            packed.release_workspace(workspace)
        try:
            self._entry = entry
            self.load(task, workspace, True)
        except BaseException:
            self.lock.release()
            raise
        return workspace

    cdef OwnedWorkspace begin_unobserved(self, Task* task):
        cdef OwnedWorkspace workspace
        self.lock.acquire()
        try:
            workspace = self.packed.acquire_workspace()
            self._entry = None
            self.load(task, workspace, False)
        except BaseException:
            self.lock.release()
            raise
        return workspace

    # What callers may have written since the last call. Call with the lock.
    cdef int load(self, Task* task, OwnedWorkspace workspace, bint observed) except -1:
        task.agent = &self.state
        task.work = &workspace.work
        task.history = NULL
        task.joint_likelihood = self.parameters.values.joint_likelihood
        task.q_pi = NULL
        if self.window is None:
            self.state.has_action = self.held_action is not None
            if observed and self.state.has_action:
                read_action(self.packed, workspace, self.held_action)
                memcpy(self.state.action, workspace.work.action,
                       self.state.model.num_factors * sizeof(Py_ssize_t))
            if not observed or self.state.has_action:
                self.load_beliefs(workspace)
            return 0
        if not observed:
            return self.window.load_sequences(self.packed, workspace, &self.state)
        self.next_prior.read_edges(self.parameters)
        self.window.load_history(self.packed, workspace, &self.state, self.histories.prev_obs,
                                 self.histories.prev_actions, &task.observation)
        task.history = &self.window.history
        self.window.load_prior(self.packed, workspace, &self.state)
        self.window.reserve_sequences(
            &self.state, self.window.history.num_steps + 1 + self.state.model.tree.policy_len)
        return 0

    cdef int load_beliefs(self, OwnedWorkspace workspace) except -1:
        # With message passing, learning needs beliefs by factor that the caller has assigned.
        held = self.held_qs if self.window is None else self.qs
        if held is not None or self.window is not None:
            read_beliefs(self.packed, workspace, held, "qs")
            memcpy(self.state.qs, workspace.work.qs_new,
                   self.state.model.qs_size * sizeof(double))
        return 0

    cdef int execute(self, Task* task, int operations) except -1:
        if self.is_short_step():
            infer(task, 1, operations)
        else:
            with nogil:
                infer(task, 1, operations)
        while begins_again(task.status):
            with nogil:
                infer(task, 1, operations)
        return raise_status(task.status, "a belief or q_pi")

    cdef void keep_results(self, Task* task, int operations) noexcept:
        self.lock.intact = False
        keep(task, operations)
        self.forget_objects(operations)

    # What callers hold of results stays theirs; the agent's are others now.
    cdef void forget_objects(self, int operations) noexcept:
        if operations & INFER_STATES:
            self.held_qs = None
            if self.window is not None:
                self.window.qs = self.window.F = None
        if operations & INFER_POLICIES:
            self.policies.q_pi = self.policies.G = None

    # The array of an action that is not chosen yet.
    cdef object new_action(self):
        cdef double zeros[MAX_FACTORS]
        memset(zeros, 0, sizeof(zeros))
        return new_array(zeros, self.state.model.num_factors)

    # It is the same in the histories.
    cdef void keep_action(self, const Py_ssize_t* action, object array) noexcept:
        cdef double* values = array_data(array)
        cdef Py_ssize_t i
        for i in range(self.state.model.num_factors):
            self.state.action[i] = action[i]
            values[i] = action[i]
        self.state.has_action = True
        self.held_action = array

    cpdef infer_states(self, observation, bint distr_obs=False, bint joint_likelihood=False):
        """Update the beliefs; `joint_likelihood` forces that of `_infer_states_test`."""
        cdef Task task
        cdef OwnedWorkspace workspace = self.begin(&task, observation, distr_obs)
        try:
            task.joint_likelihood |= joint_likelihood
            self.execute(&task, INFER_STATES)
            qs = self.keep_states(&task)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        return qs

    # Beliefs that were inferred just now, as callers get them.
    cdef object keep_states(self, Task* task):
        qs = self._new_qs(task)
        self._add(qs, None, None)
        self.keep_results(task, INFER_STATES)
        self._hold_qs(qs)
        return qs

    # What a call leaves in the histories, with the lock and before its results are kept, because
    # it may fail. None: no such result.
    cdef int _add(self, object qs, object q_pi, object action) except -1:
        cdef Histories histories = self.histories
        entry, self._entry = self._entry, None
        return histories.add(
            entry, qs if histories.qs_hist is not None else None,
            q_pi if histories.q_pi_hist is not None else None, action,
            self.parameters.values.inference_horizon)

    cdef void _hold_qs(self, object qs) noexcept:
        if self.window is None:
            self.held_qs = qs
        else:
            self.window.qs = qs

    # What was inferred just now, as callers get it: made before it is kept, because it may fail.
    cdef object _new_qs(self, Task* task):
        if self.window is None:
            return new_beliefs(self.state.model, task.work.qs_new)
        return self.window.nested_sequences(self.state.model, <double*>task.work.extra.data,
                                            inferred_len(task, True))

    cpdef infer_policies(self):
        """Evaluate all policies from the current beliefs."""
        cdef Task task
        cdef OwnedWorkspace workspace
        if self.window is not None and self.state.infer_len == 0:
            raise NotReadyError("there are no beliefs: call infer_states before infer_policies")
        self.check_terms()
        workspace = self.begin_unobserved(&task)
        try:
            self.execute(&task, INFER_POLICIES)
            q_pi, G = new_q_pi(&task), new_G(&task)
            self._add(None, q_pi, None)
            self.keep_results(&task, INFER_POLICIES)
            self.policies.q_pi, self.policies.G = q_pi, G
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)

    cdef int check_terms(self) except -1:
        if (self.window is not None and self.parameters.values.efe.use_param_info_gain
                and self.packed.model.has_wB):
            raise NotImplementedError(
                "use_param_info_gain with pB and inference_algo 'MMP' (pymdp fails on it)")
        return 0

    cpdef sample_action(self, bint ends_step=False):
        """Choose an action from q_pi, keep it and return it; time advances if it ends a step."""
        cdef Task task
        cdef OwnedWorkspace workspace
        cdef Py_ssize_t action[MAX_FACTORS]
        self.lock.acquire()
        try:
            workspace = self.begin_choice(&task)
            result = self.new_action()
            if ends_step:
                if self.is_window_full_at(self.histories.curr_timestep + 1):
                    self.window.load_sequences(self.packed, workspace, &self.state)
                self._entry = None
                self._add(None, None, result)
            self._choose(&task, action, ends_step)
            self.keep_action(action, result)
            if ends_step:
                self._end_step(task.q_pi)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        return result

    # Draw an action. What stands in the histories is taken away if that fails.
    cdef int _choose(self, Task* task, Py_ssize_t* action, bint has_added) except -1:
        try:
            if has_added and self.is_window_full_at(self.histories.curr_timestep + 1):
                self.prepare_prior(self.histories.curr_timestep + 1)
            draw_action(&self.state, task.choice, &numpy_source, action)
            end_draws()
        except BaseException:
            if has_added:
                self.histories.undo()
            raise
        return 0

    # With the lock, when an action is kept: time, and message passing's next prior.
    cdef void _end_step(self, const double* q_pi) noexcept:
        self.histories.curr_timestep += 1
        if self.is_window_full_at(self.histories.curr_timestep):
            self.next_prior.keep(&self.state, self.window, q_pi)

    cdef OwnedWorkspace begin_choice(self, Task* task):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        task.agent, task.work = &self.state, &workspace.work
        task.q_pi = self.policies.load(&self.state, workspace)
        if are_enumerated(&self.state) or not self.parameters.values.full:
            task.status = prepare_choice(task, False)
        else:  # all policies are evaluated again
            while True:
                with nogil:
                    task.status = prepare_choice(task, False)
                if not begins_again(task.status):
                    break
        raise_status(task.status, "q_pi")
        return workspace

    cpdef step(self, observation, bint distr_obs=False):
        """infer_states, infer_policies and sample_action in one call; without the GIL, but to
        draw random numbers and where a step is brief."""
        cdef Task task
        cdef OwnedWorkspace workspace
        cdef Py_ssize_t action[MAX_FACTORS]
        qs = q_pi = None
        self.check_terms()
        workspace = self.begin(&task, observation, distr_obs)
        try:
            self.execute(&task, STEP)
            if self.histories.qs_hist is not None:
                qs = self._new_qs(&task)
            if self.histories.q_pi_hist is not None:
                q_pi = new_q_pi(&task)
                if not are_enumerated(&self.state):  # in the memory of the choice
                    raise_status(prepare_choice(&task, True), "q_pi")
            result = self.new_action()
            self._add(qs, q_pi, result)
            self._choose(&task, action, True)
            self.keep_results(&task, STEP)
            self.keep_action(action, result)
            if qs is not None:
                self._hold_qs(qs)
            self.policies.q_pi = q_pi
            self._end_step(self.state.q_pi)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        return result
