"""The state of many agents of one model, in contiguous arrays, and their step in parallel.

An agent's results go to the thread's workspace first and are copied to its rows when
all of its kernels have returned without an error: a failed step leaves the agent as it was.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from freeagent_core._kernels.action.action_selection cimport count_best, nth_best
from freeagent_core._kernels.base.status cimport NO_MEMORY, raise_status
from freeagent_core._kernels.action.agent_generator cimport below, categorical
from freeagent_core._kernels.agents.agent_step cimport (
    action_probabilities, are_enumerated, infer_policies, infer_states, keep_policies, enumerate_evaluated,
)
from freeagent_core._kernels.learning.dirichlet_updates cimport learn_A, learn_B, learn_D, refresh
from freeagent_core._kernels.learning.learned_model cimport LearnedModel
from freeagent_core._kernels.model.structs cimport AGENTS_PER_GEMM, Factor, first_action
from freeagent_core._kernels.planning.policy_tree cimport evaluate_trees
from freeagent_core._kernels.model.python_input cimport new_array
from freeagent_core._kernels.planning.sophisticated cimport search_size
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace

import numpy as np

cdef class PopulationCore(ParallelWork):
    """`size` agents of one packed model.

    Parameters
    ----------
    packed : PackedModel
    size : int
    parameters : dict
        ``num_iter, dF, dF_tol, compute_vfe`` of the iteration; ``gamma, use_utility,
        use_states_info_gain, use_param_info_gain``; ``alpha, stochastic, full,
        tie_tolerance, first_of_ties, joint_likelihood``; ``search``, None or what
        `AgentCore.set_search` takes.
    """

    def __cinit__(self):
        self._models = NULL
        self._learned = NULL

    def __dealloc__(self):
        free(self._models)
        free(self._learned)

    def __init__(self, PackedModel packed not None, Py_ssize_t size, dict parameters):
        cdef Model* model = &packed.model
        cdef Py_ssize_t i
        if self._models != NULL:
            raise TypeError("a PopulationCore cannot be initialised twice")
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self.packed, self.size, self.state = packed, size, {}
        cdef double[:, ::1] qs = self._new_state("qs", model.qs_size, np.float64)
        cdef double[:, ::1] q_pi = self._new_state("q_pi", model.tree.num_enumerated, np.float64)
        cdef double[:, ::1] G = self._new_state("G", model.tree.num_enumerated, np.float64)
        cdef double[:, ::1] p_first
        cdef double[:, ::1] evaluated_qs
        cdef Py_ssize_t[:, ::1] action = self._new_state("action", model.num_factors, np.intp)
        cdef unsigned char[:, ::1] has_action = self._new_state("has_action", 1, np.uint8)
        cdef unsigned char[:, ::1] has_policies = self._new_state("has_policies", 1, np.uint8)
        cdef Py_ssize_t[:, ::1] time = self._new_state("time", 1, np.intp)
        cdef uint64_t[:, ::1] random = self._new_state("random", 4, np.uint64)
        self._qs = &qs[0, 0]
        if model.tree.num_enumerated:
            self._q_pi, self._G = &q_pi[0, 0], &G[0, 0]
        else:
            p_first = self._new_state("p_first", model.num_controls_total, np.float64)
            evaluated_qs = self._new_state("evaluated_qs", model.qs_size, np.float64)
            self._p_first, self._evaluated_qs = &p_first[0, 0], &evaluated_qs[0, 0]
        self._action, self._has_action = &action[0, 0], &has_action[0, 0]
        self._has_policies, self._time = &has_policies[0, 0], &time[0, 0]
        self._random = &random[0, 0]
        self._status = np.zeros(size, dtype=np.uint8)
        self._models = <const Model**>calloc(size, sizeof(void*))
        if self._models == NULL:
            raise MemoryError("no memory for the population")
        for i in range(size):
            self._models[i] = model
        self._set_parameters(parameters)
        self.together = 1
        if self._shares_products():
            self.together = AGENTS_PER_GEMM

    # Dense transitions and groups of one factor: reading a matrix once for several agents pays.
    # (Factors that are summed out one by one share little: 3 factors of 8 gained nothing.)
    cdef bint _shares_products(self):
        cdef Py_ssize_t g
        for g in range(self.packed.model.num_groups):
            if self.packed.model.groups[g].num_factors > 1:
                return False
        return not self.packed.uses_belief_graph and self._search_size == 0

    cdef object _new_state(self, str name, shape, dtype):
        self.state[name] = np.zeros((self.size, shape), dtype=dtype)
        return self.state[name]

    def _set_parameters(self, dict parameters):
        self._common.efe.gamma = parameters["gamma"]
        self._common.efe.use_utility = parameters["use_utility"]
        self._common.efe.use_states_info_gain = parameters["use_states_info_gain"]
        self._common.efe.use_param_info_gain = parameters["use_param_info_gain"]
        self._common.alpha = parameters["alpha"]
        self._common.stochastic = parameters["stochastic"]
        self._common.full = parameters["full"]
        self._common.tie_tolerance = parameters["tie_tolerance"]
        self._common.first_of_ties = parameters["first_of_ties"]
        self._common.joint_likelihood = parameters["joint_likelihood"]
        self._set_inference(parameters)

    def _set_inference(self, dict parameters):
        self._common.fpi.num_iter = parameters["num_iter"]
        self._common.fpi.dF = parameters["dF"]
        self._common.fpi.dF_tol = parameters["dF_tol"]
        self._common.fpi.compute_vfe = parameters["compute_vfe"]
        search = parameters["search"]
        if search is None:
            return
        self._common.search.horizon = search[0]
        self._common.search.policy_prune_threshold = search[1]
        self._common.search.state_prune_threshold = search[2]
        self._common.search.prune_penalty = search[3]
        self._common.search.gamma = 1.0  # pymdp's agent gives the search no other
        self._search_size = search_size(&self.packed.model, self._common.search.horizon)

    # --- one operation on all agents -------------------------------------------------------

    def prepare(self, int operations, Py_ssize_t chunk, Py_ssize_t num_threads, observations=None, mask=None,
                given_qs=None, to_learn=None, double lr=1.0):
        """Check and keep what an operation reads; `finish` then carries it out.

        Parameters
        ----------
        operations : int
            Sum of the `Operation`s; those that learn come alone.
        chunk : int
            Agents that a thread takes at once.
        num_threads : int
        observations : ndarray of intp, shape (size, num_modalities)
        mask : ndarray of uint8, shape (size,), or None
            0 for agents that stay as they are.
        given_qs : ndarray of float64, shape (size, qs_size)
            Beliefs that learning starts from.
        to_learn : bytes
            Per modality (A) or factor (B, D), 1 to learn it.
        lr : float
        """
        cdef Py_ssize_t i, m, num_modalities = self.packed.model.num_modalities
        cdef const Py_ssize_t[:, ::1] outcomes
        cdef const unsigned char[::1] present
        cdef const double[:, ::1] beliefs
        cdef const unsigned char[::1] wanted
        self._mask = NULL
        if mask is not None:
            present = mask
            _check_rows(present.shape[0], self.size, "mask")
            self._mask = &present[0]
        if observations is not None:
            outcomes = observations
            _check_rows(outcomes.shape[0], self.size, "observations")
            _check_rows(outcomes.shape[1], num_modalities, "observations[0]")
            for i in range(self.size):
                if self._mask != NULL and not self._mask[i]:
                    continue
                for m in range(num_modalities):
                    if not 0 <= outcomes[i, m] < self.packed.model.modalities[m].num_obs:
                        raise ValueError(
                            f"observations[{i}, {m}] must be in 0 to "
                            f"{self.packed.model.modalities[m].num_obs - 1}, got {outcomes[i, m]}")
            self._observations = &outcomes[0, 0]
        elif operations & (INFER_STATES | LEARN_A):
            raise ValueError("observations are needed")
        if operations & SAMPLE_ACTION and not operations & INFER_POLICIES:
            self._check_each(self._has_policies, "infer_policies", "sample_action")
        if operations & LEARN_B:
            self._check_each(self._has_action, "sample_action", "update_B")
        if operations & (LEARN_B | LEARN_D):
            beliefs = given_qs
            _check_rows(beliefs.shape[0], self.size, "beliefs")
            _check_rows(beliefs.shape[1], self.packed.model.qs_size, "beliefs[0]")
            self._given_qs = &beliefs[0, 0]
        if operations & (LEARN_A | LEARN_B | LEARN_D):
            wanted = to_learn
            _check_rows(wanted.shape[0], num_modalities if operations == LEARN_A
                        else self.packed.model.num_factors, "to_learn")
            self._to_learn = &wanted[0]
            self._lr = lr
            self._own(operations)
        self._check_ready(operations)
        memset(&self._status[0], 0, self.size)
        self._operations = operations
        self.provide(num_threads, [self.packed] * self.together, self._extra_size())
        self.arm(self.size, max(chunk, 1), 0)

    cdef int _check_ready(self, int operations) except -1:
        return 0

    cdef int _check_each(self, const unsigned char* flags, str before, str name) except -1:
        cdef Py_ssize_t i
        for i in range(self.size):
            if not flags[i] and (self._mask == NULL or self._mask[i]):
                raise ValueError(f"agent {i} needs a {before} before {name}")
        return 0

    def any_failed(self):
        """Return whether the last operation failed for an agent."""
        cdef Py_ssize_t i
        for i in range(self.size):
            if self._status[i]:
                return True
        return False

    def failed(self):
        """Return the agents whose last operation failed, and whether one ran out of memory."""
        status = np.asarray(self._status)
        return np.flatnonzero(status), bool((status == -NO_MEMORY).any())

    def enumerate_policies(self, Py_ssize_t i):
        """Return q_pi and G of agent i, arrays over all policies: where they are too many to
        keep, evaluated again from the beliefs they were evaluated from last."""
        cdef OwnedWorkspace workspace
        cdef AgentState agent
        cdef int status
        if not 0 <= i < self.size:
            raise IndexError(f"agent {i} is not in 0 to {self.size - 1}")
        if not self._has_policies[i]:
            raise ValueError(f"agent {i} needs an infer_policies before its policies are listed")
        workspace = self.packed.acquire_workspace()
        try:
            agent = self._agent(i, NULL)
            n = self.packed.model.tree.num_policies
            if are_enumerated(&agent):
                return new_array(agent.q_pi, n), new_array(agent.G, n)
            with nogil:
                status = enumerate_evaluated(&agent, &workspace.work)
            raise_status(status, "G")
            return (new_array(<double*>workspace.work.graph.enumerated_q_pi.data, n),
                    new_array(<double*>workspace.work.graph.enumerated_G.data, n))
        finally:
            self.packed.release_workspace(workspace)

    cdef Py_ssize_t _extra_size(self):
        return self._search_size

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works,
                   double* extra) noexcept nogil:
        cdef Py_ssize_t i
        if self.together > 1 and self._operations < LEARN_A and self._learned == NULL:
            while start < stop:
                i = min(start + self.together, stop)
                self._step_together(start, i, works, extra)
                start = i
            return
        for i in range(start, stop):
            if self._mask != NULL and not self._mask[i]:
                continue
            if self._operations < LEARN_A:
                self._status[i] = <unsigned char>(-self._step(i, works[0], extra))
            else:
                self._learn(i, works[0])

    # Agent i, with the memory of this thread.
    cdef AgentState _agent(self, Py_ssize_t i, double* extra) noexcept nogil:
        cdef AgentState agent = self._common
        cdef const Model* model = self._models[i]
        agent.model = model
        agent.learned = self._learned[i] if self._learned != NULL else NULL
        agent.search_memory = extra if self._search_size else NULL
        agent.qs = self._qs + i * model.qs_size
        agent.evaluated_efe = agent.efe
        if are_enumerated(&agent):
            agent.q_pi = self._q_pi + i * model.tree.num_enumerated
            agent.G = self._G + i * model.tree.num_enumerated
        else:
            agent.p_first = self._p_first + i * model.num_controls_total
            agent.evaluated_qs = self._evaluated_qs + i * model.qs_size
        return agent

    cdef int _step(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil:
        cdef AgentState agent = self._agent(i, extra)
        cdef const double* qs = agent.qs
        cdef int status
        if self._operations & INFER_STATES:
            status = self._infer_states(i, &agent, work, extra)
            if status != 0:
                return status
            qs = work.qs_new
        if self._operations & INFER_POLICIES:
            status = self._infer_policies(i, &agent, qs, work, extra)
            if status != 0:
                return status
        return self._conclude(i, &agent, qs, work, extra)

    # Keep what was inferred, and act.
    cdef int _conclude(self, Py_ssize_t i, AgentState* agent, const double* qs, Workspace* work,
                       double* extra) noexcept nogil:
        cdef const double* q_pi = agent.q_pi
        cdef const double* p_first = agent.p_first
        if self._operations & INFER_POLICIES:
            keep_policies(agent, qs, work)
            self._has_policies[i] = 1
            q_pi, p_first = work.q_pi_new, work.p_first
        if self._operations & INFER_STATES:
            self._keep_beliefs(i, work, extra)
        if self._operations & SAMPLE_ACTION:
            return self._act(i, agent, q_pi, p_first, work)
        return 0

    # _step of some agents, whose policies are evaluated together.
    cdef void _step_together(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works,
                             double* extra) noexcept nogil:
        cdef AgentState agents[AGENTS_PER_GEMM]
        cdef const double* qs[AGENTS_PER_GEMM]
        cdef int status[AGENTS_PER_GEMM]
        cdef Py_ssize_t index[AGENTS_PER_GEMM]
        cdef Py_ssize_t i, k, count = 0
        for i in range(start, stop):
            if self._mask != NULL and not self._mask[i]:
                continue
            agents[count], status[count], index[count] = self._agent(i, extra), 0, i
            qs[count] = agents[count].qs
            if self._operations & INFER_STATES:
                self._status[i] = <unsigned char>(
                    -self._infer_states(i, &agents[count], works[count], extra))
                if self._status[i]:
                    continue
                qs[count] = works[count].qs_new
            count += 1
        if self._operations & INFER_POLICIES:
            evaluate_trees(&self.packed.model, &self._common.efe, qs, works, count, status)
        for k in range(count):
            if status[k] == 0:
                status[k] = self._conclude(index[k], &agents[k], qs[k], works[k], extra)
            self._status[index[k]] = <unsigned char>(-status[k])

    # Fills work.qs_new.
    cdef int _infer_states(self, Py_ssize_t i, AgentState* agent, Workspace* work,
                           double* extra) noexcept nogil:
        cdef Py_ssize_t f, num_factors = agent.model.num_factors
        for f in range(num_factors):
            work.action[f] = self._action[i * num_factors + f]
        return infer_states(agent, self._observations + i * agent.model.num_modalities, False,
                            self._has_action[i], agent.joint_likelihood, work)

    # Fills work.q_pi_new and work.G_new, or work.p_first.
    cdef int _infer_policies(self, Py_ssize_t i, AgentState* agent, const double* qs,
                             Workspace* work, double* extra) noexcept nogil:
        return infer_policies(agent, qs, work)

    cdef void _keep_beliefs(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil:
        memcpy(self._qs + i * self.packed.model.qs_size, work.qs_new,
               self.packed.model.qs_size * sizeof(double))

    # Chooses as AgentCore does, with the agent's own random numbers.
    cdef int _act(self, Py_ssize_t i, AgentState* agent, const double* q_pi,
                  const double* p_first, Workspace* work) noexcept nogil:
        cdef const Model* model = agent.model
        cdef Py_ssize_t* action = self._action + i * model.num_factors
        cdef uint64_t* random = self._random + 4 * i
        cdef const double* p
        cdef Py_ssize_t f, policy
        cdef int status
        if not are_enumerated(agent):
            q_pi = NULL
            if agent.full:
                status = enumerate_evaluated(agent, work)
                if status != 0:
                    return status
                q_pi = <double*>work.graph.enumerated_q_pi.data
        p = action_probabilities(agent, q_pi, p_first, work)
        if agent.full:
            policy = self._draw(random, p, model.tree.num_policies)
            for f in range(model.num_factors):
                action[f] = first_action(model, policy)[f]
        else:
            for f in range(model.num_factors):
                action[f] = self._draw(random, p + model.factors[f].control_offset,
                                       model.factors[f].num_controls)
        self._has_action[i] = 1
        self._time[i] += 1
        return 0

    cdef Py_ssize_t _draw(self, uint64_t* random, const double* p, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t count, first = 0
        if self._common.stochastic:
            return categorical(random, p, n)
        count = count_best(p, n, self._common.tie_tolerance, &first)
        if count == 1 or self._common.first_of_ties:
            return first
        return nth_best(p, n, self._common.tie_tolerance, below(random, count))

    # --- learning --------------------------------------------------------------------------

    def begin_learning(self, pA, pB, pD):
        """Keep the Dirichlet parameters that agents begin with; none is copied yet."""
        if self.learned is not None:
            return
        learned = <Learned**>calloc(self.size, sizeof(void*))
        if learned == NULL:
            raise MemoryError("no memory for the population")
        self._learned = learned
        self._first_parameters = pA, pB, pD
        self.learned = [None] * self.size

    def _own(self, int operation):
        """Give each agent that learns its own copy of what it learns."""
        cdef Py_ssize_t i
        cdef LearnedModel learned
        for i in range(self.size):
            if self._mask != NULL and not self._mask[i]:
                continue
            learned = self.learned_model(i)
            if operation == LEARN_A:
                learned.prepare_A()
            elif operation == LEARN_B:
                learned.prepare_B()
            else:
                learned.prepare_D()

    def learned_model(self, Py_ssize_t i):
        """Return agent i's own model, made at the first call."""
        cdef LearnedModel learned = self.learned[i]
        if learned is None:
            learned = LearnedModel(self.packed, *self._first_parameters)
            self.learned[i] = learned
            self._learned[i] = &learned.own
            self._models[i] = &learned.model
        return learned

    cdef void _learn(self, Py_ssize_t i, Workspace* work) noexcept nogil:
        cdef Py_ssize_t qs_size = self.packed.model.qs_size
        cdef Py_ssize_t m, num_modalities = self.packed.model.num_modalities
        cdef Learned* own = self._learned[i]
        cdef const double* qs = self._qs + i * qs_size
        if self._operations == LEARN_A:
            for m in range(num_modalities):
                work.observation[m] = self._observations[i * num_modalities + m]
            learn_A(own, False, qs, self._to_learn, self._lr, work)
        elif self._operations == LEARN_B:
            learn_B(own, self._action + i * self.packed.model.num_factors, qs,
                    self._given_qs + i * qs_size, self._to_learn, self._lr, work)
        else:
            learn_D(own, self._given_qs + i * qs_size, self._to_learn, self._lr)
        refresh(own, work)
        if self.packed.model.tree.num_enumerated == 0:  # they could not be listed as they were
            self._has_policies[i] = 0


cdef int _check_rows(Py_ssize_t rows, Py_ssize_t expected, str name) except -1:
    if rows != expected:
        raise ValueError(f"{name} must have {expected} entries, got {rows}")
    return 0
