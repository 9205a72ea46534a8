"""A batch of agents in a sampled environment, step after step without Python.

Agents infer states by `jacobi_iteration`, evaluate policies and act; the environment answers. The
random numbers are those of `pymdp.envs.rollout.rollout` under the same key: each step's key is
split into one for the steps to come, one for the agents and one for each element's environment.
"""

cimport numpy as cnp
from libc.math cimport log
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.agents.batched_inference cimport (
    BatchedInference, Beliefs, new_array, read_beliefs)
from freeagent_core._kernels.agents.sampled_environment cimport (
    EnvironmentTables, move, SampledEnvironment, start)
from freeagent_core._kernels.base.threefry cimport (
    categorical, categorical_of_weights, hashed, Key)
from freeagent_core._kernels.inference.jacobi_iteration cimport jacobi_iteration, jacobi_scratch
from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.inference.predicted_states cimport predict_states
from freeagent_core._kernels.model.batched_model cimport BatchedTables, Table
from freeagent_core._kernels.planning.shared_prefixes cimport (
    evaluate_policies, PolicyPlan, SharedPolicies)

import numpy as np

cnp.import_array()

cdef enum:
    MAX_FACTORS = 64
    NOWHERE = -1
    MAX_PLACES = 4096
    BLOCK = 16                     # agents that take a step together

cdef double MIN_PROBABILITY = 2.220446049250313e-16  # log_stable clips here


# How an action is chosen from the posterior over policies.
ctypedef struct Choice:
    bint stochastic
    bint of_factors                # each factor's action from its marginal, not a policy
    bint one_key                   # all factors under one key
    const double* alpha            # (batch_size,)


# Arrays (batch_size, num_steps, ...) to fill in, and (batch_size, ...) of the present.
ctypedef struct RolloutJob:
    const BatchedTables* t
    const SharedPolicies* p
    const EnvironmentTables* e
    const Beliefs* D
    Choice choice
    Py_ssize_t num_steps, num_iter
    Key key                        # split for the first states
    const Key* step_keys           # (num_steps,)
    const Key* choose_keys         # (num_steps,): split for each agent's choice
    bint shared                    # agents have one model and one plan
    double* qs[MAX_FACTORS]
    double* prior[MAX_FACTORS]
    double* q_pi
    double* G
    int64_t* actions
    int64_t* states                # with the state that follows the last step
    int64_t* observations          # the same
    double* qs_now                 # (num_states_total * batch_size): factor after factor
    double* prior_now
    double* q_pi_now
    double* G_now
    int32_t* action_now
    int32_t* state_now
    int32_t* codes_now


# The action of each factor. marginal: the most controls of a factor; logits: room for as many
# numbers, or policies.
cdef void _choose(const RolloutJob* job, Py_ssize_t agent, Key key, double* marginal,
                  double* logits) noexcept nogil:
    cdef const SharedPolicies* p = job.p
    cdef const double* q_pi = job.q_pi_now + agent * p.num_policies
    cdef Py_ssize_t nf = job.t.num_factors, f, i, n, best
    cdef int32_t* action = job.action_now + agent * nf
    cdef bint first = True
    if not job.choice.of_factors:
        best = _one_of(job, agent, key, q_pi, p.num_policies, logits)
        for f in range(nf):
            action[f] = p.first_action[best * nf + f]
        return
    for f in range(nf):
        n = job.t.factors[f].num_controls
        for i in range(n):
            marginal[i] = 0.0
        for i in range(p.num_policies):
            marginal[p.first_action[i * nf + f]] += q_pi[i]
        action[f] = <int32_t>_one_of(
            job, agent, key if job.choice.one_key or first else hashed(key, f), marginal, n, logits)
        first = first and n == 1


