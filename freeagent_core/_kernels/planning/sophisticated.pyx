"""Sophisticated inference: a search over actions and the outcomes they may have.

The tree is walked depth first with one frame of memory per level, so that the memory is
known before the search and grows with the horizon, not with the tree.
"""

from libc.math cimport isfinite
from libc.string cimport memcpy

from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport INTERRUPTED, NOT_FINITE
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, first_action
from freeagent_core._kernels.inference.fixed_point_iteration cimport infer_posterior, predict_all
from freeagent_core._kernels.inference.predicted_outcomes cimport predict_outcomes
from freeagent_core._kernels.planning.expected_free_energy cimport (
    calc_inductive_cost, first_step_terms,
)


cdef struct Frame:                 # one level of the search
    double* qs                     # (qs_size,): beliefs at this level
    double* predicted              # (num_policies, qs_size): beliefs after each policy's action
    double* outcomes               # (num_policies, num_obs_total): expected outcomes
    double* G                      # (num_policies,)
    double* q_pi                   # (num_policies,)
    Py_ssize_t* observation        # (num_modalities,): the outcomes on the path


# Doubles of one Frame: qs_size (1 + P) + P (num_obs_total + 2) + num_modalities, P policies,
# rounded up to 8. Cost: constant.
cdef Py_ssize_t _frame_size(const Model* model) noexcept nogil:
    cdef Py_ssize_t num_policies = model.tree.num_policies
    return (model.qs_size * (1 + num_policies)
            + num_policies * (model.num_obs_total + 2) + model.num_modalities + 7) // 8 * 8


# A search that needs more memory than this is refused before it starts.
cdef Py_ssize_t MAX_SEARCH_BYTES = 1 << 30


# horizon * _frame_size, the doubles that a search needs; MemoryError if that is too much. With
# the GIL. Cost: constant.
cdef Py_ssize_t search_size(const Model* model, Py_ssize_t horizon) except -1:
    cdef Py_ssize_t frame = _frame_size(model)
    if horizon > MAX_SEARCH_BYTES // <Py_ssize_t>sizeof(double) // frame:
        raise MemoryError(
            f"si_horizon {horizon} with {model.tree.num_policies} policies needs "
            f"more than {MAX_SEARCH_BYTES >> 20} MiB")
    return horizon * frame


# Points `frame` into memory[level * _frame_size]. Cost: constant.
cdef void _frame_at(const Model* model, double* memory, Py_ssize_t level,
                    Frame* frame) noexcept nogil:
    cdef Py_ssize_t num_policies = model.tree.num_policies
    frame.qs = memory + level * _frame_size(model)
    frame.predicted = frame.qs + model.qs_size
    frame.outcomes = frame.predicted + num_policies * model.qs_size
    frame.G = frame.outcomes + num_policies * model.num_obs_total
    frame.q_pi = frame.G + num_policies
    frame.observation = <Py_ssize_t*>(frame.q_pi + num_policies)


# work.G_new, work.q_pi_new = sophisticated inference from beliefs qs; work.qs_new = qs
#   G_n(pi) = utility + information gain + inductive cost of the predicted beliefs; then,
#   above the horizon, - prune_penalty where softmax(gamma G) < policy_prune_threshold, else
#   + sum_o p(o | pi) q_pi_{n+1} . G_{n+1} over the outcomes o with p(o | pi) not below
#   state_prune_threshold, from the beliefs that o leads to
# pymdp.legacy.control.sophisticated_inference_search. Friston, Da Costa, Hafner, Hesp and Parr,
# "Sophisticated inference", Neural Computation 33, 2021.
# Returns 0, NOT_FINITE or INTERRUPTED.
# Cost: a belief update and an evaluation of all policies per outcome that is not pruned.
cdef int sophisticated_search(const Model* model, const FPIParameters* fpi,
                              const SIParameters* parameters, const double* qs,
                              double* memory, Workspace* work) noexcept nogil:
    cdef Frame frame
    cdef Py_ssize_t num_policies = model.tree.num_policies
    cdef int status
    _frame_at(model, memory, 0, &frame)
    memcpy(frame.qs, qs, model.qs_size * sizeof(double))
    status = _search(model, fpi, parameters, memory, 0, work)
    if status != 0:
        return status
    memcpy(work.G_new, frame.G, num_policies * sizeof(double))
    memcpy(work.q_pi_new, frame.q_pi, num_policies * sizeof(double))
    # belief updates of the search overwrote these, and the caller may still need them
    memcpy(work.qs_new, frame.qs, model.qs_size * sizeof(double))
    return 0


