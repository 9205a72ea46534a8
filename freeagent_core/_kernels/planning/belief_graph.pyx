"""The hash-consed belief graph: equal predicted beliefs are one, and have one number.

Two beliefs of a factor are one if their supports and weights are equal to the bit, so merging
changes no result; the successor of a belief under an action is computed once, and the terms of
G of a combination of beliefs once, however many policies and steps lead there. In a
deterministic world the cost of a step thus grows with the number of states in reach.

What is left out: weights at or below WEIGHT_THRESHOLD (2^-52, half an ulp of a belief's sum)
in models of up to 10^4 states a factor, proportionally less in larger ones. pymdp's
log(x + 1e-16) leaves tails of that size in every state (1e-16 after a surprise, 1e-32 else),
which would keep beliefs apart that differ nowhere else. The bound: states below exp(-16) count
in no information gain, so only utility (at most 36.9 nats, as -log(1e-16)) and inductive cost
(6.9) change, by less than 1e-10 a step, and 1e-12 with 100 states. The parameter information
gain has no such bound: with `use_param_info_gain` nothing is left out.

Measured (benchmarks/peers.py, cue chaining, policy_len 4, 780 predicted beliefs of the
location): 288 us a step without merging, 10 us with it.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from freeagent_core._kernels.base.growable_array cimport reserve
from freeagent_core._kernels.base.hash_table cimport (
    Slot, clear_table, first_slot, mix_hash, next_slot, reserve_slot,
)
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.graph_memory cimport Graph
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group
from freeagent_core._kernels.planning.expected_free_energy cimport neg_pB_info_gain, support_terms


# Up to so many entries are summed in a sorted list, instead of in an array of all states.
cdef Py_ssize_t MAX_SORTED_ENTRIES = 8
cdef double WEIGHT_THRESHOLD = 2.220446049250313e-16  # 2^-52
cdef Py_ssize_t MAX_THRESHOLD_STATES = 10000


# The weight at or below which a state is left out of a belief: 0 with use_param_info_gain, else
# 2^-52 * 10^4 / max(qs_size, 10^4) (the bound is at the top of this file). Cost: constant.
cdef double weight_threshold(const Model* model, const EFEParameters* parameters) noexcept nogil:
    if parameters.use_param_info_gain:
        return 0.0
    return WEIGHT_THRESHOLD * MAX_THRESHOLD_STATES / max(model.qs_size, MAX_THRESHOLD_STATES)


# Empties the graph and enters the present beliefs: q_f becomes belief number f, without weights
# at or below the threshold. Returns 0, or -1 without memory. Cost: qs_size.
cdef int reset_graph(const Model* model, const EFEParameters* parameters, const double* qs,
                     Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef const Factor* factor
    cdef Py_ssize_t f, count
    graph.weight_threshold = weight_threshold(model, parameters)
    graph.num_beliefs = graph.num_entries = graph.num_group_values = 0
    clear_table(&graph.beliefs)
    clear_table(&graph.group_values)
    if reserve(&graph.point_mass_belief, model.qs_size * <Py_ssize_t>sizeof(int32_t)) != 0:
        return -1
    memset(graph.point_mass_belief.data, 0xff, model.qs_size * sizeof(int32_t))
    for f in range(model.num_factors):
        factor = &model.factors[f]
        count = P.support(qs + factor.offset, factor.num_states, graph.weight_threshold,
                          work.support_state, work.support_weight)
        if is_point_mass(factor, work.support_weight, count, graph.weight_threshold):
            work.support_weight[0] = 1.0
        if _intern_belief(model, f, work.support_state, work.support_weight, count, work) < 0:
            return -1
    return 0


# Doubles the room for beliefs. Returns 0, or -1 without memory. Cost: constant per belief,
# amortised.
cdef int _grow_beliefs(Graph* graph, Py_ssize_t max_controls) noexcept nogil:
    cdef Py_ssize_t capacity = max(2 * graph.belief_capacity, 64)
    if (reserve(&graph.belief_factor, capacity * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.belief_start, capacity * <Py_ssize_t>sizeof(Py_ssize_t)) != 0
            or reserve(&graph.belief_count, capacity * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.belief_node, capacity * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.point_mass_state, capacity * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.inductive, capacity * <Py_ssize_t>sizeof(double)) != 0
            or reserve(&graph.child, capacity * max_controls * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.neg_pB_gain,
                       capacity * max_controls * <Py_ssize_t>sizeof(double)) != 0):
        return -1
    graph.belief_capacity = capacity
    return 0


# Doubles the room for weights. Returns 0, or -1 without memory. Cost: constant per weight,
# amortised.
cdef int _grow_entries(Graph* graph, Py_ssize_t needed) noexcept nogil:
    cdef Py_ssize_t capacity = max(2 * graph.entry_capacity, needed, 256)
    if (reserve(&graph.state, capacity * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.weight, capacity * <Py_ssize_t>sizeof(double)) != 0):
        return -1
    graph.entry_capacity = capacity
    return 0


# all(state == other_state) and all(bits == other_bits). Cost: count comparisons (memcmp costs
# more than a handful of them).
cdef bint _equal_supports(const int32_t* state, const int32_t* other_state, const uint64_t* bits,
                          const uint64_t* other_bits, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        if state[k] != other_state[k] or bits[k] != other_bits[k]:
            return False
    return True


# The number of this belief of `factor`: the existing one, or a new one (hash-consing: Ershov,
# "On programming of arithmetic operations", 1958), or -1 without memory.
# Cost: one multiplication per state of the support, and as many comparisons.
cdef int32_t _intern_belief(const Model* model, Py_ssize_t factor, const int32_t* state,
                            const double* weight, Py_ssize_t count, Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef const Factor* f = &model.factors[factor]
    cdef int32_t* point_masses = <int32_t*>graph.point_mass_belief.data + f.offset
    cdef const uint64_t* bits = <const uint64_t*>weight
    cdef bint point_mass = count == 1 and weight[0] == 1.0
    cdef uint64_t hash = <uint64_t>factor + 1
    cdef Slot* slot = NULL
    cdef Py_ssize_t k, start
    cdef int32_t number
    if point_mass:
        if point_masses[state[0]] >= 0:
            return point_masses[state[0]]
    else:
        for k in range(count):
            hash = mix_hash(hash + <uint64_t>state[k], bits[k])
        if reserve_slot(&graph.beliefs) != 0:
            return -1
        slot = first_slot(&graph.beliefs, hash)
        while slot.stamp == graph.beliefs.stamp:
            if slot.hash == hash:
                number = slot.number
                start = (<Py_ssize_t*>graph.belief_start.data)[number]
                if ((<int32_t*>graph.belief_factor.data)[number] == factor
                        and (<int32_t*>graph.belief_count.data)[number] == count
                        and _equal_supports(<int32_t*>graph.state.data + start, state,
                                            <uint64_t*>graph.weight.data + start, bits, count)):
                    return number
            slot = next_slot(&graph.beliefs, slot)
    if (graph.num_beliefs == graph.belief_capacity
            and _grow_beliefs(graph, model.max_controls) != 0):
        return -1
    if (graph.num_entries + count > graph.entry_capacity
            and _grow_entries(graph, graph.num_entries + count) != 0):
        return -1
    number = <int32_t>graph.num_beliefs
    if point_mass:
        point_masses[state[0]] = number
    else:
        slot.stamp, slot.hash, slot.number = graph.beliefs.stamp, hash, number
        graph.beliefs.used += 1
    start = graph.num_entries
    for k in range(count):
        (<int32_t*>graph.state.data)[start + k] = state[k]
        (<double*>graph.weight.data)[start + k] = weight[k]
    (<int32_t*>graph.belief_node.data)[number] = -1
    (<int32_t*>graph.point_mass_state.data)[number] = state[0] if point_mass else -1
    (<int32_t*>graph.belief_factor.data)[number] = <int32_t>factor
    (<Py_ssize_t*>graph.belief_start.data)[number] = start
    (<int32_t*>graph.belief_count.data)[number] = <int32_t>count
    for k in range(number * model.max_controls, (number + 1) * model.max_controls):
        (<int32_t*>graph.child.data)[k] = -1
    if model.has_inductive:
        (<double*>graph.inductive.data)[number] = _inductive_cost_of(
            f, work.inductive_row[factor], state, weight, count)
    graph.num_entries += count
    graph.num_beliefs += 1
    return number


# sum_k weight[k] * cost[row, state[k]]: pymdp.legacy.control.calc_inductive_cost of a support.
# Cost: count.
cdef double _inductive_cost_of(const Factor* f, int32_t row, const int32_t* state,
                               const double* weight, Py_ssize_t count) noexcept nogil:
    cdef double value = 0.0
    cdef Py_ssize_t k
    if f.inductive_cost == NULL or row < 0:
        return 0.0
    for k in range(count):
        value += weight[k] * f.inductive_cost[row * f.num_states + state[k]]
    return value


# weights[k] = prod_f q_f(s_f) over the supports, index[k] the joint state: pymdp's spm_cross.
# Returns how many. Cost: the product of the supports' sizes.
cdef Py_ssize_t _joint_support(const Model* model, Graph* graph, const int32_t* factors,
                               const int32_t* beliefs, Py_ssize_t num_factors, int32_t* index,
                               double* weights) noexcept nogil:
    cdef Py_ssize_t f, i, j, start, count, num_joint = 1
    cdef const int32_t* state
    cdef const double* weight
    cdef double w
    cdef int32_t base
    index[0], weights[0] = 0, 1.0
    for f in range(num_factors):
        start = (<Py_ssize_t*>graph.belief_start.data)[beliefs[f]]
        count = (<int32_t*>graph.belief_count.data)[beliefs[f]]
        state = <int32_t*>graph.state.data + start
        weight = <double*>graph.weight.data + start
        for i in range(num_joint - 1, -1, -1):  # from the end: in place
            base = index[i] * <int32_t>model.factors[factors[f]].num_states
            w = weights[i]
            for j in range(count):
                index[i * count + j] = base + state[j]
                weights[i * count + j] = w * weight[j]
        num_joint *= count
    return num_joint


# q'(s) = sum_p B[s, p, action] q(p): the number of the belief of `factor` after `action`, from the
# beliefs `parents` of its dependencies, and minus the information gain about pB of that transition.
# pymdp.legacy.control.get_expected_states_interactions. -1 without memory.
# Cost: a lookup if the factor depends on itself alone and the edge is known, else a prediction.
cdef int32_t next_belief(const Model* model, const EFEParameters* parameters, Py_ssize_t factor,
                         Py_ssize_t action, const int32_t* parents, double* neg_pB_gain,
                         Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef const Factor* f = &model.factors[factor]
    cdef bint itself = f.num_dependencies == 1 and f.dependencies[0] == factor
    cdef Py_ssize_t at = parents[0] * model.max_controls + action
    cdef int32_t number
    if itself and (<int32_t*>graph.child.data)[at] >= 0:
        neg_pB_gain[0] = (<double*>graph.neg_pB_gain.data)[at]
        return (<int32_t*>graph.child.data)[at]
    number = _predict_belief(model, parameters, factor, action, parents, neg_pB_gain, work)
    if itself and number >= 0:
        (<int32_t*>graph.child.data)[at] = number
        (<double*>graph.neg_pB_gain.data)[at] = neg_pB_gain[0]
    return number


# out[s] = sum_p B[s, p, action] q(p), without weights at or below the threshold, interned.
# pymdp.legacy.control.get_expected_states_interactions. Returns its number, or -1 without memory.
# Cost: the nonzeros of the support's columns, or count * num_states if B is dense.
cdef int32_t _predict_belief(const Model* model, const EFEParameters* parameters, Py_ssize_t factor,
                             Py_ssize_t action, const int32_t* parents, double* neg_pB_gain,
                             Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef const Factor* f = &model.factors[factor]
    cdef const int32_t* index
    cdef const double* weights
    cdef const int32_t* column
    cdef double* out = work.row
    cdef Py_ssize_t k, e, count, entries = 0, next_count = -1
    cdef int32_t only_state
    cdef double only_weight
    cdef bint use_pB_gain = parameters.use_param_info_gain and f.wB != NULL
    neg_pB_gain[0] = 0.0
    if f.num_dependencies == 1:
        k = (<Py_ssize_t*>graph.belief_start.data)[parents[0]]
        count = (<int32_t*>graph.belief_count.data)[parents[0]]
        index, weights = <int32_t*>graph.state.data + k, <double*>graph.weight.data + k
    else:
        count = _joint_support(model, graph, f.dependencies, parents, f.num_dependencies,
                               work.index, work.weights)
        index, weights = work.index, work.weights
    if f.is_sparse[action]:
        column = f.sparse_start + action * f.num_previous
        if count == 1 and column[index[0] + 1] == column[index[0]] + 1 and not use_pB_gain:
            e = column[index[0]]
            only_state, only_weight = f.sparse_state[e], weights[0] * f.sparse_B[e]
            return _intern_belief(model, factor, &only_state, &only_weight, 1, work)
        if count <= MAX_SORTED_ENTRIES:
            for k in range(count):
                entries += column[index[k] + 1] - column[index[k]]
        if entries and entries <= MAX_SORTED_ENTRIES:
            next_count = _sum_sorted(f, column, index, weights, count, graph.weight_threshold, work)
        else:
            memset(out, 0, f.stride * sizeof(double))
            for k in range(count):
                for e in range(column[index[k]], column[index[k] + 1]):
                    out[f.sparse_state[e]] += weights[k] * f.sparse_B[e]
    else:
        P.sparse_gemv_t(weights, f.B + action * f.num_previous * f.stride, index, count, f.stride,
                        out)
    if next_count < 0:
        next_count = P.support(out, f.num_states, graph.weight_threshold, work.support_state,
                               work.support_weight)
    if use_pB_gain:
        neg_pB_gain[0] = neg_pB_info_gain(f, action, index, weights, count, work.support_state,
                                          work.support_weight, next_count, work)
    return _intern_belief(model, factor, work.support_state, work.support_weight, next_count, work)


# work.support_state and work.support_weight = sum_k weights[k] * column(index[k]) > threshold, by
# insertion into a sorted list: for columns of few entries. The sums are those of the dense way, to
# the bit. Returns how many. Cost: the square of the number of entries, at most 64.
cdef Py_ssize_t _sum_sorted(const Factor* f, const int32_t* column, const int32_t* index,
                            const double* weights, Py_ssize_t count, double weight_threshold,
                            Workspace* work) noexcept nogil:
    cdef int32_t* state = work.support_state
    cdef double* weight = work.support_weight
    cdef Py_ssize_t k, e, at, i, n = 0
    cdef int32_t s
    for k in range(count):
        for e in range(column[index[k]], column[index[k] + 1]):
            s = f.sparse_state[e]
            at = n
            while at > 0 and state[at - 1] > s:
                at -= 1
            if at > 0 and state[at - 1] == s:
                weight[at - 1] += weights[k] * f.sparse_B[e]
                continue
            for i in range(n, at, -1):
                state[i], weight[i] = state[i - 1], weight[i - 1]
            state[at], weight[at] = s, weights[k] * f.sparse_B[e]
            n += 1
    at = 0
    for k in range(n):
        if weight[k] > weight_threshold:
            state[at], weight[at] = state[k], weight[k]
            at += 1
    return at


# support_terms of the beliefs of group g's factors. pymdp.legacy.control, as there.
# Cost: the product of the supports' sizes, then that of support_terms.
cdef double support_terms_of(const Model* model, const EFEParameters* parameters, Py_ssize_t g,
                             Py_ssize_t step, const int32_t* beliefs,
                             Workspace* work) noexcept nogil:
    cdef const Group* group = &model.groups[g]
    cdef Py_ssize_t count = _joint_support(model, work.graph, group.factors, beliefs,
                                           group.num_factors, work.index, work.weights)
    return support_terms(model, parameters, group, step, work.index, work.weights, count, work)


# memo[g, step, beliefs] = support_terms_of, computed once per combination of beliefs (and step,
# where utilities depend on it). Memoisation: Michie, "Memo functions and machine learning", 1968.
# Cost: a lookup, or that of support_terms_of.
cdef double group_terms_of(const Model* model, const EFEParameters* parameters, Py_ssize_t g,
                           Py_ssize_t step, const int32_t* beliefs, Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef const Group* group = &model.groups[g]
    cdef int32_t key[MAX_FACTORS + 2]
    cdef Py_ssize_t length = group.num_factors + 2, max_length = model.num_factors + 2
    cdef Py_ssize_t i, capacity
    cdef Slot* slot = NULL
    cdef uint64_t hash = 0
    cdef double value
    cdef int32_t* keys
    key[0], key[1] = <int32_t>g, <int32_t>step if group.num_utility_steps > 1 else 0
    memcpy(key + 2, beliefs, group.num_factors * sizeof(int32_t))
    for i in range(length):
        hash = mix_hash(hash, <uint64_t>key[i] + 1)
    if reserve_slot(&graph.group_values) == 0:
        slot = first_slot(&graph.group_values, hash)
        while slot.stamp == graph.group_values.stamp:
            if slot.hash == hash and memcmp(
                    <int32_t*>graph.group_key.data + slot.number * max_length, key,
                    length * sizeof(int32_t)) == 0:
                return (<double*>graph.group_value.data)[slot.number]
            slot = next_slot(&graph.group_values, slot)
    value = support_terms_of(model, parameters, g, step, beliefs, work)
    if slot == NULL:  # no memory to keep it: the next one computes it again
        return value
    if graph.num_group_values == graph.group_value_capacity:
        capacity = max(2 * graph.group_value_capacity, 64)
        if (reserve(&graph.group_key, capacity * max_length * <Py_ssize_t>sizeof(int32_t)) != 0
                or reserve(&graph.group_value, capacity * <Py_ssize_t>sizeof(double)) != 0):
            return value
        graph.group_value_capacity = capacity
    slot.stamp, slot.hash = graph.group_values.stamp, hash
    slot.number = <int32_t>graph.num_group_values
    graph.group_values.used += 1
    keys = <int32_t*>graph.group_key.data
    memcpy(keys + graph.num_group_values * max_length, key, length * sizeof(int32_t))
    (<double*>graph.group_value.data)[graph.num_group_values] = value
    graph.num_group_values += 1
    return value
