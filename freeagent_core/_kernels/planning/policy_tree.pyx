"""Policies over a tree laid out when the model was packed, for dense transitions.

`freeagent_core._model.policy_tree` numbers the nodes: a *factor node* is one belief of one factor
after one distinct action sequence, a *group node* one distinct combination of factor nodes
that a group of modalities depends on, a *prefix* one distinct beginning of policies. Each is
computed once; G of a policy is the sum of the values along its prefixes.

Nodes of one factor and action are adjacent, so that their beliefs are one matrix product,
and so are the expected outcomes of a group of one factor; several agents of one model share
these products (each row is summed as if it were alone, so that they get the same bits). A
group of several factors sums them out one at a time, in the order that was cheapest when the
model was packed, and nodes that share the first factors' beliefs share the partial sums.

All of this includes states that the mask of the information gain leaves out. Where there can be
none (the product of the smallest weights of the factors is above the mask) that changes nothing;
elsewhere their share is subtracted again.

Beliefs of the last step are needed only for their expected outcomes. For groups of one factor
these come from the beliefs before by one product with ``next_outcomes`` (B times the outcomes,
made when the model was packed) instead of two.

Measured (benchmarks/peers.py), us a step: 3 factors of 8, 52 before, 6 with shared partial sums;
dense, 128 states, 190 before, 39 with matrix products, 28 where agents share them.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.primitives cimport FC_MASK, P
from freeagent_core._kernels.base.status cimport NOT_FINITE
from freeagent_core._kernels.model.structs cimport (
    CONTRACTION_ROWS, GEMM_ROWS, MAX_FACTORS, Factor, Group, PolicyTree,
)
from freeagent_core._kernels.inference.fixed_point_iteration cimport predict
from freeagent_core._kernels.planning.expected_free_energy cimport (
    find_inductive_rows, group_terms, neg_pB_info_gain,
)


cdef struct Rows:                  # of a product that is being gathered
    Py_ssize_t count
    const double* sources[GEMM_ROWS]
    double* results[GEMM_ROWS]
    Py_ssize_t agent[GEMM_ROWS]
    Py_ssize_t node[GEMM_ROWS]
    double min_positive[GEMM_ROWS]   # a lower bound on the weights of the belief
    double total[GEMM_ROWS]        # their sum


cdef struct Tensor:                # partial sums T_k of a contraction
    const double* data
    Py_ssize_t size
    Py_ssize_t start, stop         # the group nodes that share it
    double min_positive            # the product of the smallest weights of the beliefs in it ...
    double total                   # ... and that of their sums


# G(pi) = sum of the values of its prefixes, q_pi = softmax(gamma G + log E), of one agent:
# pymdp.legacy.control.update_posterior_policies_factorized. Cost: that of evaluate_trees.
cdef int evaluate_tree(const Model* model, const EFEParameters* parameters, const double* qs,
                       Workspace* work) noexcept nogil:
    cdef int status
    evaluate_trees(model, parameters, &qs, &work, 1, &status)
    return status


# evaluate_tree of num_agents agents of one model, each with its own beliefs qs, workspace and
# status; they share matrix products. pymdp.legacy.control.update_posterior_policies_factorized.
# Cost: a product per factor node, an expected outcome and its logarithms per group node, an
# addition per prefix and group, an exponential per policy.
cdef void evaluate_trees(const Model* model, const EFEParameters* parameters, const double** qs,
                         Workspace** works, Py_ssize_t num_agents, int* status) noexcept nogil:
    cdef Py_ssize_t first_leaf = _first_leaf(model, parameters), agent
    _predict_nodes(model, parameters, qs, first_leaf, works, num_agents)
    _evaluate_groups(model, parameters, first_leaf, works, num_agents)
    for agent in range(num_agents):
        status[agent] = tree_posterior(model, parameters, works[agent])


# The first factor node whose belief nothing needs: tree.first_leaf where expected outcomes come
# from `next_outcomes`, else num_factor_nodes. Cost: num_groups.
cdef Py_ssize_t _first_leaf(const Model* model, const EFEParameters* parameters) noexcept nogil:
    cdef const Group* group
    cdef Py_ssize_t g
    if (model.has_inductive or parameters.use_param_info_gain
            or not parameters.use_states_info_gain):
        return model.tree.num_factor_nodes
    for g in range(model.num_groups):
        group = &model.groups[g]
        if group.next_outcomes == NULL or (group.num_utility_steps > 1 and parameters.use_utility):
            return model.tree.num_factor_nodes
    return model.tree.first_leaf


# prefix_value[i] = prefix_value[parent] + sum_g group_value + sum_f factor_value;
# work.G_new[pi] = prefix_value of its last prefix; work.q_pi_new = softmax(gamma G + log E).
# pymdp.legacy.control.update_posterior_policies_factorized. Returns 0 or NOT_FINITE.
# Cost: num_groups (+ num_factors) additions per prefix, an exponential per policy.
cdef int tree_posterior(const Model* model, const EFEParameters* parameters,
                        Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef bint factor_values = model.has_inductive or (parameters.use_param_info_gain
                                                      and model.has_wB)
    cdef const int32_t* nodes
    cdef Py_ssize_t i, g, f
    cdef double value
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
    return policy_posterior(model, parameters.gamma, work.G_new, work.q_pi_new)


# q_pi = softmax(G * gamma + log(E + 1e-16)); policies that are not enumerated have a constant E,
# which changes nothing. pymdp.legacy.control.update_posterior_policies_factorized.
# Returns 0 or NOT_FINITE. Cost: an exponential per policy.
cdef int policy_posterior(const Model* model, double gamma, const double* G,
                          double* q_pi) noexcept nogil:
    cdef Py_ssize_t p, num_policies = model.tree.num_policies
    for p in range(num_policies):
        q_pi[p] = G[p] * gamma
    if model.tree.num_enumerated:
        for p in range(num_policies):
            q_pi[p] += model.log_E[p]
    P.softmax(q_pi, num_policies, q_pi)
    return 0 if isfinite(q_pi[0]) else NOT_FINITE  # none is finite if their norm is not


# --- beliefs -----------------------------------------------------------------------------------


# q_n(s) = sum_p B[s, p, u] q_parent(p) for the factor nodes before first_leaf (a parent stands
# before its children; the roots are the current beliefs), and the terms of G that depend on one
# factor only. pymdp.legacy.control.get_expected_states_interactions.
# Cost: that of `predict` per node; one matrix product for nodes of one factor and action.
cdef void _predict_nodes(const Model* model, const EFEParameters* parameters, const double** qs,
                         Py_ssize_t first_leaf, Workspace** works,
                         Py_ssize_t num_agents) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Rows rows
    cdef const Factor* f
    cdef Workspace* work
    cdef Py_ssize_t i, stop, node, agent, action
    for agent in range(num_agents):
        work = works[agent]
        if model.has_inductive:
            find_inductive_rows(model, qs[agent], work)
        for i in range(model.num_factors):
            f = &model.factors[i]
            memcpy(work.beliefs + tree.node_offset[i], qs[agent] + f.offset,
                   f.num_states * sizeof(double))
            work.min_weight[i] = P.min(qs[agent] + f.offset, f.num_states)
            work.total[i] = P.sum(qs[agent] + f.offset, f.num_states)
    i = model.num_factors
    while i < first_leaf:
        f = &model.factors[tree.node_factor[i]]
        action = tree.node_action[i]
        stop = i + 1
        # of one step: no node before its parent
        while (stop < first_leaf and tree.node_factor[stop] == tree.node_factor[i]
               and tree.node_action[stop] == action
               and tree.node_parents[tree.node_parent_start[stop]] < i):
            stop += 1
        if f.num_dependencies == 1 and not f.is_sparse[action]:
            rows.count = 0
            for node in range(i, stop):
                for agent in range(num_agents):
                    work = works[agent]
                    rows.sources[rows.count] = work.beliefs + tree.node_offset[
                        tree.node_parents[tree.node_parent_start[node]]]
                    rows.results[rows.count] = work.beliefs + tree.node_offset[node]
                    rows.count += 1
                    if rows.count == GEMM_ROWS or (node == stop - 1
                                                   and agent == num_agents - 1):
                        P.gemm(rows.sources, rows.count, f.num_previous,
                               f.B + action * f.num_previous * f.stride, f.stride, f.stride,
                               rows.results)
                        rows.count = 0
        for node in range(i, stop):
            for agent in range(num_agents):
                _complete_node(model, parameters, f, node, works[agent])
        i = stop


# Of one factor node: the belief, unless it is a row of a matrix product; its sum and minima;
# factor_value = inductive cost + information gain about pB.
# pymdp.legacy.control.calc_inductive_cost and calc_pB_info_gain_interactions.
# Cost: num_states, or that of `predict`; num_previous * num_states for pB.
cdef void _complete_node(const Model* model, const EFEParameters* parameters, const Factor* f,
                         Py_ssize_t node, Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const double* previous[MAX_FACTORS]
    cdef Py_ssize_t k, factor = tree.node_factor[node], action = tree.node_action[node]
    cdef double* belief = work.beliefs + tree.node_offset[node]
    for k in range(f.num_dependencies):
        previous[k] = work.beliefs + tree.node_offset[
            tree.node_parents[tree.node_parent_start[node] + k]]
    if f.num_dependencies > 1 or f.is_sparse[action]:
        predict(model, factor, action, previous, work, belief)
    if parameters.use_states_info_gain:
        work.total[node] = P.sum(belief, f.num_states)
        work.min_weight[node] = work.min_positive[node] = P.min(belief, f.num_states)
        if work.min_weight[node] <= 0.0:
            work.min_positive[node] = P.min_positive(belief, f.num_states)
    work.factor_value[node] = 0.0
    if parameters.use_param_info_gain and f.wB != NULL:
        work.factor_value[node] -= neg_pB_gain_of(model, f, action, previous, belief, work)
    if f.inductive_cost != NULL and work.inductive_row[factor] >= 0:
        work.factor_value[node] += P.dot(
            f.inductive_cost + work.inductive_row[factor] * f.num_states, belief, f.num_states)


# sum_s q(s) sum_p wB[s, p, action] q(p), minus the information gain about pB, of dense beliefs:
# pymdp.legacy.control.calc_pB_info_gain_interactions. Cost: num_previous * num_states.
cdef double neg_pB_gain_of(const Model* model, const Factor* f, Py_ssize_t action,
                           const double** previous, const double* belief,
                           Workspace* work) noexcept nogil:
    cdef Py_ssize_t[MAX_FACTORS] sizes
    cdef Py_ssize_t d, count, next_count
    for d in range(f.num_dependencies):
        sizes[d] = model.factors[f.dependencies[d]].num_states
    cdef const double* x = joint_belief(previous, sizes, f.num_dependencies, work.joint,
                                        work.max_joint)
    count = P.support(x, f.num_previous, 0.0, work.index, work.weights)
    next_count = P.support(belief, f.num_states, 0.0, work.support_state, work.support_weight)
    return neg_pB_info_gain(f, action, work.index, work.weights, count, work.support_state,
                            work.support_weight, next_count, work)


# --- terms of groups ---------------------------------------------------------------------------


# work.group_value[n] = group_terms of every group node n, by matrix products where all outcomes
# are columns and the utility is of one step. pymdp.legacy.control.calc_expected_utility,
# calc_states_info_gain_factorized and calc_pA_info_gain_factorized.
# Cost: that of _gemm_nodes or _contract_nodes, or of group_terms per node.
cdef void _evaluate_groups(const Model* model, const EFEParameters* parameters,
                           Py_ssize_t first_leaf, Workspace** works,
                           Py_ssize_t num_agents) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef EFEParameters pA_gain_only = parameters[0]
    cdef const Group* group
    cdef Workspace* work
    cdef Py_ssize_t i = 0, node, stop, agent
    cdef bint columns
    pA_gain_only.use_utility = pA_gain_only.use_states_info_gain = False
    while i < tree.num_group_nodes:
        group = &model.groups[tree.group_of[i]]
        stop = i + 1
        while (stop < tree.num_group_nodes and tree.group_of[stop] == tree.group_of[i]
               and tree.group_step[stop] == tree.group_step[i]):
            stop += 1
        # sparse modalities and utilities of several steps are no columns of `outcomes`
        columns = (parameters.use_states_info_gain and group.sparse_start == NULL
                   and (group.num_utility_steps == 1 or not parameters.use_utility))
        if columns and group.num_factors == 1:
            _gemm_nodes(model, parameters, group, i, stop, first_leaf, works, num_agents)
        for agent in range(num_agents):
            work = works[agent]
            if columns and group.num_factors > 1:
                _contract_nodes(model, parameters, group, i, stop, work)
            for node in range(i, stop):
                if not columns:
                    work.group_value[node] = _group_node_terms(model, parameters, group, node, work)
                elif parameters.use_param_info_gain and group.wA_by_state != NULL:
                    work.group_value[node] += _group_node_terms(model, &pA_gain_only, group, node,
                                                                work)
        i = stop


# group_terms of one group node. pymdp.legacy.control, as there. Cost: that of group_terms.
cdef double _group_node_terms(const Model* model, const EFEParameters* parameters,
                              const Group* group, Py_ssize_t node, Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    _parts_of(model, node, parts, work)
    return group_terms(model, parameters, group, model.tree.group_step[node], parts, work)


# parts[k] = the belief of the k-th factor of a group node. Cost: num_factors of the group.
cdef void _parts_of(const Model* model, Py_ssize_t node, const double** parts,
                    Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const int32_t* nodes = tree.group_factor_nodes + tree.group_start[node]
    cdef Py_ssize_t k
    for k in range(tree.group_start[node + 1] - tree.group_start[node]):
        parts[k] = work.beliefs + tree.node_offset[nodes[k]]


# work.group_value = q(o) . log C - sum_o q(o) log(q(o) + 1e-16) + q(s) . sum_o A log(A + exp(-16))
# from expected outcomes q(o), a row each; with masked states by _masked_terms.
# pymdp.legacy.control.calc_expected_utility and maths.spm_MDP_G. Cost: a logarithm per outcome.
cdef void _evaluate_outcomes(const Model* model, const EFEParameters* parameters,
                             const Group* group, Rows* rows, Workspace** works) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef const double* utility = NULL
    cdef double complement_utility = 0.0
    cdef double values[GEMM_ROWS]
    cdef Workspace* work
    cdef Py_ssize_t k
    if parameters.use_utility:
        utility, complement_utility = group.outcome_utility, group.complement_utility
    P.outcome_terms(works[0].rows, rows.count, group.outcome_stride, group.num_outcomes, utility,
                    rows.total, group.complement_start, group.num_complements, values)
    for k in range(rows.count):
        work = works[rows.agent[k]]
        values[k] += rows.results[k][group.num_outcomes] + complement_utility * rows.total[k]
        if rows.min_positive[k] <= FC_MASK:
            _parts_of(model, rows.node[k], parts, work)
            values[k] = _masked_terms(model, parameters, group, rows.results[k], rows.total[k],
                                      parts, work)
        work.group_value[rows.node[k]] = values[k]
    rows.count = 0


# q(o) . log C + gain(q(o) - sum_{s: q(s) <= exp(-16)} q(s) A[:, s]): _evaluate_outcomes of a belief
# with masked states, whose share is subtracted for the information gain. pymdp.legacy.maths.
# spm_MDP_G (its mask). Cost: num_outcomes per masked state, then a logarithm per outcome.
cdef double _masked_terms(const Model* model, const EFEParameters* parameters, const Group* group,
                          double* outcomes, double total, const double** parts,
                          Workspace* work) noexcept nogil:
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const double* q
    cdef Py_ssize_t k, count, num_masked = 0
    cdef double value = 0.0, gain
    if parameters.use_utility:
        value = (P.dot(group.outcome_utility, outcomes, group.outcome_stride)
                 + group.complement_utility * total)
    for k in range(group.num_factors):
        sizes[k] = model.factors[group.factors[k]].num_states
    q = joint_belief(parts, sizes, group.num_factors, work.joint, work.max_joint)
    count = P.support(q, group.num_joint, 0.0, work.index, work.weights)
    for k in range(count):
        if work.weights[k] <= FC_MASK:
            total -= work.weights[k]
            work.weights[num_masked], work.index[num_masked] = work.weights[k], work.index[k]
            num_masked += 1
    P.sparse_gemv_t(work.weights, group.outcomes, work.index, num_masked, group.outcome_stride,
                    work.row)
    P.axpy(-1.0, work.row, outcomes, group.outcome_stride)
    for k in range(group.num_outcomes):  # what rounding leaves of an outcome
        outcomes[k] = max(outcomes[k], 0.0)
    P.outcome_terms(outcomes, 1, group.outcome_stride, group.num_outcomes, NULL, &total,
                    group.complement_start, group.num_complements, &gain)
    return value + outcomes[group.num_outcomes] + gain


# A group of one factor: (beliefs of the nodes) @ (outcomes), shapes (nodes, states) and (states,
# columns); beliefs of the last step from those before, by @ (B @ outcomes), `next_outcomes`.
# pymdp.legacy.control.get_expected_obs_factorized. Cost: nodes * states * columns.
cdef void _gemm_nodes(const Model* model, const EFEParameters* parameters, const Group* group,
                      Py_ssize_t start, Py_ssize_t stop, Py_ssize_t first_leaf, Workspace** works,
                      Py_ssize_t num_agents) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Rows rows
    cdef Workspace* work
    cdef Py_ssize_t node, agent, belief, source, action = -1
    cdef bint from_previous
    rows.count = 0
    for node in range(start, stop):
        belief = tree.group_factor_nodes[tree.group_start[node]]
        from_previous = belief >= first_leaf
        if from_previous and tree.node_action[belief] != action:  # another matrix
            _evaluate_rows(model, parameters, group, action, &rows, works)
            action = tree.node_action[belief]
        source = tree.node_parents[tree.node_parent_start[belief]] if from_previous else belief
        for agent in range(num_agents):
            work = works[agent]
            rows.sources[rows.count] = work.beliefs + tree.node_offset[source]
            rows.results[rows.count] = works[0].rows + rows.count * group.outcome_stride
            rows.agent[rows.count], rows.node[rows.count] = agent, node
            rows.total[rows.count] = work.total[source]
            if from_previous:
                rows.min_positive[rows.count] = work.min_weight[source] * group.min_row_sum[action]
            else:
                rows.min_positive[rows.count] = work.min_positive[source]
            rows.count += 1
            if rows.count == GEMM_ROWS:
                _evaluate_rows(model, parameters, group, action, &rows, works)
    _evaluate_rows(model, parameters, group, action, &rows, works)


# q(o) = sum_s q(s) A[o, s] of the gathered rows, then _evaluate_outcomes. `action` is -1, or that
# of the step that `next_outcomes` predicts. pymdp.legacy.control.get_expected_obs_factorized.
# Cost: rows * states * columns; a prediction where the bound of the mask does not decide.
cdef void _evaluate_rows(const Model* model, const EFEParameters* parameters, const Group* group,
                         Py_ssize_t action, Rows* rows, Workspace** works) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t factor = group.factors[0], k, stride = group.outcome_stride
    cdef Py_ssize_t num_states = model.factors[factor].num_states
    cdef const double* matrix = group.outcomes
    cdef double* belief
    if rows.count == 0:
        return
    if action >= 0:
        matrix = group.next_outcomes + action * num_states * stride
    P.gemm(rows.sources, rows.count, num_states, matrix, stride, stride, rows.results)
    for k in range(rows.count):
        if action >= 0 and rows.min_positive[k] <= FC_MASK:  # the bound does not decide
            belief = works[rows.agent[k]].beliefs + tree.node_offset[
                tree.group_factor_nodes[tree.group_start[rows.node[k]]]]
            predict(model, factor, action, &rows.sources[k], works[rows.agent[k]], belief)
            rows.min_positive[k] = P.min_positive(belief, num_states)
    _evaluate_outcomes(model, parameters, group, rows, works)


# A group of several factors: with T_0 the outcomes (s_1, ..., s_F, columns) in the order of
# the contraction,  T_k = sum_{s_k} q_k(s_k) T_{k-1}[s_k]  and T_F the expected outcomes.
# Nodes are sorted by their factor nodes in that order, so those that share the first ones
# share T_k; several beliefs of a factor share the reading of T_{k-1}.
# pymdp.legacy.maths.spm_dot.
# Cost: sum_k (distinct combinations of the first k beliefs) * (size of T_{k-1}).
cdef void _contract_nodes(const Model* model, const EFEParameters* parameters, const Group* group,
                          Py_ssize_t start, Py_ssize_t stop, Workspace* work) noexcept nogil:
    cdef Rows rows
    cdef Tensor outcomes
    outcomes.data, outcomes.size = group.contraction, group.num_joint * group.outcome_stride
    outcomes.min_positive = outcomes.total = 1.0
    outcomes.start, outcomes.stop = start, stop
    rows.count = 0
    _contract(model, parameters, group, 0, &outcomes, work.partial, &rows, work)
    if rows.count:
        _evaluate_outcomes(model, parameters, group, &rows, &work)


# T_{level+1} = sum_s q(s) T_level[s], for the nodes that share T_level. Expected outcomes are
# gathered in `rows` and evaluated when it is full. pymdp.legacy.maths.spm_dot.
# Cost: (distinct beliefs of the next factor) * (size of T_level), and what follows below.
cdef void _contract(const Model* model, const EFEParameters* parameters, const Group* group,
                    Py_ssize_t level, const Tensor* tensor, double* partial, Rows* rows,
                    Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const double* sources[GEMM_ROWS]
    cdef double* results[GEMM_ROWS]
    cdef int32_t beliefs[GEMM_ROWS]
    cdef Py_ssize_t first[GEMM_ROWS + 1]  # node of each belief
    cdef Tensor sum_
    cdef Py_ssize_t position = group.contraction_order[level]
    cdef Py_ssize_t num_states = model.factors[group.factors[position]].num_states
    cdef bint last = level == group.num_factors - 1
    cdef Py_ssize_t node = tensor.start, count, k, max_rows = CONTRACTION_ROWS
    cdef Py_ssize_t size = tensor.size // num_states
    cdef int32_t belief, before
    while node < tensor.stop:
        if last:
            if rows.count == GEMM_ROWS:
                _evaluate_outcomes(model, parameters, group, rows, &work)
            max_rows = GEMM_ROWS - rows.count
        count, before = 0, -1
        while node < tensor.stop:
            belief = tree.group_factor_nodes[tree.group_start[node] + position]
            if belief != before:
                if count == max_rows:
                    break
                sources[count] = work.beliefs + tree.node_offset[belief]
                results[count] = (work.rows + (rows.count + count) * size if last
                                  else partial + count * size)
                first[count], beliefs[count] = node, belief
                count += 1
                before = belief
            node += 1
        first[count] = node
        P.gemm(sources, count, num_states, tensor.data, size, size, results)
        for k in range(count):
            sum_.min_positive = tensor.min_positive * work.min_positive[beliefs[k]]
            sum_.total = tensor.total * work.total[beliefs[k]]
            if last:
                rows.results[rows.count], rows.node[rows.count] = results[k], first[k]
                rows.min_positive[rows.count] = sum_.min_positive
                rows.total[rows.count] = sum_.total
                rows.agent[rows.count] = 0
                rows.count += 1
                continue
            sum_.data, sum_.size, sum_.start, sum_.stop = results[k], size, first[k], first[k + 1]
            _contract(model, parameters, group, level + 1, &sum_, partial + CONTRACTION_ROWS * size,
                      rows, work)