# G and q_pi of the frame at `level` from its qs, by the recursion of sophisticated_search, to the
# depth of the horizon. pymdp.legacy.control.sophisticated_inference_search.
# Returns 0, NOT_FINITE or INTERRUPTED.
# Cost: _predict_policy per policy, and a search per outcome that is not pruned.
cdef int _search(const Model* model, const FPIParameters* fpi, const SIParameters* parameters,
                 double* memory, Py_ssize_t level, Workspace* work) noexcept nogil:
    cdef Frame frame
    cdef Py_ssize_t policy
    cdef double* outcomes
    cdef int status
    _frame_at(model, memory, level, &frame)
    if interrupted():
        return INTERRUPTED
    for policy in range(model.tree.num_policies):
        _predict_policy(model, &frame, policy, work)
    status = _posterior(model, &frame, parameters.gamma)
    if status != 0:
        return status
    if level >= parameters.horizon - 1:
        return 0
    for policy in range(model.tree.num_policies):
        if frame.q_pi[policy] < parameters.policy_prune_threshold:
            frame.G[policy] -= parameters.prune_penalty
            continue
        outcomes = frame.outcomes + policy * model.num_obs_total
        status = _expand_outcomes(model, fpi, parameters, memory, level, policy, outcomes, 0, 1.0,
                                  work)
        if status != 0:
            return status
    return _posterior(model, &frame, parameters.gamma)


# q_pi = softmax(gamma G). pymdp.legacy.control.sophisticated_inference_search.
# Returns 0 or NOT_FINITE. Cost: an exponential per policy.
cdef int _posterior(const Model* model, Frame* frame, double gamma) noexcept nogil:
    cdef Py_ssize_t policy
    for policy in range(model.tree.num_policies):
        frame.q_pi[policy] = frame.G[policy] * gamma
    P.softmax(frame.q_pi, model.tree.num_policies, frame.q_pi)
    return 0 if isfinite(P.sum(frame.q_pi, model.tree.num_policies)) else NOT_FINITE


# Predicted beliefs and outcomes q(o) = sum_s A[o, s] q(s) of one policy, and
# G = utility + information gain + inductive cost of this step. pymdp.legacy.control.
# get_expected_states_interactions, get_expected_obs_factorized, as in the search.
# Cost: a prediction per factor, the terms of G per group, num_obs * num_joint per modality.
cdef void _predict_policy(const Model* model, Frame* frame, Py_ssize_t policy,
                          Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef Py_ssize_t actions[MAX_FACTORS]
    cdef double* predicted = frame.predicted + policy * model.qs_size
    cdef double* outcomes = frame.outcomes + policy * model.num_obs_total
    cdef const Group* group
    cdef const double* joint
    cdef Py_ssize_t f, g
    for f in range(model.num_factors):
        actions[f] = first_action(model, policy)[f]
    predict_all(model, frame.qs, actions, work, predicted)
    frame.G[policy] = calc_inductive_cost(model, frame.qs, predicted, work)
    for g in range(model.num_groups):
        group = &model.groups[g]
        for f in range(group.num_factors):
            parts[f] = predicted + model.factors[group.factors[f]].offset
            sizes[f] = model.factors[group.factors[f]].num_states
        frame.G[policy] += first_step_terms(model, group, parts, work)
        joint = joint_belief(parts, sizes, group.num_factors, work.joint, work.max_joint)
        predict_outcomes(model, group, joint, outcomes)


# G[policy] += sum_o p(o) q_pi_{n+1} . G_{n+1}, over the outcomes of modality `m` and those after
# it, whose joint probability so far is `probability`. That only falls, so a branch below the
# threshold ends here. pymdp.legacy.control.sophisticated_inference_search.
# Returns 0, NOT_FINITE or INTERRUPTED. Cost: a belief update and a search per
# combination of outcomes that is not pruned.
cdef int _expand_outcomes(const Model* model, const FPIParameters* fpi,
                          const SIParameters* parameters, double* memory,
                          Py_ssize_t level, Py_ssize_t policy,
                          const double* outcomes, Py_ssize_t m, double probability,
                          Workspace* work) noexcept nogil:
    cdef Frame frame
    cdef Frame next_frame
    cdef Py_ssize_t o
    cdef int status
    _frame_at(model, memory, level, &frame)
    if m < model.num_modalities:
        for o in range(model.modalities[m].num_obs):
            if probability * outcomes[o] < parameters.state_prune_threshold:
                continue
            frame.observation[m] = o
            status = _expand_outcomes(model, fpi, parameters, memory, level, policy,
                                      outcomes + model.modalities[m].num_obs, m + 1,
                                      probability * outcomes[o], work)
            if status != 0:
                return status
        return 0
    _frame_at(model, memory, level + 1, &next_frame)
    memcpy(work.prior, frame.predicted + policy * model.qs_size, model.qs_size * sizeof(double))
    status = infer_posterior(model, fpi, frame.observation, False, False, work)
    if status != 0:
        return status
    memcpy(next_frame.qs, work.qs_new, model.qs_size * sizeof(double))
    status = _search(model, fpi, parameters, memory, level + 1, work)
    if status != 0:
        return status
    frame.G[policy] += probability * P.dot(next_frame.q_pi, next_frame.G, model.tree.num_policies)
    return 0