# The first argmax of q, or an index drawn from softmax(alpha * log q)
cdef Py_ssize_t _one_of(const RolloutJob* job, Py_ssize_t agent, Key key, const double* q,
                        Py_ssize_t n, double* logits) noexcept nogil:
    cdef Py_ssize_t i, best = 0
    if job.choice.stochastic:
        if job.choice.alpha[agent] == 1.0:
            for i in range(n):
                logits[i] = max(q[i], MIN_PROBABILITY)
            best = categorical_of_weights(key, logits, n)
            if best >= 0:
                return best
        for i in range(n):
            logits[i] = log(max(q[i], MIN_PROBABILITY)) * job.choice.alpha[agent]
        return categorical(key, logits, n)
    for i in range(1, n):
        if q[i] > q[best]:
            best = i
    return best


# Where an agent and a step are in arrays (batch_size, num_steps).
ctypedef int64_t Place  # agent * num_steps + step


# A number that equal priors and observations have in common.
cdef uint64_t _hash(const RolloutJob* job, Py_ssize_t agent) noexcept nogil:
    cdef const BatchedTables* t = job.t
    cdef uint64_t value = 0x9E3779B97F4A7C15ULL, bits
    cdef const double* prior
    cdef Py_ssize_t i, s
    for i in range(t.num_modalities):
        value = (value ^ <uint64_t>job.codes_now[agent * t.num_modalities + i]) * 0x2545F4914F6CDD1DULL
    for i in range(t.num_factors):
        prior = (job.prior_now + t.factors[i].offset * t.batch_size
                 + agent * t.factors[i].num_states)
        for s in range(t.factors[i].num_states):
            memcpy(&bits, &prior[s], sizeof(double))
            value = (value ^ bits) * 0x2545F4914F6CDD1DULL
            value ^= value >> 29
    return value ^ (value >> 32)


# Whether the agent knows and sees, to the bit, what one did at a place.
cdef bint _same(const RolloutJob* job, Py_ssize_t agent, Place place) noexcept nogil:
    cdef const BatchedTables* t = job.t
    cdef Py_ssize_t i, n, nm = t.num_modalities
    cdef Place other = place // job.num_steps
    cdef const int64_t* seen = job.observations + (place + other) * nm
    if not job.shared and other != agent:
        return False
    for i in range(nm):
        if seen[i] != job.codes_now[agent * nm + i]:
            return False
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        if memcmp(job.prior[i] + place * n,
                  job.prior_now + t.factors[i].offset * t.batch_size + agent * n,
                  n * sizeof(double)) != 0:
            return False
    return True


