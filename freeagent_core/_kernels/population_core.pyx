"""The state of many agents of one model, in contiguous arrays, and their step in parallel.

An agent's results go to the thread's scratch memory first and are copied to its rows when
all of its kernels have returned without an error: a failed step leaves the agent as it was.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from freeagent_core._kernels.action_selection cimport (
    action_marginals, count_best, nth_best, sharpen,
)
from freeagent_core._kernels.agent_random cimport below, categorical
from freeagent_core._kernels.belief_update cimport (
    log_likelihood_of_outcomes, predict_all, update_beliefs,
)
from freeagent_core._kernels.dirichlet_updates cimport learn_A, learn_B, learn_D, refresh
from freeagent_core._kernels.learned_model cimport LearnedModel
from freeagent_core._kernels.packed_model cimport Factor
from freeagent_core._kernels.policy_evaluation cimport evaluate_policies
from freeagent_core._kernels.sophisticated cimport search_size, sophisticated_search

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
        cdef double[:, ::1] q_pi = self._new_state("q_pi", model.tree.num_policies, np.float64)
        cdef double[:, ::1] G = self._new_state("G", model.tree.num_policies, np.float64)
        cdef Py_ssize_t[:, ::1] action = self._new_state("action", model.num_factors, np.intp)
        cdef unsigned char[:, ::1] has_action = self._new_state("has_action", 1, np.uint8)
        cdef unsigned char[:, ::1] has_policies = self._new_state("has_policies", 1, np.uint8)
        cdef Py_ssize_t[:, ::1] time = self._new_state("time", 1, np.intp)
        cdef uint64_t[:, ::1] random = self._new_state("random", 4, np.uint64)
        self._qs, self._q_pi, self._G = &qs[0, 0], &q_pi[0, 0], &G[0, 0]
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

    cdef object _new_state(self, str name, shape, dtype):
        self.state[name] = np.zeros((self.size, shape), dtype=dtype)
        return self.state[name]

    def _set_parameters(self, dict parameters):
        self._efe.gamma = parameters["gamma"]
        self._efe.use_utility = parameters["use_utility"]
        self._efe.use_states_info_gain = parameters["use_states_info_gain"]
        self._efe.use_param_info_gain = parameters["use_param_info_gain"]
        self._alpha = parameters["alpha"]
        self._stochastic = parameters["stochastic"]
        self._full = parameters["full"]
        self._tie_tolerance = parameters["tie_tolerance"]
        self._first_of_ties = parameters["first_of_ties"]
        self._joint_likelihood = parameters["joint_likelihood"]
        self._set_inference(parameters)

    def _set_inference(self, dict parameters):
        self._fpi.num_iter = parameters["num_iter"]
        self._fpi.dF = parameters["dF"]
        self._fpi.dF_tol = parameters["dF_tol"]
        self._fpi.compute_vfe = parameters["compute_vfe"]
        search = parameters["search"]
        if search is None:
            return
        self._search.horizon = search[0]
        self._search.policy_prune_threshold = search[1]
        self._search.state_prune_threshold = search[2]
        self._search.prune_penalty = search[3]
        self._search.gamma = 1.0  # pymdp's agent gives the search no other
        self._search_size = search_size(&self.packed.model, self._search.horizon)

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
        self._status[:] = 0
        self._operations = operations
        self.provide(num_threads, [self.packed], self._extra_size())
        self.arm(self.size, max(chunk, 1), 0)

    cdef int _check_ready(self, int operations) except -1:
        return 0

    cdef int _check_each(self, const unsigned char* flags, str before, str name) except -1:
        cdef Py_ssize_t i
        for i in range(self.size):
            if not flags[i] and (self._mask == NULL or self._mask[i]):
                raise ValueError(f"agent {i} needs a {before} before {name}")
        return 0

    def failed(self):
        """Return the agents whose last operation failed."""
        return np.flatnonzero(self._status)

    cdef Py_ssize_t _extra_size(self):
        return self._search_size

    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works,
                   double* extra) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(start, stop):
            if self._mask != NULL and not self._mask[i]:
                continue
            if self._operations < LEARN_A:
                self._status[i] = self._step(i, works[0], extra)
            else:
                self._learn(i, works[0])

    cdef int _step(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil:
        cdef const Model* model = self._models[i]
        cdef Py_ssize_t num_policies = model.tree.num_policies
        cdef const double* qs = self._qs + i * model.qs_size
        cdef const double* q_pi = self._q_pi + i * num_policies
        if self._operations & INFER_STATES:
            if self._infer_states(i, model, work, extra) != 0:
                return 1
            qs = work.qs_new
        if self._operations & INFER_POLICIES:
            if self._infer_policies(i, model, qs, work, extra) != 0:
                return 1
            q_pi = work.q_pi_new
        if self._operations & INFER_STATES:
            self._keep_beliefs(i, work, extra)
        if self._operations & INFER_POLICIES:
            memcpy(self._q_pi + i * num_policies, work.q_pi_new, num_policies * sizeof(double))
            memcpy(self._G + i * num_policies, work.G_new, num_policies * sizeof(double))
            self._has_policies[i] = 1
        if self._operations & SAMPLE_ACTION:
            self._act(i, model, q_pi, work)
        return 0

    # Fills work.qs_new.
    cdef int _infer_states(self, Py_ssize_t i, const Model* model, Workspace* work,
                           double* extra) noexcept nogil:
        if self._has_action[i]:
            predict_all(model, self._qs + i * model.qs_size,
                        self._action + i * model.num_factors, work, work.prior)
        else:
            memcpy(work.prior, model.D, model.qs_size * sizeof(double))
        log_likelihood_of_outcomes(model, self._observations + i * model.num_modalities,
                                   self._joint_likelihood, work)
        return update_beliefs(model, &self._fpi, work)

    # Fills work.q_pi_new and work.G_new.
    cdef int _infer_policies(self, Py_ssize_t i, const Model* model, const double* qs,
                             Workspace* work, double* extra) noexcept nogil:
        if self._search_size == 0:
            return evaluate_policies(model, &self._efe, qs, work)
        return sophisticated_search(model, &self._fpi, &self._search, qs, extra, work)

    cdef void _keep_beliefs(self, Py_ssize_t i, Workspace* work, double* extra) noexcept nogil:
        memcpy(self._qs + i * self.packed.model.qs_size, work.qs_new,
               self.packed.model.qs_size * sizeof(double))

    # Chooses as AgentCore does, with the agent's own random numbers.
    cdef void _act(self, Py_ssize_t i, const Model* model, const double* q_pi,
                   Workspace* work) noexcept nogil:
        cdef Py_ssize_t* action = self._action + i * model.num_factors
        cdef uint64_t* random = self._random + 4 * i
        cdef const Factor* factor
        cdef const double* p = q_pi
        cdef Py_ssize_t f, policy
        if self._full:
            if self._stochastic:
                sharpen(q_pi, model.tree.num_policies, self._alpha, work.p_policies)
                p = work.p_policies
            policy = self._draw(random, p, model.tree.num_policies)
            for f in range(model.num_factors):
                action[f] = model.tree.first_action[policy * model.num_factors + f]
        else:
            action_marginals(model, q_pi, work)
            for f in range(model.num_factors):
                factor = &model.factors[f]
                p = work.p_actions + factor.control_offset
                if self._stochastic:
                    sharpen(p, factor.num_controls, self._alpha,
                            work.p_actions + factor.control_offset)
                action[f] = self._draw(random, p, factor.num_controls)
        self._has_action[i] = 1
        self._time[i] += 1

    cdef Py_ssize_t _draw(self, uint64_t* random, const double* p, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t count, first = 0
        if self._stochastic:
            return categorical(random, p, n)
        count = count_best(p, n, self._tie_tolerance, &first)
        if count == 1 or self._first_of_ties:
            return first
        return nth_best(p, n, self._tie_tolerance, below(random, count))

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


cdef int _check_rows(Py_ssize_t rows, Py_ssize_t expected, str name) except -1:
    if rows != expected:
        raise ValueError(f"{name} must have {expected} entries, got {rows}")
    return 0
