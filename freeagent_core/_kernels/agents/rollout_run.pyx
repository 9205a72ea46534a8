"""What compiled rollouts have in common: arguments, keys, choice of actions and results."""

cimport numpy as cnp
from libc.math cimport log
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free, malloc

from freeagent_core._kernels.agents.batched_inference cimport new_array, read_beliefs
from freeagent_core._kernels.base.threefry cimport categorical, categorical_of_weights, hashed
from freeagent_core._kernels.model.batched_model cimport Table
from freeagent_core._kernels.planning.policy_plan cimport PolicyPlan

import numpy as np

cnp.import_array()

cdef double MIN_PROBABILITY = 2.220446049250313e-16  # log_stable clips here


# The most controls of a factor, or policies: `choose` needs scratch of twice as many numbers.
cdef Py_ssize_t max_choices(const Run* run) noexcept nogil:
    cdef Py_ssize_t i, widest = run.p.num_policies
    for i in range(run.t.num_factors):
        widest = max(widest, run.t.factors[i].num_controls)
    return widest


# The action of each factor, from q_pi (num_policies,).
cdef void choose(const Run* run, Py_ssize_t agent, Key key, const double* q_pi, int32_t* action,
                 double* scratch) noexcept nogil:
    cdef const SharedPolicies* p = run.p
    cdef Py_ssize_t nf = run.t.num_factors, f, i, n, best
    cdef double* marginal = scratch
    cdef double* logits = scratch + max_choices(run)
    cdef double alpha = run.choice.alpha[agent]
    cdef bint first = True
    if not run.choice.of_factors:
        best = _one_of(run.choice.stochastic, alpha, key, q_pi, p.num_policies, logits)
        for f in range(nf):
            action[f] = p.first_action[best * nf + f]
        return
    for f in range(nf):
        n = run.t.factors[f].num_controls
        for i in range(n):
            marginal[i] = 0.0
        for i in range(p.num_policies):
            marginal[p.first_action[i * nf + f]] += q_pi[i]
        action[f] = <int32_t>_one_of(
            run.choice.stochastic, alpha,
            key if run.choice.one_key or first else hashed(key, f), marginal, n, logits)
        first = first and n == 1


# The first argmax of q, or an index drawn from softmax(alpha * log q)
cdef Py_ssize_t _one_of(bint stochastic, double alpha, Key key, const double* q, Py_ssize_t n,
                        double* logits) noexcept nogil:
    cdef Py_ssize_t i, best = 0
    if stochastic:
        if alpha == 1.0:
            for i in range(n):
                logits[i] = max(q[i], MIN_PROBABILITY)
            best = categorical_of_weights(key, logits, n)
            if best >= 0:
                return best
        for i in range(n):
            logits[i] = log(max(q[i], MIN_PROBABILITY)) * alpha
        return categorical(key, logits, n)
    for i in range(1, n):
        if q[i] > q[best]:
            best = i
    return best


# Writes down the state and what is observed of it.
cdef void record(const Run* run, Py_ssize_t agent, Py_ssize_t step, const int32_t* state,
                 const int32_t* codes) noexcept nogil:
    cdef Py_ssize_t nf = run.t.num_factors, nm = run.t.num_modalities, i
    cdef Py_ssize_t at = agent * (run.num_steps + 1) + step
    for i in range(nf):
        run.states[at * nf + i] = state[i]
    for i in range(nm):
        run.observations[at * nm + i] = codes[i]


cdef inline bint _one(const Table* table) noexcept:
    return table.data == NULL or table.stride == 0


# Whether all agents have the same model and evaluate policies alike.
cdef bint is_shared(const BatchedTables* t, const SharedPolicies* p) noexcept:
    cdef Py_ssize_t i
    for i in range(t.num_modalities):
        if not (_one(&t.modalities[i].log_A) and _one(&p.modalities[i].A)
                and _one(&p.modalities[i].novelty)):
            return False
    for i in range(t.num_groups):
        if not (_one(&p.groups[i].linear) and _one(&p.groups[i].certain)):
            return False
    for i in range(t.num_factors):
        if not (_one(&t.factors[i].B) and _one(&p.factors[i].novelty)
                and _one(&p.factors[i].inductive)):
            return False
    return _one(&p.log_E) and _one(&p.gamma) and _one(&p.log_epsilon)


cdef object _ints(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, int64_t** data):
    cdef cnp.npy_intp dims[3]
    dims[0], dims[1], dims[2] = a, b, c
    array = cnp.PyArray_SimpleNew(3, dims, cnp.NPY_INT64)
    data[0] = <int64_t*>cnp.PyArray_DATA(<cnp.ndarray>array)
    return array