# Writes down the state and what is observed of it.
cdef inline void _record(const RolloutJob* job, Py_ssize_t agent, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t nf = job.t.num_factors, nm = job.t.num_modalities, i
    cdef Py_ssize_t at = agent * (job.num_steps + 1) + step
    for i in range(nf):
        job.states[at * nf + i] = job.state_now[agent * nf + i]
    for i in range(nm):
        job.observations[at * nm + i] = job.codes_now[agent * nm + i]


# Agents [begin, stop), all steps. What an agent, of the same model, has inferred from the same
# prior and observation before is copied; `places` remembers where, a power of two of them.
cdef int _run(void* pointer, Py_ssize_t begin, Py_ssize_t stop) noexcept nogil:
    cdef RolloutJob* job = <RolloutJob*>pointer
    cdef const BatchedTables* t = job.t
    cdef const SharedPolicies* p = job.p
    cdef const EnvironmentTables* e = job.e
    cdef Py_ssize_t nf = t.num_factors, nm = t.num_modalities, np_ = p.num_policies
    cdef Py_ssize_t agent, step, i, n, at, widest = np_, room = jacobi_scratch(t)
    cdef const double* q[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef double* prior[MAX_FACTORS]
    cdef const double* qs_now[MAX_FACTORS]
    cdef Py_ssize_t stride[MAX_FACTORS]
    cdef Observed observed
    cdef Key key, choose_key
    cdef double* block
    cdef double* scratch
    cdef double* marginal
    cdef double* logits
    cdef Place* places
    cdef Place* found
    cdef Place* slot
    cdef Py_ssize_t capacity = 16, first, low, high
    while capacity < 2 * (stop - begin) * job.num_steps and capacity < MAX_PLACES:
        capacity *= 2
    for i in range(nf):
        widest = max(widest, t.factors[i].num_controls)
        stride[i] = t.factors[i].num_states
        qs_now[i] = job.qs_now + t.factors[i].offset * t.batch_size
    room = max(room, max(t.max_tensor, 2 * e.max_size))
    block = <double*>malloc((t.num_states_total + room + 2 * widest) * sizeof(double)
                            + (capacity + BLOCK) * sizeof(Place))
    if block == NULL:
        return -1
    scratch = block + t.num_states_total
    marginal = scratch + room
    logits = marginal + widest
    places = <Place*>(logits + widest)
    found = places + capacity
    for i in range(capacity):
        places[i] = NOWHERE
    observed.num_steps, observed.codes, observed.weights = 1, job.codes_now, NULL
    high = begin
    while high < stop:  # all steps of a few agents: their rows are near each other
        low, high = high, min(high + BLOCK, stop)
        for agent in range(low, high):
            start(e, agent, hashed(job.key, agent + 1), job.state_now + agent * nf,
                  job.codes_now + agent * nm, scratch)
            _record(job, agent, 0)
        for step in range(job.num_steps):
            for agent in range(low, high):
                at = agent * job.num_steps + step
                for i in range(nf):
                    n = t.factors[i].num_states
                    q[i] = qs_now[i] + agent * n
                    qs[i] = block + t.factors[i].offset
                    prior[i] = job.prior_now + t.factors[i].offset * t.batch_size + agent * n
                    if step == 0:
                        memcpy(prior[i], job.D.data[i] + agent * job.D.stride[i],
                               n * sizeof(double))
                if step > 0:
                    predict_states(t, agent, job.action_now + agent * nf, q, prior, scratch)
                slot = &places[_hash(job, agent) & <uint64_t>(capacity - 1)]
                found[agent - low] = slot[0]
                if slot[0] != NOWHERE and _same(job, agent, slot[0]):
                    for i in range(nf):
                        n = t.factors[i].num_states
                        qs[i] = job.qs[i] + slot[0] * n
                else:
                    found[agent - low] = NOWHERE
                    slot[0] = at
                    jacobi_iteration(t, &observed, agent, <const double**>prior, job.num_iter, qs,
                                     scratch)
                for i in range(nf):
                    n = t.factors[i].num_states
                    memcpy(<double*>q[i], qs[i], n * sizeof(double))
                    memcpy(job.qs[i] + at * n, qs[i], n * sizeof(double))
                    memcpy(job.prior[i] + at * n, prior[i], n * sizeof(double))
            first = low
            while first < high:  # runs of agents that are new
                agent = first
                while agent < high and found[agent - low] == NOWHERE:
                    agent += 1
                if agent > first and evaluate_policies(
                        t, p, qs_now, stride, first, agent, job.q_pi_now, job.G_now) != 0:
                    free(block)
                    return -1
                first = agent + 1
            key = job.step_keys[step]
            choose_key = job.choose_keys[step]
            for agent in range(low, high):
                at = agent * job.num_steps + step
                if found[agent - low] != NOWHERE:  # before this agent at this step
                    memcpy(job.q_pi_now + agent * np_, job.q_pi + found[agent - low] * np_,
                           np_ * sizeof(double))
                    memcpy(job.G_now + agent * np_, job.G + found[agent - low] * np_,
                           np_ * sizeof(double))
                memcpy(job.q_pi + at * np_, job.q_pi_now + agent * np_, np_ * sizeof(double))
                memcpy(job.G + at * np_, job.G_now + agent * np_, np_ * sizeof(double))
                _choose(job, agent, hashed(choose_key, agent + 1), marginal, logits)
                move(e, agent, hashed(key, agent + 2), job.action_now + agent * nf,
                     job.state_now + agent * nf, job.codes_now + agent * nm, scratch)
                for i in range(nf):
                    job.actions[at * nf + i] = job.action_now[agent * nf + i]
                _record(job, agent, step + 1)
    free(block)
    return 0


cdef inline bint _one(const Table* table) noexcept:
    return table.data == NULL or table.stride == 0


# Whether all agents have the same model and evaluate policies alike.
cdef bint _is_shared(const BatchedTables* t, const SharedPolicies* p) noexcept:
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


def run_rollout(BatchedInference inference, SampledEnvironment environment, object prior,
                const uint32_t[::1] key, Py_ssize_t num_steps, Py_ssize_t num_iter,
                bint distributions, bint stochastic, bint of_factors, bint one_key,
                const double[::1] alpha):
    """Run a batch of agents for some steps.

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

    Returns
    -------
    qs, prior : list of (batch_size, num_steps, num_states) array
    q_pi, G : (batch_size, num_steps, num_policies) array
    actions : (batch_size, num_steps, num_factors) array of int64
    states : (batch_size, num_steps + 1, num_factors) array of int64
    observations : (batch_size, num_steps + 1, num_modalities) array of int64
    key : (2,) array of uint32

    Raises
    ------
    ValueError
        If the environment does not fit the agents.
    """
    cdef const BatchedTables* t = &inference.model.tables
    cdef PolicyPlan plan = inference.plan
    cdef Py_ssize_t batch = t.batch_size, i, nf = t.num_factors, nm = t.num_modalities
    cdef Beliefs D
    cdef RolloutJob job
    cdef Key now
    cdef list kept = read_beliefs(t, prior, False, &D, "D"), qs = [], priors = []
    cdef double* numbers
    cdef int32_t* ints
    cdef double cost = 2000.0 * num_steps
    if key.shape[0] != 2 or alpha.shape[0] != batch or environment.batch_size != batch:
        raise ValueError(f"key, alpha and environment must be of 2, {batch} and {batch}, got "
                         f"{key.shape[0]}, {alpha.shape[0]} and {environment.batch_size}")
    _check_fit(t, &environment.tables, distributions)
    job.t, job.p, job.e, job.D = t, &plan.policies, &environment.tables, &D
    job.choice.stochastic, job.choice.of_factors = stochastic, of_factors
    job.choice.one_key, job.choice.alpha = one_key, &alpha[0]
    job.num_steps, job.num_iter = num_steps, num_iter
    job.shared = _is_shared(t, &plan.policies)
    for i in range(nf):
        qs.append(new_array(batch, num_steps, t.factors[i].num_states, &job.qs[i]))
        priors.append(new_array(batch, num_steps, t.factors[i].num_states, &job.prior[i]))
    q_pi = new_array(batch, num_steps, plan.policies.num_policies, &job.q_pi)
    G = new_array(batch, num_steps, plan.policies.num_policies, &job.G)
    actions = _ints(batch, num_steps, nf, &job.actions)
    states = _ints(batch, num_steps + 1, nf, &job.states)
    observations = _ints(batch, num_steps + 1, nm, &job.observations)
    numbers = <double*>malloc(
        2 * batch * (t.num_states_total + plan.policies.num_policies) * sizeof(double)
        + 2 * num_steps * sizeof(Key) + batch * (2 * nf + nm) * sizeof(int32_t))
    if numbers == NULL:
        raise MemoryError("no memory for a rollout")
    try:
        job.qs_now = numbers
        job.prior_now = job.qs_now + batch * t.num_states_total
        job.q_pi_now = job.prior_now + batch * t.num_states_total
        job.G_now = job.q_pi_now + batch * plan.policies.num_policies
        job.step_keys = <Key*>(job.G_now + batch * plan.policies.num_policies)
        job.choose_keys = job.step_keys + num_steps
        job.action_now = <int32_t*>(job.choose_keys + num_steps)
        job.state_now = job.action_now + batch * nf
        job.codes_now = job.state_now + batch * nf
        job.key = Key(key[0], key[1])
        now = hashed(job.key, 0)
        for i in range(num_steps):
            (<Key*>job.step_keys)[i] = now
            (<Key*>job.choose_keys)[i] = hashed(hashed(now, 1), 0)
            now = hashed(now, 0)
        run_batch(_run, &job, batch, &cost)
    finally:
        free(numbers)
    return (qs, priors, q_pi, G, actions, states, observations,
            np.array([now.high, now.low], dtype=np.uint32))
