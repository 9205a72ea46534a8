"""One agent: its memory, what its callers hold of it, its time and histories.

A call reads its input, takes the lock, runs the step's kernels and keeps their results; what the
step does stands in `agent_step`. Results that callers were given stay as they are: each is a new
array, made when it is asked for. Callers may write into the latest ones, as in pymdp.

Random numbers come from NumPy's global generator, by the same draws in the same order as pymdp's,
so that one ``np.random.seed`` gives the same actions.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from freeagent_core._kernels.action.numpy_generator cimport numpy_generator
from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, INFER_STATES, SAMPLE_ACTION,
)
from freeagent_core._kernels.agents.agent_step cimport (
    are_enumerated, draw_action, enumerate_evaluated, infer, keep, prepare_choice,
    set_uniform_beliefs,
)
from freeagent_core._kernels.agents.message_passing_step cimport (
    infer_window_traced, keep_latest_belief, lay_out_window,
)
from freeagent_core._kernels.agents.parameters cimport finite_number
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.inference.message_passing cimport MMPWindow
from freeagent_core._kernels.learning.dirichlet_updates cimport learn_A, learn_B, learn_D, refresh
from freeagent_core._kernels.base.growable_array cimport reserve
from freeagent_core._kernels.model.python_input cimport (
    new_array, new_beliefs, read_action, read_beliefs, read_observation, read_probabilities,
)
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Model
from freeagent_core._kernels.planning.sophisticated cimport search_size

import numpy as np

cdef object _empty = np.empty
# More policies than this are not enumerated unasked (`_model.policies.MAX_POLICIES`).
cdef Py_ssize_t MAX_ENUMERATED = 1 << 24
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
        self._block = NULL

    def __init__(self, PackedModel packed not None, Parameters parameters not None,
                 bint save_belief_hist=False):
        if self._block != NULL:
            raise TypeError("an AgentCore cannot be initialised twice")
        self.parameters = parameters
        self.state.parameters = &parameters.values
        self.lock = StateLock()
        self._prev_obs = []
        self._edge_handling_params = {
            "use_BMA": bool(parameters.values.use_BMA),
            "policy_sep_prior": bool(parameters.values.policy_sep_prior)}
        if save_belief_hist:
            self._qs_hist, self._q_pi_hist = [], []
        self.state.search_size = _search_size(packed, parameters)
        self._allocate(packed)
        self.packed = packed
        set_uniform_beliefs(self.state.model, self.state.qs)
        if parameters.values.passes_messages:
            self.window = Window()
            self.window.begin_episode(&self.state)

    def __dealloc__(self):
        free(self._block)

    cdef int _allocate(self, PackedModel packed) except -1:
        cdef const Model* model = &packed.model
        cdef Py_ssize_t num_enumerated = model.tree.num_enumerated
        cdef Py_ssize_t size = model.qs_size + 2 * num_enumerated + model.num_factors
        cdef double* block
        if num_enumerated == 0:
            size += model.num_controls_total + model.qs_size
        block = <double*>calloc(size, sizeof(double))
        if block == NULL:
            raise MemoryError("no memory for an agent's beliefs")
        self._block = block
        self.state.model = model
        self.state.qs = block
        self.state.q_pi = block + model.qs_size
        self.state.G = self.state.q_pi + num_enumerated
        self.state.action = <Py_ssize_t*>(self.state.G + num_enumerated)
        self.state.evaluated_qs = <double*>(self.state.action + model.num_factors)
        self.state.p_first = self.state.evaluated_qs + model.qs_size
        return 0

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
            self.curr_timestep = 0
            self._qs = None
            set_uniform_beliefs(self.state.model, self.state.qs)
            if self.window is not None:
                self._read_edges()
                self.window.begin_episode(&self.state)

    # --- another model ---------------------------------------------------------------------

    def adopt(self, PackedModel packed not None):
        """Take another model. What fits its shape stays: beliefs and the action where the
        states are the same, the policies' posterior where the policies are as many."""
        cdef OwnedWorkspace workspace
        if self.state.has_policies and not are_enumerated(&self.state):
            if self.packed.model.tree.num_policies <= MAX_ENUMERATED:
                self._enumerate()
        with self.lock:
            if self.window is None:
                workspace = self.packed.acquire_workspace()
                self._load_beliefs(workspace)
            self._adopt(packed, _same_states(self.state.model, &packed.model))

    def _adopt(self, PackedModel packed, bint same_states):
        cdef const Model* model = &packed.model
        cdef AgentState before = self.state
        cdef Py_ssize_t search = _search_size(packed, self.parameters)
        cdef bint same_policies = before.model.tree.num_policies == model.tree.num_policies
        cdef void* block = self._block
        self._allocate(packed)
        if same_policies and same_states and before.has_policies:
            # of policies that are not enumerated in either model there are the objects alone
            if are_enumerated(&before) and model.tree.num_enumerated:
                memcpy(self.state.q_pi, before.q_pi, model.tree.num_enumerated * sizeof(double))
                memcpy(self.state.G, before.G, model.tree.num_enumerated * sizeof(double))
            else:
                self.state.has_policies = self._q_pi is not None
        else:
            self._q_pi = self._G = None
            self.state.has_policies = False
        if same_states:
            memcpy(self.state.qs, before.qs, model.qs_size * sizeof(double))
            memcpy(self.state.action, before.action, model.num_factors * sizeof(Py_ssize_t))
        else:
            self._qs = self._action = None
            self.state.has_action = False
            set_uniform_beliefs(self.state.model, self.state.qs)
        self.state.search_size = search
        self.state.learned, self.learned, self.packed = NULL, None, packed
        free(block)
        if self.window is None:
            return
        if not same_states:
            self.window.begin_episode(&self.state)
        elif not same_policies:
            self.state.infer_len = 0
            self.window.qs = self.window.F = None

    # --- state that callers read and assign ----------------------------------------------

    @property
    def qs(self):
        """Beliefs, an object array of one float64 array per factor; with message passing
        [policy][step][factor]."""
        if self.window is not None:
            if self.window.qs is None and self.state.infer_len:
                self.window.qs = self.window.nested_sequences(&self.state)
            return self.window.qs
        if self._qs is None:
            self._qs = new_beliefs(self.state.model, self.state.qs)
        return self._qs

    @qs.setter
    def qs(self, value):
        cdef OwnedWorkspace workspace
        if self.window is not None:
            before, self.window.qs = self.qs, value
            if self.state.infer_len:
                workspace = self.packed.acquire_workspace()
                try:
                    self.window.load_sequences(self.packed, workspace, &self.state)
                except BaseException:
                    self.window.qs = before
                    raise
            return
        workspace = self.packed.acquire_workspace()
        read_beliefs(self.packed, workspace, value, "qs")
        self._qs = value

    # Make the objects of q_pi and G.
    cdef int _enumerate(self) except -1:
        cdef Py_ssize_t n = self.state.model.tree.num_policies
        cdef OwnedWorkspace workspace
        cdef int status
        if self._q_pi is not None and self._G is not None:
            return 0
        if not self.state.has_policies:
            raise AttributeError("q_pi and G are not set before infer_policies")
        if are_enumerated(&self.state):
            if self._q_pi is None:
                self._q_pi = new_array(self.state.q_pi, n)
            if self._G is None:
                self._G = new_array(self.state.G, n)
            return 0
        with self.lock:
            workspace = self.packed.acquire_workspace()
            with nogil:
                status = enumerate_evaluated(&self.state, &workspace.work)
            raise_status(status, "G")
            if self._q_pi is None:
                self._q_pi = new_array(<double*>workspace.work.graph.enumerated_q_pi.data, n)
            if self._G is None:
                self._G = new_array(<double*>workspace.work.graph.enumerated_G.data, n)
            self.packed.release_workspace(workspace)
        return 0

    @property
    def q_pi(self):
        """Posterior over policies, float64 of shape (num_policies,)."""
        if self._q_pi is None:
            self._enumerate()
        return self._q_pi

    @q_pi.setter
    def q_pi(self, value):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        self._read_q_pi(workspace, value)
        self._q_pi = value

    @property
    def G(self):
        """Negative expected free energy per policy in nats, float64 of shape (num_policies,)."""
        if self._G is None:
            self._enumerate()
        return self._G

    @G.setter
    def G(self, value):
        self._G = value

    @property
    def F(self):
        """Variational free energy of each policy in nats, float64 of shape (num_policies,)."""
        if self.window is None:
            raise AttributeError("F belongs to inference_algo 'MMP'")
        if self.window.F is None:
            self.window.F = self.window.free_energies(&self.state)
        return self.window.F

    @F.setter
    def F(self, value):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        if self.window is None or self.state.infer_len == 0:
            raise AttributeError("F is set after infer_states with inference_algo 'MMP'")
        array = np.asarray(value)
        if array.shape != (self.state.model.tree.num_policies,):
            raise ValueError(f"F must have shape ({self.state.model.tree.num_policies},), "
                             f"got {array.shape}")
        before, self.window.F = self.F, value
        try:
            self.window.load_sequences(self.packed, workspace, &self.state)
        except BaseException:
            self.window.F = before
            raise

    @property
    def action(self):
        """The last action, float64 of shape (num_factors,), or None before the first."""
        return self._action

    @action.setter
    def action(self, value):
        cdef OwnedWorkspace workspace
        if value is not None:
            workspace = self.packed.acquire_workspace()
            read_action(self.packed, workspace, value)
        self._action = value

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
        if self.window.latest_belief is None and not self.window.prior_is_D:
            self.window.latest_belief = self.window.nested_prior(&self.state)
        return self.window.latest_belief

    @latest_belief.setter
    def latest_belief(self, value):
        cdef Py_ssize_t p
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        if self.window is None:
            raise AttributeError("latest_belief belongs to inference_algo 'MMP'")
        try:
            by_policy = len(value) and isinstance(value[0], np.ndarray) and (
                value[0].dtype == object)
        except TypeError:
            raise TypeError(f"latest_belief must be an object array, got {value!r:.80}") from None
        if not by_policy:
            read_beliefs(self.packed, workspace, value, "latest_belief")
        else:
            if len(value) != self.state.model.tree.num_policies:
                raise ValueError("latest_belief must have an entry per policy "
                                 f"({self.state.model.tree.num_policies}), got {len(value)}")
            for p in range(self.state.model.tree.num_policies):
                read_beliefs(self.packed, workspace, value[p], f"latest_belief[{p}]")
        self.window.latest_belief = value
        self.window.prior_is_D = False

    # --- time and histories ----------------------------------------------------------------

    @property
    def prev_obs(self):
        """Observations of all steps, with message passing."""
        return self._prev_obs

    @prev_obs.setter
    def prev_obs(self, value):
        if not isinstance(value, list):
            raise TypeError(f"prev_obs must be a list, got {type(value).__name__}")
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        for entry in value:
            read_observation(self.packed, workspace, entry, not isinstance(entry, tuple))
        self._prev_obs = value

    @property
    def prev_actions(self):
        """Actions of all steps, a list; None before the first."""
        return self._prev_actions

    @prev_actions.setter
    def prev_actions(self, value):
        cdef OwnedWorkspace workspace
        if value is not None:
            if not isinstance(value, list):
                raise TypeError(f"prev_actions must be a list or None, got {type(value).__name__}")
            workspace = self.packed.acquire_workspace()
            for t, action in enumerate(value):
                try:
                    read_action(self.packed, workspace, action)
                except (TypeError, ValueError) as error:
                    raise type(error)(f"prev_actions[{t}]: {error}") from None
        self._prev_actions = value

    @property
    def qs_hist(self):
        """Beliefs of all steps, or None without `save_belief_hist`."""
        return self._qs_hist

    @qs_hist.setter
    def qs_hist(self, value):
        cdef OwnedWorkspace workspace
        if value is not None:
            if not isinstance(value, list):
                raise TypeError(f"qs_hist must be a list, got {type(value).__name__}")
            workspace = self.packed.acquire_workspace()
            for t, qs in enumerate(value if self.window is None else ()):
                read_beliefs(self.packed, workspace, qs, f"qs_hist[{t}]")
        self._qs_hist = value

    @property
    def q_pi_hist(self):
        """Policy posteriors of the last steps, or None without `save_belief_hist`."""
        return self._q_pi_hist

    @q_pi_hist.setter
    def q_pi_hist(self, value):
        if value is not None and not isinstance(value, list):
            raise TypeError(f"q_pi_hist must be a list, got {type(value).__name__}")
        self._q_pi_hist = value

    @property
    def edge_handling_params(self):
        """`use_BMA` and `policy_sep_prior`: which prior message passing's next window gets."""
        return self._edge_handling_params

    @edge_handling_params.setter
    def edge_handling_params(self, value):
        if not isinstance(value, dict) or not {"use_BMA", "policy_sep_prior"} <= value.keys():
            raise ValueError("edge_handling_params must be a dict with 'use_BMA' and "
                             f"'policy_sep_prior', got {value!r:.80}")
        self._edge_handling_params = value

    cdef int note_observation(self, object observation, bint distr_obs) except -1:
        if self.window is not None:
            self._prev_obs.append(_as_entry(observation, distr_obs,
                                            self.state.model.num_modalities))
        return 0

    cdef int note_results(self, int operations) except -1:
        if operations & INFER_STATES and self._qs_hist is not None:
            self._qs_hist.append(self.qs)
        if operations & INFER_POLICIES and self._q_pi_hist is not None:
            self._q_pi_hist.append(self.q_pi)
            horizon = self.parameters.values.inference_horizon
            if len(self._q_pi_hist) > horizon:
                self._q_pi_hist = self._q_pi_hist[-(horizon - 1):]
        return 0

    cpdef advance(self, action):
        """Append the action to `prev_actions` and advance time by a step."""
        if self._prev_actions is None:
            self._prev_actions = []
        self._prev_actions.append(action)
        self.curr_timestep += 1

    @property
    def window_is_full(self):
        """Whether message passing's window has all its steps: its first beliefs are a prior."""
        return (self.window is not None
                and self.curr_timestep >= self.parameters.values.inference_horizon)

    cpdef set_latest_belief(self):
        """Make the first beliefs of message passing's sequences the next window's prior."""
        cdef OwnedWorkspace workspace
        cdef Py_ssize_t begin = self.curr_timestep - self.parameters.values.inference_horizon
        cdef const double* q_pi = NULL
        with self.lock:
            workspace = self.packed.acquire_workspace()
            self._read_edges()
            average = self.parameters.values.use_BMA and begin >= 0
            self.window.load_sequences(self.packed, workspace, &self.state)
            if average:
                # pymdp shortens its history, and then fails where the entry is gone
                if self._q_pi_hist:
                    past = np.asarray(self._q_pi_hist[min(begin, len(self._q_pi_hist) - 1)])
                    n = self.state.model.tree.num_policies
                    if len(past) != n:  # of other policies: as many as both have count
                        past = np.pad(past[:n], (0, max(n - len(past), 0)))
                    read_probabilities(past, n, workspace.work.q_pi_new, "q_pi_hist")
                    q_pi = workspace.work.q_pi_new
                else:
                    q_pi = self._load_q_pi(workspace)
            self.window.reserve_priors(
                &self.state, 1 if average else self.state.model.tree.num_policies)
            keep_latest_belief(&self.state, q_pi, average)
            self.window.latest_belief, self.window.prior_is_D = None, False
            self.packed.release_workspace(workspace)

    cpdef keep_prior(self):
        """Let message passing's prior stay what it is where it was D, which becomes another."""
        cdef OwnedWorkspace workspace
        if self.window is not None and self.window.prior_is_D:
            workspace = self.packed.acquire_workspace()
            self.window.load_prior(self.packed, workspace, &self.state)
            self.window.prior_is_D = False

    def _read_edges(self):
        edges = self._edge_handling_params
        self.parameters.values.use_BMA = edges["use_BMA"]
        self.parameters.values.policy_sep_prior = edges["policy_sep_prior"]

    # --- learning ------------------------------------------------------------------------

    def begin_learning(self, LearnedModel learned not None):
        """Take over a copy of the present model that `update_A`, `update_B` and `update_D`
        write to."""
        with self.lock:
            if learned.shared is not self.packed:
                raise ValueError("the learned model must be one of this agent's model")
            self.learned = self.packed = learned
            self.state.learned = &learned.own
            self.state.model = &learned.model

    cdef LearnedModel _learner(self):
        if self.learned is None:
            raise ValueError("call begin_learning before an update")
        # policies are not enumerated yet: once the model has changed they could not be any more
        if self.state.has_policies and not are_enumerated(&self.state):
            if self.packed.model.tree.num_policies <= MAX_ENUMERATED:
                self._enumerate()
            else:
                self.state.has_policies = False
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
        cdef bint vectors
        _check_length(len(to_learn), learned.model.num_modalities)
        vectors = read_observation(learned, workspace, observation, True)
        with self.lock:
            self._load_beliefs(workspace)
            learned.prepare_A()
            learn_A(&learned.own, vectors, self.state.qs, wanted, rate, &workspace.work)
            # before callers can write into pA, of which A is the mean as it is now
            refresh(&learned.own, &workspace.work)
        learned.release_workspace(workspace)
        return learned.pA

    cpdef update_B(self, qs_previous, bytes to_learn, lr):
        """Learn from the beliefs before and after the last action. Return pB."""
        cdef LearnedModel learned = self._learner()
        cdef OwnedWorkspace workspace = learned.acquire_workspace()
        cdef double rate = finite_number(lr, "lr_pB")
        cdef const unsigned char* wanted = to_learn
        _check_length(len(to_learn), learned.model.num_factors)
        read_beliefs(learned, workspace, qs_previous, "qs_prev")
        memcpy(workspace.work.prior, workspace.work.qs_new, learned.model.qs_size * sizeof(double))
        with self.lock:
            read_action(self.packed, workspace, self._action)
            self._load_beliefs(workspace)
            learned.prepare_B()
            learn_B(&learned.own, workspace.work.action, self.state.qs, workspace.work.prior, wanted,
                    rate, &workspace.work)
            refresh(&learned.own, &workspace.work)
        learned.release_workspace(workspace)
        return learned.pB

    cpdef update_D(self, qs_first, bytes to_learn, lr):
        """Learn from the beliefs at the first step. Return pD."""
        cdef LearnedModel learned = self._learner()
        cdef OwnedWorkspace workspace = learned.acquire_workspace()
        cdef double rate = finite_number(lr, "lr_pD")
        cdef const unsigned char* wanted = to_learn
        _check_length(len(to_learn), learned.model.num_factors)
        read_beliefs(learned, workspace, qs_first, "qs_t0")
        with self.lock:
            learned.prepare_D()
            learn_D(&learned.own, workspace.work.qs_new, wanted, rate)
        learned.release_workspace(workspace)
        return learned.pD

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
        while True:
            packed = self.packed
            workspace = packed.acquire_workspace()
            task.observation.vectors = read_observation(packed, workspace, observation, distr_obs)
            task.observation.outcomes = workspace.work.observation
            task.observation.distributions = workspace.work.outcome_probabilities
            self.lock.acquire()
            self.lock.intact = True
            if self.packed is packed:
                break
            self.lock.release()
            packed.release_workspace(workspace)
        try:
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
            self.state.has_action = self._action is not None
            if observed and self.state.has_action:
                read_action(self.packed, workspace, self._action)
                memcpy(self.state.action, workspace.work.action,
                       self.state.model.num_factors * sizeof(Py_ssize_t))
            if not observed or self.state.has_action:
                self._load_beliefs(workspace)
            return 0
        if not observed:
            return self.window.load_sequences(self.packed, workspace, &self.state)
        self._read_edges()
        self.window.load_history(self.packed, workspace, &self.state, self._prev_obs,
                                 self._prev_actions, &task.observation)
        task.history = &self.window.history
        self.window.load_prior(self.packed, workspace, &self.state)
        self.window.reserve_sequences(
            &self.state, self.window.history.num_steps + 1 + self.state.model.tree.policy_len)
        return 0

    cdef int _load_beliefs(self, OwnedWorkspace workspace) except -1:
        if self.window is not None:  # learning takes the beliefs about the present: an error
            read_beliefs(self.packed, workspace, self.qs, "qs")
        elif self._qs is not None:
            read_beliefs(self.packed, workspace, self._qs, "qs")
            memcpy(self.state.qs, workspace.work.qs_new,
                   self.state.model.qs_size * sizeof(double))
        return 0

    # NULL for policies that are not enumerated, where the caller has assigned none.
    cdef const double* _load_q_pi(self, OwnedWorkspace workspace) except? NULL:
        if self._q_pi is not None:
            return self._read_q_pi(workspace, self._q_pi)
        if not self.state.has_policies:
            raise AttributeError("q_pi is not set: call infer_policies before sample_action")
        return self.state.q_pi if are_enumerated(&self.state) else NULL

    cdef const double* _read_q_pi(self, OwnedWorkspace workspace, object value) except NULL:
        cdef Py_ssize_t n = self.state.model.tree.num_policies
        cdef double* q_pi = workspace.work.q_pi_new
        if not are_enumerated(&self.state):
            if reserve(&workspace.work.graph.enumerated_q_pi, n * <Py_ssize_t>sizeof(double)) != 0:
                raise MemoryError(f"no memory for q_pi of {n} policies")
            q_pi = <double*>workspace.work.graph.enumerated_q_pi.data
        read_probabilities(value, n, q_pi, "q_pi")
        return q_pi

    cdef int execute(self, Task* task, int operations) except -1:
        if self.is_short_step():
            infer(task, 1, operations)
        else:
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
            self._qs = None
            if self.window is not None:
                self.window.qs = self.window.F = None
        if operations & INFER_POLICIES:
            self._q_pi = self._G = None

    cdef object keep_action(self, const Py_ssize_t* action):
        cdef double values[MAX_FACTORS]
        cdef Py_ssize_t i
        for i in range(self.state.model.num_factors):
            self.state.action[i] = action[i]
            values[i] = action[i]
        self.state.has_action = True
        self._action = new_array(values, self.state.model.num_factors)
        return self._action

    cpdef infer_states(self, observation, bint distr_obs=False, bint joint_likelihood=False):
        """Update the beliefs; `joint_likelihood` forces that of `_infer_states_test`."""
        cdef Task task
        cdef OwnedWorkspace workspace = self.begin(&task, observation, distr_obs)
        try:
            task.joint_likelihood |= joint_likelihood
            self.execute(&task, INFER_STATES)
            self.keep_results(&task, INFER_STATES)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        self.note_observation(observation, distr_obs)
        self.note_results(INFER_STATES)
        return self.qs

    cpdef infer_policies(self):
        """Evaluate all policies from the current beliefs."""
        cdef Task task
        cdef OwnedWorkspace workspace
        if self.window is not None and self.state.infer_len == 0:
            raise AttributeError("there are no beliefs: call infer_states before infer_policies")
        self._check_terms()
        workspace = self.begin_unobserved(&task)
        try:
            self.execute(&task, INFER_POLICIES)
            self.keep_results(&task, INFER_POLICIES)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        self.note_results(INFER_POLICIES)

    cdef int _check_terms(self) except -1:
        if (self.window is not None and self.parameters.values.efe.use_param_info_gain
                and self.packed.model.has_wB):
            raise NotImplementedError(
                "use_param_info_gain with pB and inference_algo 'MMP' (pymdp fails on it)")
        return 0

    cpdef sample_action(self):
        """Choose an action from q_pi, keep it and return it."""
        cdef Task task
        cdef OwnedWorkspace workspace
        cdef Py_ssize_t action[MAX_FACTORS]
        self.lock.acquire()
        try:
            workspace = self._begin_choice(&task)
            numpy_generator.acquire()
            draw_action(&self.state, task.choice, &numpy_generator.source, action)
            numpy_generator.release()
            result = self.keep_action(action)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        return result

    cdef OwnedWorkspace _begin_choice(self, Task* task):
        cdef OwnedWorkspace workspace = self.packed.acquire_workspace()
        task.agent, task.work = &self.state, &workspace.work
        task.q_pi = self._load_q_pi(workspace)
        if are_enumerated(&self.state) or not self.parameters.values.full:
            task.status = prepare_choice(task, False)
        else:  # all policies are evaluated again
            with nogil:
                task.status = prepare_choice(task, False)
        raise_status(task.status, "q_pi")
        return workspace

    cpdef step(self, observation, bint distr_obs=False):
        """infer_states, infer_policies and sample_action in one call; without the GIL, but to
        draw random numbers and where a step is brief. Time does not advance."""
        cdef Task task
        cdef OwnedWorkspace workspace
        cdef Py_ssize_t action[MAX_FACTORS]
        self._check_terms()
        workspace = self.begin(&task, observation, distr_obs)
        try:
            self.execute(&task, STEP)
            numpy_generator.acquire()
            draw_action(&self.state, task.choice, &numpy_generator.source, action)
            numpy_generator.release()
            self.keep_results(&task, STEP)
            result = self.keep_action(action)
        finally:
            self.lock.release()
        self.packed.release_workspace(workspace)
        self.end_step(observation, distr_obs, result)
        return result

    # After a whole step: histories and time.
    cdef int end_step(self, object observation, bint distr_obs, object action) except -1:
        self.note_observation(observation, distr_obs)
        self.note_results(STEP)
        return self.end_sample(action)

    # After an action was chosen: time, and message passing's next prior.
    cdef int end_sample(self, object action) except -1:
        self.advance(action)
        if self.window is not None and self.window_is_full:
            self.set_latest_belief()
        return 0

    def action_distribution(self):
        """Return what `sample_action` draws from: an array over policies ("full") or an
        object array of one array per factor ("marginal")."""
        cdef Task task
        cdef OwnedWorkspace workspace
        cdef const Model* model
        cdef Py_ssize_t i
        with self.lock:
            workspace = self._begin_choice(&task)
            model = self.state.model
            if self.parameters.values.full:
                return new_array(task.choice, model.tree.num_policies)
            p_actions = _empty(model.num_factors, object)
            for i in range(model.num_factors):
                p_actions[i] = new_array(task.choice + model.factors[i].control_offset,
                                         model.factors[i].num_controls)
            return p_actions

    def infer_traces(self, observation, bint distr_obs):
        """Infer the beliefs of all policies from the joint likelihood of all modalities.

        Returns
        -------
        xn, vn : ndarray of float64, shape (num_policies, num_iter, infer_len, qs_size)
            Beliefs and errors of each iteration.
        """
        cdef Task task
        cdef MMPWindow window
        cdef OwnedWorkspace workspace = self.begin(&task, observation, distr_obs)
        cdef double[:, :, :, ::1] xn
        cdef double[:, :, :, ::1] vn
        try:
            task.joint_likelihood = True
            raise_status(lay_out_window(&task, &window), "the window")
            shape = (self.state.model.tree.num_policies, self.parameters.values.mmp.num_iter,
                     window.infer_len, self.state.model.qs_size)
            xn, vn = np.zeros(shape), np.zeros(shape)
            with nogil:
                task.status = infer_window_traced(&task, &window, &xn[0, 0, 0, 0],
                                                  &vn[0, 0, 0, 0])
            raise_status(task.status, "a belief or F")
            self.keep_results(&task, INFER_STATES)
        finally:
            self.lock.release()
        self.note_observation(observation, distr_obs)
        self.note_results(INFER_STATES)
        return np.asarray(xn), np.asarray(vn)

    # --- copies ----------------------------------------------------------------------------

    def get_state(self):
        """Return what `set_state` of a core of an equal model takes."""
        names = ["action", "curr_timestep", "prev_obs", "prev_actions", "qs_hist", "q_pi_hist",
                 "edge_handling_params"]
        if self.window is None or self.window.qs is not None or self.state.infer_len:
            names.append("qs")
        # of policies that nobody could enumerate nothing is kept: they are evaluated again
        if self._q_pi is not None or (
                self.state.has_policies
                and self.state.model.tree.num_policies <= MAX_ENUMERATED):
            names += ["q_pi", "G"]
        state = {name: getattr(self, name) for name in names}
        if self.window is not None:
            state["infer_len"] = self.state.infer_len
            if self.state.infer_len:
                state["F"] = self.F
            state["latest_belief"] = self.latest_belief
        return state

    def set_state(self, dict state):
        """Take over the state of another core."""
        for name in ("action", "curr_timestep", "prev_obs", "prev_actions", "qs_hist",
                     "q_pi_hist", "edge_handling_params"):
            setattr(self, name, state[name])
        if self.window is not None and state["infer_len"]:
            self.state.infer_len = state["infer_len"]
            self.window.reserve_sequences(&self.state, self.state.infer_len)
        if "qs" in state:
            self.qs = state["qs"]
        if self.window is not None:
            if state["infer_len"]:
                self.F = state["F"]
            if state["latest_belief"] is not None:
                self.latest_belief = state["latest_belief"]
        if "q_pi" in state:
            self.q_pi, self._G = state["q_pi"], state["G"]
            if are_enumerated(&self.state):
                read_probabilities(self._q_pi, self.state.model.tree.num_policies,
                                   self.state.q_pi, "q_pi")
                self.state.has_policies = True


cdef Py_ssize_t _search_size(PackedModel packed, Parameters parameters) except -1:
    if parameters.values.search.horizon == 0:
        return 0
    return search_size(&packed.model, parameters.values.search.horizon)


cdef bint _same_states(const Model* a, const Model* b) noexcept:
    cdef Py_ssize_t i
    if a.num_factors != b.num_factors:
        return False
    for i in range(a.num_factors):
        if a.factors[i].num_states != b.factors[i].num_states:
            return False
    return True


cdef int _check_length(Py_ssize_t length, Py_ssize_t expected) except -1:
    if length != expected:
        raise ValueError(f"to_learn must have {expected} entries, got {length}")
    return 0


# As pymdp keeps an observation: a tuple, or distributions in another container.
cdef object _as_entry(object observation, bint distr_obs, Py_ssize_t num_modalities):
    if distr_obs:
        return list(observation) if isinstance(observation, tuple) else observation
    if isinstance(observation, (list, tuple)) or (
            isinstance(observation, np.ndarray) and observation.ndim == 1
            and (observation.dtype == object or observation.dtype.kind in "iu")
            and len(observation) == num_modalities):
        return tuple(observation)
    return (observation,)