cdef int _check_fit(const BatchedTables* t, const EnvironmentTables* e,
                    bint distributions) except -1:
    cdef Py_ssize_t i, own, other
    if e.num_modalities != t.num_modalities:
        raise ValueError(
            f"env has {e.num_modalities} modalities, the agent {t.num_modalities}")
    if e.num_factors != t.num_factors:
        raise ValueError(f"env has {e.num_factors} factors, the agent {t.num_factors}")
    for i in range(t.num_modalities):
        own, other = t.modalities[i].num_obs, e.A[i].size
        if other > own or (distributions and other != own):
            raise ValueError(f"modality {i} of env has {other} outcomes, the agent's {own}")
    for i in range(t.num_factors):
        own, other = t.factors[i].num_controls, e.num_controls[i]
        if own > other:
            raise ValueError(f"factor {i} of env has {other} actions, the agent's {own}")
    return 0


cdef class Rollout:
    """A batch of agents in an environment, checked, and the arrays that a rollout fills in.

    Parameters
    ----------
    inference : BatchedInference
        With a plan.
    environment : SampledEnvironment
        With the factors and modalities of the model.
    prior : list of (batch_size, num_states) array
        Of the first step.
    key : (2,) array of uint32
    num_steps, num_iter : int
    distributions : bool
        Whether observations become distributions, whose size is that of the agents.
    stochastic, of_factors, one_key : bool
        How actions are chosen.
    alpha : (batch_size,) array

    Attributes
    ----------
    qs, prior : list of (batch_size, num_steps, num_states) array
    q_pi, neg_efe : (batch_size, num_steps, num_policies) array
    actions : (batch_size, num_steps, num_factors) array of int64
    states : (batch_size, num_steps + 1, num_factors) array of int64
    observations : (batch_size, num_steps + 1, num_modalities) array of int64
    key : (2,) array of uint32
        Of the steps to come.

    Raises
    ------
    ValueError
        If the environment does not fit the agents.
    """

    def __cinit__(self, BatchedInference inference, SampledEnvironment environment, object prior,
                  const uint32_t[::1] key, Py_ssize_t num_steps, Py_ssize_t num_iter,
                  bint distributions, bint stochastic, bint of_factors, bint one_key,
                  const double[::1] alpha):
        cdef const BatchedTables* t = &inference.model.tables
        cdef PolicyPlan plan = inference.plan
        cdef Run* run = &self.run
        cdef Py_ssize_t batch = t.batch_size, i, nf = t.num_factors
        cdef Key now
        self._keys = NULL
        self._kept = [read_beliefs(t, prior, False, &self.D, "D"), plan, alpha]
        if key.shape[0] != 2 or alpha.shape[0] != batch or environment.batch_size != batch:
            raise ValueError(f"key, alpha and environment must be of 2, {batch} and {batch}, got "
                             f"{key.shape[0]}, {alpha.shape[0]} and {environment.batch_size}")
        _check_fit(t, &environment.tables, distributions)
        self.inference, self.environment = inference, environment
        self.distributions = distributions
        run.t, run.p, run.e, run.D = t, &plan.policies, &environment.tables, &self.D
        run.choice.stochastic, run.choice.of_factors = stochastic, of_factors
        run.choice.one_key, run.choice.alpha = one_key, &alpha[0]
        run.num_steps, run.num_iter = num_steps, num_iter
        self.qs, self.prior = [], []
        for i in range(nf):
            self.qs.append(new_array(batch, num_steps, t.factors[i].num_states, &run.qs[i]))
            self.prior.append(new_array(batch, num_steps, t.factors[i].num_states, &run.prior[i]))
        self.q_pi = new_array(batch, num_steps, plan.policies.num_policies, &run.q_pi)
        self.neg_efe = new_array(batch, num_steps, plan.policies.num_policies, &run.G)
        self.actions = _ints(batch, num_steps, nf, &run.actions)
        self.states = _ints(batch, num_steps + 1, nf, &run.states)
        self.observations = _ints(batch, num_steps + 1, t.num_modalities, &run.observations)
        self._keys = <Key*>malloc(2 * num_steps * sizeof(Key))
        if self._keys == NULL:
            raise MemoryError("no memory for a rollout")
        run.step_keys, run.choose_keys = self._keys, self._keys + num_steps
        run.key = Key(key[0], key[1])
        now = hashed(run.key, 0)
        for i in range(num_steps):
            self._keys[i] = now
            self._keys[num_steps + i] = hashed(hashed(now, 1), 0)
            now = hashed(now, 0)
        self.key = np.array([now.high, now.low], dtype=np.uint32)

    def __dealloc__(self):
        free(self._keys)
