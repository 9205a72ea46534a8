from libc.stdint cimport int32_t, int64_t, uint32_t

from freeagent_core._kernels.agents.batched_inference cimport BatchedInference, Beliefs
from freeagent_core._kernels.agents.sampled_environment cimport (
    EnvironmentTables, SampledEnvironment)
from freeagent_core._kernels.base.threefry cimport Key
from freeagent_core._kernels.model.batched_model cimport BatchedTables
from freeagent_core._kernels.planning.policy_plan cimport SharedPolicies


# How an action is chosen from the posterior over policies.
ctypedef struct Choice:
    bint stochastic
    bint of_factors                # each factor's action from its marginal, not a policy
    bint one_key                   # all factors under one key
    const double* alpha            # (batch_size,)


# What all steps read, and arrays (batch_size, num_steps, ...) to fill in.
ctypedef struct Run:
    const BatchedTables* t
    const SharedPolicies* p
    const EnvironmentTables* e
    const Beliefs* D
    Choice choice
    Py_ssize_t num_steps, num_iter
    Key key                        # split for the first states
    const Key* step_keys           # (num_steps,)
    const Key* choose_keys         # (num_steps,): split for each agent's choice
    double* qs[64]
    double* prior[64]
    double* q_pi
    double* G
    int64_t* actions
    int64_t* states                # with the state that follows the last step
    int64_t* observations          # the same


cdef class Rollout:
    cdef Run run
    cdef Beliefs D
    cdef BatchedInference inference
    cdef SampledEnvironment environment
    cdef readonly list qs, prior
    cdef readonly object q_pi, neg_efe, actions, states, observations, key
    cdef readonly bint distributions
    cdef list _kept
    cdef Key* _keys


cdef Py_ssize_t max_choices(const Run* run) noexcept nogil
cdef void choose(const Run* run, Py_ssize_t agent, Key key, const double* q_pi, int32_t* action,
                 double* scratch) noexcept nogil
cdef void record(const Run* run, Py_ssize_t agent, Py_ssize_t step, const int32_t* state,
                 const int32_t* codes) noexcept nogil
cdef bint is_shared(const BatchedTables* t, const SharedPolicies* p) noexcept
