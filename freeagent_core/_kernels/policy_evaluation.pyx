"""Policy evaluation: the (negative) expected free energy G of every policy, and q(pi).

The policies are a tree that was laid out when the model was packed
(`freeagent_core._policy_tree`): a *factor node* is one belief of one factor after one
distinct action sequence, a *group node* one distinct combination of factor nodes that
a group of modalities depends on, a *prefix* one distinct beginning of policies. Each is
computed once; G of a policy is the sum of the values along its prefixes.

The expected utility comes from ``utility``, a dot product over states, so that expected
outcomes are needed only for the states that the mask of the information gain lets through.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from freeagent_core._kernels.belief_update cimport predict
from freeagent_core._kernels.packed_model cimport (
    MAX_FACTORS, Factor, Group, PolicyTree, joint_belief,
)
from freeagent_core._kernels.primitives cimport FC_MASK, P


cdef double EQUAL_BELIEFS = 1e-12


# work.G_new[pi] = sum_t sum_g (utility + information gains) + sum_t sum_f (inductive cost
# + novelty of pB); work.q_pi_new = softmax(G * gamma + log(E + 1e-16))
# pymdp.legacy.control.update_posterior_policies_factorized.
# Returns 0, or -1 if q_pi is not finite.
cdef int evaluate_policies(const Model* model, const EFEParameters* parameters, const double* qs,
                           Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef bint novelty_B = parameters.use_param_info_gain and model.has_wB
    cdef bint factor_values = novelty_B or model.has_inductive
    cdef const int32_t* nodes
    cdef const double* parts[MAX_FACTORS]
    cdef const Group* group
    cdef Py_ssize_t i, g, f
    cdef double value
    _predict_nodes(model, qs, novelty_B, factor_values, work)
    for i in range(tree.num_group_nodes):
        group = &model.groups[tree.group_of[i]]
        nodes = tree.group_factor_nodes + tree.group_start[i]
        for f in range(group.num_factors):
            parts[f] = work.beliefs + tree.node_offset[nodes[f]]
        work.group_value[i] = _group_value(model, parameters, group, tree.group_step[i], parts, work)
    for i in range(tree.num_prefixes):
        value = 0.0
        nodes = tree.prefix_group_nodes + i * model.num_groups
        for g in range(model.num_groups):
            value += work.group_value[nodes[g]]
        if factor_values:
            nodes = tree.prefix_factor_nodes + i * model.num_factors
            for f in range(model.num_factors):
                value += work.factor_value[nodes[f]]
        if tree.prefix_parent[i] >= 0:
            value += work.prefix_value[tree.prefix_parent[i]]
        work.prefix_value[i] = value
    for i in range(tree.num_policies):
        work.G_new[i] = work.prefix_value[tree.policy_prefix[i]]
        work.q_pi_new[i] = work.G_new[i] * parameters.gamma + model.log_E[i]
    P.softmax(work.q_pi_new, tree.num_policies, work.q_pi_new)
    return 0 if isfinite(P.sum(work.q_pi_new, tree.num_policies)) else -1


# Beliefs of all factor nodes (a parent stands before its children; the roots are the
# current beliefs), and the part of G that depends on one factor only.
cdef void _predict_nodes(const Model* model, const double* qs, bint novelty_B,
                         bint factor_values, Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const double* previous[MAX_FACTORS]
    cdef const Factor* f
    cdef double* belief
    cdef Py_ssize_t i, k, first
    if model.has_inductive:
        _inductive_rows(model, qs, work)
    for i in range(tree.num_factor_nodes):
        f = &model.factors[tree.node_factor[i]]
        belief = work.beliefs + tree.node_offset[i]
        first = tree.node_parent_start[i]
        if tree.node_parent_start[i + 1] == first:
            memcpy(belief, qs + f.offset, f.num_states * sizeof(double))
            continue
        for k in range(f.num_dependencies):
            previous[k] = work.beliefs + tree.node_offset[tree.node_parents[first + k]]
        predict(model, tree.node_factor[i], tree.node_action[i], previous, work, belief)
        if not factor_values:
            continue
        work.factor_value[i] = 0.0
        if novelty_B and f.wB != NULL:
            work.factor_value[i] -= _transition_novelty(model, f, tree.node_action[i], previous,
                                                        belief, work)
        if f.inductive_cost != NULL and work.inductive_row[tree.node_factor[i]] >= 0:
            work.factor_value[i] += P.dot(
                f.inductive_cost + work.inductive_row[tree.node_factor[i]] * f.num_states,
                belief, f.num_states)


# The row of the inductive cost that holds now: the last before the goal comes in reach of
# the likeliest state. pymdp.legacy.control.calc_inductive_cost, where np.argmax takes the
# first of equals; beliefs that are equal but for rounding count as equal.
cdef void _inductive_rows(const Model* model, const double* qs, Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef Py_ssize_t i, s, best
    for i in range(model.num_factors):
        f = &model.factors[i]
        work.inductive_row[i] = -1
        if f.inductive_row == NULL:
            continue
        best = 0
        for s in range(1, f.num_states):
            if qs[f.offset + s] > qs[f.offset + best] + EQUAL_BELIEFS:
                best = s
        work.inductive_row[i] = f.inductive_row[best]


# sum_f sum_s I_f[row, s] q_f(s) over beliefs of all factors, for the rows that hold now
cdef double _inductive_cost(const Model* model, const double* qs, Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef double value = 0.0
    cdef Py_ssize_t i
    for i in range(model.num_factors):
        f = &model.factors[i]
        if f.inductive_cost != NULL and work.inductive_row[i] >= 0:
            value += P.dot(f.inductive_cost + work.inductive_row[i] * f.num_states, qs + f.offset,
                           f.num_states)
    return value


# The inductive cost of beliefs `predicted` from the present ones, `qs`: calc_inductive_cost.
cdef double inductive_value(const Model* model, const double* qs, const double* predicted,
                            Workspace* work) noexcept nogil:
    if not model.has_inductive:
        return 0.0
    _inductive_rows(model, qs, work)
    return _inductive_cost(model, predicted, work)


# Utility and information gain about states of one group and the first step (_group_value).
cdef double step_value(const Model* model, const Group* group, const double** parts,
                       Workspace* work) noexcept nogil:
    cdef EFEParameters parameters
    parameters.gamma = 1.0
    parameters.use_utility = True
    parameters.use_states_info_gain = True
    parameters.use_param_info_gain = False
    return _group_value(model, &parameters, group, 0, parts, work)


# sum_s q(s) sum_p wB[s, p, action] q(p): minus the information gain about pB, for one
# factor and step. pymdp.legacy.control.calc_pB_info_gain_interactions.
cdef double _transition_novelty(const Model* model, const Factor* f, Py_ssize_t action,
                                const double** previous, const double* belief,
                                Workspace* work) noexcept nogil:
    cdef Py_ssize_t[MAX_FACTORS] sizes
    cdef Py_ssize_t d, count
    for d in range(f.num_dependencies):
        sizes[d] = model.factors[f.dependencies[d]].num_states
    cdef const double* x = joint_belief(previous, sizes, f.num_dependencies, work.joint,
                                        work.largest_joint)
    count = P.above(x, f.num_previous, 0.0, work.index)
    P.weighted_rows(x, f.wB + action * f.num_previous * f.stride, work.index, count, f.stride,
                    work.row)
    return P.dot(work.row, belief, f.num_states)


# One step of G that depends on the joint belief q(s) of one group's factors:
#   utility        sum_s q(s) sum_m sum_o A_m[o, s] log C_m[o]          (calc_expected_utility)
#   states         sum_s q(s) sum_o A[o, s] log(A[o, s] + exp(-16)) - sum_o q(o) log(q(o) + 1e-16),
#                  q(o) = sum_s A[o, s] q(s), over the s with q(s) > exp(-16)   (spm_MDP_G)
#   parameters     - sum_o q(o) sum_s wA[o, s] q(s)               (calc_pA_info_gain_factorized)
# The first term of `states` is the last column of `outcomes`.
# Cost: num_joint + (states above the mask) * num_outcomes multiply-adds, num_outcomes logs.
cdef double _group_value(const Model* model, const EFEParameters* parameters,
                         const Group* group, Py_ssize_t step, const double** parts,
                         Workspace* work) noexcept nogil:
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef Py_ssize_t k, count
    cdef double value = 0.0
    for k in range(group.num_factors):
        sizes[k] = model.factors[group.factors[k]].num_states
    cdef const double* q = joint_belief(parts, sizes, group.num_factors, work.joint,
                                        work.largest_joint)
    if parameters.use_utility:
        if group.num_utility_steps == 1:
            step = 0
        value += P.dot(group.utility + step * group.num_joint, q, group.num_joint)
    if parameters.use_states_info_gain:
        count = P.above(q, group.num_joint, FC_MASK, work.index)
        P.weighted_rows(q, group.outcomes, work.index, count, group.outcome_stride, work.row)
        value += work.row[group.num_outcomes] - P.neg_entropy(work.row, group.num_outcomes)
    if parameters.use_param_info_gain and group.novelty_wA != NULL:
        count = P.above(q, group.num_joint, 0.0, work.index)
        P.weighted_rows(q, group.novelty_A, work.index, count, group.novelty_stride, work.row)
        P.weighted_rows(q, group.novelty_wA, work.index, count, group.novelty_stride,
                        work.row + group.novelty_stride)
        value -= P.dot(work.row, work.row + group.novelty_stride, group.novelty_stride)
    return value


# G of policies whose beliefs are given step by step: pymdp.legacy.control's
# update_posterior_policies_full_factorized. `qs` has num_steps beliefs for each policy,
# `stride` doubles from one policy to the next; row r is policy order[r].
#   work.q_pi_new = softmax(G * gamma - F + log(E + 1e-16))
# The inductive cost takes the average of the first beliefs under softmax(E), `average`.
# Returns 0, or -1 if q_pi is not finite. Cost: that of a group node per policy and step.
cdef int evaluate_sequences(const Model* model, const EFEParameters* parameters,
                            const double* qs, Py_ssize_t stride, Py_ssize_t num_steps,
                            const Py_ssize_t* order, const double* F, const double* average,
                            Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef const double* belief
    cdef const Group* group
    cdef Py_ssize_t row, step, g, f, num_policies = model.tree.num_policies
    cdef double value
    if model.has_inductive:
        _inductive_rows(model, average, work)
    for row in range(num_policies):
        value = 0.0
        for step in range(num_steps):
            belief = qs + row * stride + step * model.qs_size
            for g in range(model.num_groups):
                group = &model.groups[g]
                for f in range(group.num_factors):
                    parts[f] = belief + model.factors[group.factors[f]].offset
                value += _group_value(model, parameters, group, step, parts, work)
            value += _inductive_cost(model, belief, work)
        work.G_new[order[row]] = value
        work.q_pi_new[order[row]] = value * parameters.gamma - F[row] + model.log_E[order[row]]
    P.softmax(work.q_pi_new, num_policies, work.q_pi_new)
    return 0 if isfinite(P.sum(work.q_pi_new, num_policies)) else -1
