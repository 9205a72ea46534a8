"""Policies over a tree laid out when the model was packed, for dense transitions.

`freeagent_core._policy_tree` numbers the nodes: a *factor node* is one belief of one factor
after one distinct action sequence, a *group node* one distinct combination of factor nodes
that a group of modalities depends on, a *prefix* one distinct beginning of policies. Each is
computed once; G of a policy is the sum of the values along its prefixes.

Nodes of one factor and action stand together, so that their beliefs are one matrix product,
and so are the expected outcomes of a group of one factor. A group of several factors sums
them out one at a time, in the order that was cheapest when the model was packed, and nodes
that share the first factors' beliefs share the partial sums.

All of this counts states that the mask of the information gain leaves out. Where none of
them can be (the product of the least weights of the factors is above the mask) that
changes nothing; elsewhere what they added is taken off again.

Beliefs of the last step are needed for nothing but their expected outcomes. For groups of one
factor these come from the beliefs before by one product with ``ahead`` (B times the outcomes,
made when the model was packed) in the place of two.

Measured (benchmarks/peers.py), us a step: 3 factors of 8, 52 before, 9 with shared partial
sums; dense, 128 states, 192 before, 60 with matrix products.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from freeagent_core._kernels.belief_update cimport predict
from freeagent_core._kernels.packed_model cimport (
    FIRSTS_AT_ONCE, MAX_FACTORS, ROWS_AT_ONCE, Factor, Group, PolicyTree, joint_belief,
)
from freeagent_core._kernels.primitives cimport FC_MASK, P
from freeagent_core._kernels.step_values cimport (
    NOT_FINITE, find_inductive_rows, group_value, transition_novelty,
)


# policy_evaluation.evaluate_policies.
cdef int evaluate_tree(const Model* model, const EFEParameters* parameters, const double* qs,
                       Workspace* work) noexcept nogil:
    cdef Py_ssize_t first_leaf = _first_leaf(model, parameters)
    _predict_nodes(model, parameters, qs, first_leaf, work)
    _value_groups(model, parameters, first_leaf, work)
    return tree_posterior(model, parameters, work)


# From which factor node on beliefs are not needed.
cdef Py_ssize_t _first_leaf(const Model* model, const EFEParameters* parameters) noexcept nogil:
    cdef const Group* group
    cdef Py_ssize_t g
    if (model.has_inductive or parameters.use_param_info_gain
            or not parameters.use_states_info_gain):
        return model.tree.num_factor_nodes
    for g in range(model.num_groups):
        group = &model.groups[g]
        if group.ahead == NULL or (group.num_utility_steps > 1 and parameters.use_utility):
            return model.tree.num_factor_nodes
    return model.tree.first_leaf


# work.G_new and work.q_pi_new from the values of the nodes.
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
        work.q_pi_new[i] = work.G_new[i] * parameters.gamma + model.log_E[i]
    P.softmax(work.q_pi_new, tree.num_policies, work.q_pi_new)
    return 0 if isfinite(P.sum(work.q_pi_new, tree.num_policies)) else NOT_FINITE


# --- beliefs -----------------------------------------------------------------------------------


# Beliefs of the factor nodes before first_leaf (a parent stands before its children; the roots are the
# current beliefs), and the part of G that depends on one factor only.
# Cost: that of `predict` per node; a matrix product for nodes of one factor and action.
cdef void _predict_nodes(const Model* model, const EFEParameters* parameters, const double* qs,
                         Py_ssize_t first_leaf, Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const double* previous[MAX_FACTORS]
    cdef const double* sources[ROWS_AT_ONCE]
    cdef double* results[ROWS_AT_ONCE]
    cdef bint novelty = parameters.use_param_info_gain and model.has_wB
    cdef const Factor* f
    cdef double* belief
    cdef Py_ssize_t i, k, node, count, action
    if model.has_inductive:
        find_inductive_rows(model, qs, work)
    for i in range(model.num_factors):
        f = &model.factors[i]
        memcpy(work.beliefs + tree.node_offset[i], qs + f.offset, f.num_states * sizeof(double))
        work.lowest[i] = P.min(qs + f.offset, f.num_states)
    i = model.num_factors
    while i < first_leaf:
        f = &model.factors[tree.node_factor[i]]
        action = tree.node_action[i]
        count = 0
        while (count < ROWS_AT_ONCE and i + count < first_leaf
               and tree.node_factor[i + count] == tree.node_factor[i]
               and tree.node_action[i + count] == action):
            node = i + count
            sources[count] = work.beliefs + tree.node_offset[
                tree.node_parents[tree.node_parent_start[node]]]
            results[count] = work.beliefs + tree.node_offset[node]
            count += 1
        if f.num_dependencies == 1 and not f.is_sparse[action]:
            P.rows_product(sources, count, f.num_previous,
                           f.B + action * f.num_previous * f.stride, f.stride, results)
        for node in range(i, i + count):
            belief = work.beliefs + tree.node_offset[node]
            for k in range(f.num_dependencies):
                previous[k] = work.beliefs + tree.node_offset[
                    tree.node_parents[tree.node_parent_start[node] + k]]
            if f.num_dependencies > 1 or f.is_sparse[action]:
                predict(model, tree.node_factor[i], action, previous, work, belief)
            if parameters.use_states_info_gain:
                work.lowest[node] = work.least[node] = P.min(belief, f.num_states)
                if work.lowest[node] <= 0.0:
                    work.least[node] = P.least_above_zero(belief, f.num_states)
            work.factor_value[node] = 0.0
            if novelty and f.wB != NULL:
                work.factor_value[node] -= _novelty(model, f, action, previous, belief, work)
            if f.inductive_cost != NULL and work.inductive_row[tree.node_factor[i]] >= 0:
                work.factor_value[node] += P.dot(
                    f.inductive_cost + work.inductive_row[tree.node_factor[i]] * f.num_states,
                    belief, f.num_states)
        i += count


cdef double _novelty(const Model* model, const Factor* f, Py_ssize_t action,
                     const double** previous, const double* belief, Workspace* work) noexcept nogil:
    cdef Py_ssize_t[MAX_FACTORS] sizes
    cdef Py_ssize_t d, count, next_count
    for d in range(f.num_dependencies):
        sizes[d] = model.factors[f.dependencies[d]].num_states
    cdef const double* x = joint_belief(previous, sizes, f.num_dependencies, work.joint,
                                        work.largest_joint)
    count = P.above(x, f.num_previous, 0.0, work.index, work.weights)
    next_count = P.above(belief, f.num_states, 0.0, work.support_state, work.support_weight)
    return transition_novelty(f, action, work.index, work.weights, count, work.support_state,
                              work.support_weight, next_count, work)


# --- values of groups --------------------------------------------------------------------------


# work.group_value of all group nodes: step_values.group_value of each.
cdef void _value_groups(const Model* model, const EFEParameters* parameters,
                        Py_ssize_t first_leaf, Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef EFEParameters novelty_only = parameters[0]
    cdef const Group* group
    cdef Py_ssize_t i = 0, node, stop
    cdef bint columns
    novelty_only.use_utility = novelty_only.use_states_info_gain = False
    while i < tree.num_group_nodes:
        group = &model.groups[tree.group_of[i]]
        stop = i + 1
        while (stop < tree.num_group_nodes and tree.group_of[stop] == tree.group_of[i]
               and tree.group_step[stop] == tree.group_step[i]):
            stop += 1
        # sparse modalities and utilities of several steps are no columns of `outcomes`
        columns = (parameters.use_states_info_gain and group.sparse_start == NULL
                   and (group.num_utility_steps == 1 or not parameters.use_utility))
        if columns and tree.group_factor_nodes[tree.group_start[i]] >= first_leaf:
            _multiply_ahead(model, parameters, group, i, stop, work)
        elif columns and group.num_factors == 1:
            _multiply(model, parameters, group, i, stop, work)
        elif columns:
            _contract(model, parameters, group, 0, group.contraction,
                      group.num_joint * group.outcome_stride, i, stop, work.partial, work)
        for node in range(i, stop):
            if not columns:
                work.group_value[node] = _one_by_one(model, parameters, group, node, work)
            elif parameters.use_param_info_gain and group.novelty_wA != NULL:
                work.group_value[node] += _one_by_one(model, &novelty_only, group, node, work)
        i = stop


cdef double _one_by_one(const Model* model, const EFEParameters* parameters, const Group* group,
                        Py_ssize_t node, Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    _parts_of(model, node, parts, work)
    return group_value(model, parameters, group, model.tree.group_step[node], parts, work)


# The beliefs of a group node; returns the product of their least weights above zero.
cdef double _parts_of(const Model* model, Py_ssize_t node, const double** parts,
                      Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const int32_t* nodes = tree.group_factor_nodes + tree.group_start[node]
    cdef Py_ssize_t k
    cdef double least = 1.0
    for k in range(tree.group_start[node + 1] - tree.group_start[node]):
        parts[k] = work.beliefs + tree.node_offset[nodes[k]]
        least *= work.least[nodes[k]]
    return least


# Utility and information gain from expected `outcomes` (num_outcomes, then ambiguity and
# utility) and their neg_entropy, after what masked states have added is taken off.
cdef double _value_of(const Model* model, const EFEParameters* parameters, const Group* group,
                      double* outcomes, double neg_entropy, const double** parts, bint masked,
                      Workspace* work) noexcept nogil:
    cdef double value = 0.0
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const double* q
    cdef Py_ssize_t k, count, num_masked = 0
    if parameters.use_utility:
        value = outcomes[group.num_outcomes + 1]
    if masked:
        for k in range(group.num_factors):
            sizes[k] = model.factors[group.factors[k]].num_states
        q = joint_belief(parts, sizes, group.num_factors, work.joint, work.largest_joint)
        count = P.above(q, group.num_joint, 0.0, work.index, work.weights)
        for k in range(count):
            if work.weights[k] <= FC_MASK:
                work.weights[num_masked], work.index[num_masked] = work.weights[k], work.index[k]
                num_masked += 1
        P.weighted_rows(work.weights, group.outcomes, work.index, num_masked,
                        group.outcome_stride, work.row)
        P.axpy(-1.0, work.row, outcomes, group.outcome_stride)
        for k in range(group.num_outcomes):  # what rounding leaves of an outcome
            outcomes[k] = max(outcomes[k], 0.0)
        neg_entropy = P.neg_entropy(outcomes, group.num_outcomes)
    return value + outcomes[group.num_outcomes] - neg_entropy


# A group of one factor: beliefs (nodes, states) times outcomes (states, columns).
cdef void _multiply(const Model* model, const EFEParameters* parameters, const Group* group,
                    Py_ssize_t start, Py_ssize_t stop, Workspace* work) noexcept nogil:
    cdef const double* parts[ROWS_AT_ONCE]
    cdef double* rows[ROWS_AT_ONCE]
    cdef double least[ROWS_AT_ONCE]
    cdef double neg_entropies[ROWS_AT_ONCE]
    cdef Py_ssize_t k, node = start, count
    while node < stop:
        count = min(ROWS_AT_ONCE, stop - node)
        for k in range(count):
            least[k] = _parts_of(model, node + k, parts + k, work)
            rows[k] = work.rows + k * group.outcome_stride
        P.rows_product(parts, count, group.num_joint, group.outcomes, group.outcome_stride, rows)
        P.neg_entropies(work.rows, count, group.outcome_stride, group.num_outcomes, neg_entropies)
        for k in range(count):
            work.group_value[node + k] = _value_of(model, parameters, group, rows[k],
                                                   neg_entropies[k], parts + k,
                                                   least[k] <= FC_MASK, work)
        node += count


# The same for beliefs of the last step, from the beliefs before: times B and outcomes at once.
cdef void _multiply_ahead(const Model* model, const EFEParameters* parameters, const Group* group,
                          Py_ssize_t start, Py_ssize_t stop, Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const Factor* f = &model.factors[group.factors[0]]
    cdef const double* sources[ROWS_AT_ONCE]
    cdef const double* predicted
    cdef double* rows[ROWS_AT_ONCE]
    cdef double least[ROWS_AT_ONCE]
    cdef double neg_entropies[ROWS_AT_ONCE]
    cdef Py_ssize_t k, node = start, leaf, parent, count, action
    while node < stop:
        action = tree.node_action[tree.group_factor_nodes[tree.group_start[node]]]
        count = 0
        while count < ROWS_AT_ONCE and node + count < stop:
            leaf = tree.group_factor_nodes[tree.group_start[node + count]]
            if tree.node_action[leaf] != action:
                break
            parent = tree.node_parents[tree.node_parent_start[leaf]]
            sources[count] = work.beliefs + tree.node_offset[parent]
            least[count] = work.lowest[parent] * group.ahead_least[action]
            rows[count] = work.rows + count * group.outcome_stride
            count += 1
        P.rows_product(sources, count, f.num_previous,
                       group.ahead + action * f.num_previous * group.outcome_stride,
                       group.outcome_stride, rows)
        P.neg_entropies(work.rows, count, group.outcome_stride, group.num_outcomes, neg_entropies)
        for k in range(count):
            if least[k] > FC_MASK:
                work.group_value[node + k] = _value_of(model, parameters, group, rows[k],
                                                       neg_entropies[k], NULL, False, work)
                continue
            leaf = tree.group_factor_nodes[tree.group_start[node + k]]
            predicted = work.beliefs + tree.node_offset[leaf]
            predict(model, group.factors[0], action, sources + k, work, <double*>predicted)
            work.group_value[node + k] = _value_of(
                model, parameters, group, rows[k], neg_entropies[k], &predicted,
                P.least_above_zero(predicted, f.num_states) <= FC_MASK, work)
        node += count


# A group of several factors: with T_0 the outcomes (s_1, ..., s_F, columns) in the order of
# the contraction,  T_k = sum_{s_k} q_k(s_k) T_{k-1}[s_k]  and T_F the expected outcomes.
# Nodes are sorted by their factor nodes in that order, so those that share the first ones
# share T_k; several beliefs of a factor share the reading of T_{k-1}.
# From `tensor` = T_level, of `size` doubles, for the nodes [start, stop), which share it.
# Cost: sum_k (distinct combinations of the first k beliefs) * (size of T_{k-1}).
cdef void _contract(const Model* model, const EFEParameters* parameters, const Group* group,
                    Py_ssize_t level, const double* tensor, Py_ssize_t size, Py_ssize_t start,
                    Py_ssize_t stop, double* partial, Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const double* parts[MAX_FACTORS]
    cdef const double* sources[ROWS_AT_ONCE]
    cdef double* results[ROWS_AT_ONCE]
    cdef double neg_entropies[ROWS_AT_ONCE]
    cdef Py_ssize_t first[ROWS_AT_ONCE + 1]  # node of each belief
    cdef Py_ssize_t position = group.contraction_order[level]
    cdef Py_ssize_t num_states = model.factors[group.factors[position]].num_states
    cdef bint last = level == group.num_factors - 1
    cdef Py_ssize_t most = ROWS_AT_ONCE if last else FIRSTS_AT_ONCE
    cdef Py_ssize_t node = start, belief, before, count, k
    cdef double least
    size //= num_states
    while node < stop:
        count, before = 0, -1
        while node < stop:
            belief = tree.group_factor_nodes[tree.group_start[node] + position]
            if belief != before:
                if count == most:
                    break
                sources[count] = work.beliefs + tree.node_offset[belief]
                results[count] = (work.rows if last else partial) + count * size
                first[count] = node
                count += 1
                before = belief
            node += 1
        first[count] = node
        P.rows_product(sources, count, num_states, tensor, size, results)
        if last:
            P.neg_entropies(work.rows, count, size, group.num_outcomes, neg_entropies)
        for k in range(count):
            if last:
                least = _parts_of(model, first[k], parts, work)
                work.group_value[first[k]] = _value_of(model, parameters, group, results[k],
                                                       neg_entropies[k], parts,
                                                       least <= FC_MASK, work)
            else:
                _contract(model, parameters, group, level + 1, results[k], size, first[k],
                          first[k + 1], partial + FIRSTS_AT_ONCE * size, work)
