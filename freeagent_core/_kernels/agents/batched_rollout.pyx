"""A batch of agents in a sampled environment, step after step without Python.

Agents infer states by `jacobi_iteration`, evaluate policies and act; the environment answers. The
random numbers are those of `pymdp.envs.rollout.rollout` under the same key: each step's key is
split into one for the steps to come, one for the agents and one for each element's environment.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from freeagent_core._kernels.agents.batch_threads cimport run_batch
from freeagent_core._kernels.agents.rollout_run cimport (
    choose, is_shared, max_choices, record, Rollout, Run)
from freeagent_core._kernels.agents.sampled_environment cimport EnvironmentTables, move, start
from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY
from freeagent_core._kernels.base.threefry cimport hashed, Key
from freeagent_core._kernels.inference.jacobi_iteration cimport jacobi_iteration, jacobi_scratch
from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.inference.predicted_states cimport predict_states
from freeagent_core._kernels.model.batched_model cimport BatchedTables
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies
from freeagent_core._kernels.planning.shared_prefixes cimport evaluate_policies

cdef enum:
    MAX_FACTORS = 64
    NOWHERE = -1
    MAX_PLACES = 4096
    BLOCK = 16                     # agents that take a step together


# Arrays (batch_size, ...) of the present.
ctypedef struct RolloutJob:
    Run run
    bint shared                    # agents have one model and one plan
    double* qs_now                 # (num_states_total * batch_size): factor after factor
    double* prior_now
    double* q_pi_now
    double* G_now
    int32_t* action_now
    int32_t* state_now
    int32_t* codes_now


# Where an agent and a step are in arrays (batch_size, num_steps).
ctypedef int64_t Place  # agent * num_steps + step


# A number that equal priors and observations have in common.
cdef uint64_t _hash(const RolloutJob* job, Py_ssize_t agent) noexcept nogil:
    cdef const BatchedTables* t = job.run.t
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
    cdef const BatchedTables* t = job.run.t
    cdef Py_ssize_t i, n, nm = t.num_modalities
    cdef Place other = place // job.run.num_steps
    cdef const int64_t* seen = job.run.observations + (place + other) * nm
    if not job.shared and other != agent:
        return False
    for i in range(nm):
        if seen[i] != job.codes_now[agent * nm + i]:
            return False
    for i in range(t.num_factors):
        n = t.factors[i].num_states
        if memcmp(job.run.prior[i] + place * n,
                  job.prior_now + t.factors[i].offset * t.batch_size + agent * n,
                  n * sizeof(double)) != 0:
            return False
    return True


# Agents [begin, stop), all steps. What an agent, of the same model, has inferred from the same
# prior and observation before is copied; `places` remembers where, a power of two of them.
cdef int _run(void* pointer, Py_ssize_t begin, Py_ssize_t stop) noexcept nogil:
    cdef RolloutJob* job = <RolloutJob*>pointer
    cdef const BatchedTables* t = job.run.t
    cdef const SharedPolicies* p = job.run.p
    cdef const EnvironmentTables* e = job.run.e
    cdef Py_ssize_t nf = t.num_factors, nm = t.num_modalities, np_ = p.num_policies
    cdef Py_ssize_t agent, step, i, n, at, widest = max_choices(&job.run), room = jacobi_scratch(t)
    cdef const double* q[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef double* prior[MAX_FACTORS]
    cdef const double* qs_now[MAX_FACTORS]
    cdef Py_ssize_t stride[MAX_FACTORS]
    cdef Observed observed
    cdef Key key, choose_key
    cdef double* block
    cdef double* scratch
    cdef double* choices
    cdef Place* places
    cdef Place* found
    cdef Place* slot
    cdef Py_ssize_t capacity = 16, first, low, high
    while capacity < 2 * (stop - begin) * job.run.num_steps and capacity < MAX_PLACES:
        capacity *= 2
    for i in range(nf):
        stride[i] = t.factors[i].num_states
        qs_now[i] = job.qs_now + t.factors[i].offset * t.batch_size
    room = max(room, max(t.max_tensor, 2 * e.max_size))
    block = <double*>malloc((t.num_states_total + room + 2 * widest) * sizeof(double)
                            + (capacity + BLOCK) * sizeof(Place))
    if block == NULL:
        return NO_MEMORY
    scratch = block + t.num_states_total
    choices = scratch + room
    places = <Place*>(choices + 2 * widest)
    found = places + capacity
    for i in range(capacity):
        places[i] = NOWHERE
    observed.num_steps, observed.codes, observed.weights = 1, job.codes_now, NULL
    high = begin
    while high < stop:  # all steps of a few agents: their rows are near each other
        low, high = high, min(high + BLOCK, stop)
        for agent in range(low, high):
            start(e, agent, hashed(job.run.key, agent + 1), job.state_now + agent * nf,
                  job.codes_now + agent * nm, scratch)
            record(&job.run, agent, 0, job.state_now + agent * nf,
                   job.codes_now + agent * nm)
        for step in range(job.run.num_steps):
            if interrupted():
                free(block)
                return INTERRUPTED
            for agent in range(low, high):
                at = agent * job.run.num_steps + step
                for i in range(nf):
                    n = t.factors[i].num_states
                    q[i] = qs_now[i] + agent * n
                    qs[i] = block + t.factors[i].offset
                    prior[i] = job.prior_now + t.factors[i].offset * t.batch_size + agent * n
                    if step == 0:
                        memcpy(prior[i], job.run.D.data[i] + agent * job.run.D.stride[i],
                               n * sizeof(double))
                if step > 0:
                    predict_states(t, agent, job.action_now + agent * nf, q, prior, scratch)
                slot = &places[_hash(job, agent) & <uint64_t>(capacity - 1)]
                found[agent - low] = slot[0]
                if slot[0] != NOWHERE and _same(job, agent, slot[0]):
                    for i in range(nf):
                        n = t.factors[i].num_states
                        qs[i] = job.run.qs[i] + slot[0] * n
                else:
                    found[agent - low] = NOWHERE
                    slot[0] = at
                    jacobi_iteration(t, &observed, agent, <const double**>prior, job.run.num_iter, qs,
                                     scratch)
                for i in range(nf):
                    n = t.factors[i].num_states
                    memcpy(<double*>q[i], qs[i], n * sizeof(double))
                    memcpy(job.run.qs[i] + at * n, qs[i], n * sizeof(double))
                    memcpy(job.run.prior[i] + at * n, prior[i], n * sizeof(double))
            first = low
            while first < high:  # runs of agents that are new
                agent = first
                while agent < high and found[agent - low] == NOWHERE:
                    agent += 1
                if agent > first and evaluate_policies(
                        t, p, qs_now, stride, first, agent, job.q_pi_now, job.G_now) != 0:
                    free(block)
                    return NO_MEMORY
                first = agent + 1
            key = job.run.step_keys[step]
            choose_key = job.run.choose_keys[step]
            for agent in range(low, high):
                at = agent * job.run.num_steps + step
                if found[agent - low] != NOWHERE:  # before this agent at this step
                    memcpy(job.q_pi_now + agent * np_, job.run.q_pi + found[agent - low] * np_,
                           np_ * sizeof(double))
                    memcpy(job.G_now + agent * np_, job.run.G + found[agent - low] * np_,
                           np_ * sizeof(double))
                memcpy(job.run.q_pi + at * np_, job.q_pi_now + agent * np_, np_ * sizeof(double))
                memcpy(job.run.G + at * np_, job.G_now + agent * np_, np_ * sizeof(double))
                choose(&job.run, agent, hashed(choose_key, agent + 1), job.q_pi_now + agent * np_,
                       job.action_now + agent * nf, choices)
                move(e, agent, hashed(key, agent + 2), job.action_now + agent * nf,
                     job.state_now + agent * nf, job.codes_now + agent * nm, scratch)
                for i in range(nf):
                    job.run.actions[at * nf + i] = job.action_now[agent * nf + i]
                record(&job.run, agent, step + 1, job.state_now + agent * nf,
                       job.codes_now + agent * nm)
    free(block)
    return 0


def run_rollout(Rollout rollout):
    """Run a batch of agents, who do not learn and look at one step at a time, for all steps."""
    cdef RolloutJob job
    cdef const BatchedTables* t = rollout.run.t
    cdef Py_ssize_t batch = t.batch_size, nf = t.num_factors, np_ = rollout.run.p.num_policies
    cdef double* numbers
    cdef double cost = 2000.0 * rollout.run.num_steps
    job.run = rollout.run
    job.shared = is_shared(t, rollout.run.p)
    numbers = <double*>malloc(
        2 * batch * (t.num_states_total + np_) * sizeof(double)
        + batch * (2 * nf + t.num_modalities) * sizeof(int32_t))
    if numbers == NULL:
        raise MemoryError("no memory for a rollout")
    try:
        job.qs_now = numbers
        job.prior_now = job.qs_now + batch * t.num_states_total
        job.q_pi_now = job.prior_now + batch * t.num_states_total
        job.G_now = job.q_pi_now + batch * np_
        job.action_now = <int32_t*>(job.G_now + batch * np_)
        job.state_now = job.action_now + batch * nf
        job.codes_now = job.state_now + batch * nf
        run_batch(_run, &job, batch, &cost, True)
    finally:
        free(numbers)
