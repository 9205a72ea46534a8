"""Policies of eight agents at once, one a lane: `policy_tree` for small models.

The same tree on rows of eight doubles (csrc/lanes.h): a belief per factor node, the terms of G per
group node, a sum per prefix. The matrices are the model's, so that each of their entries is read
once for eight agents; all outcomes of a group are one matrix. Of agents that learn they are arrays
of lanes too, gathered before.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.lane_model cimport LANES, LaneGroup, joint_in_lanes
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, Model, PolicyTree
from freeagent_core._kernels.planning.expected_free_energy cimport EQUAL_BELIEFS


# memory.G = sum of the values of a policy's prefixes, memory.q_pi = softmax(gamma G + log E), from
# the beliefs memory.qs. pymdp.legacy.control.update_posterior_policies_factorized.
# Cost: a product per factor node, the joint, its expected outcomes and their logarithms per group
# node, an addition per prefix and group, an exponential per policy; an eighth for each agent.
cdef void evaluate_in_lanes(const LaneModel* lanes, LaneMemory* memory,
                            const EFEParameters* parameters) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef bint pB_gain = parameters.use_param_info_gain and model.has_wB
    if model.has_inductive:
        _find_inductive_costs(lanes, memory)
    memcpy(memory.beliefs, memory.qs, LANES * lanes.num_states * sizeof(double))
    _predict_nodes(lanes, memory, pB_gain)
    _evaluate_groups(lanes, memory, parameters)
    P.lanes.prefix_sums(memory.group_value, tree.prefix_group_nodes, tree.num_prefixes,
                        model.num_groups, tree.prefix_parent, memory.prefix_value)
    if model.has_inductive or pB_gain:
        P.lanes.prefix_sums(memory.factor_value, tree.prefix_factor_nodes, tree.num_prefixes,
                            model.num_factors, tree.prefix_parent, memory.other_prefix_value)
        P.axpy(1.0, memory.other_prefix_value, memory.prefix_value, LANES * tree.num_prefixes)
    P.lanes.policy_posterior(memory.prefix_value, tree.policy_prefix, tree.num_policies,
                             parameters.gamma, model.log_E, memory.G, memory.q_pi)


# q_n(s) = sum_p B[s, p, u] q_parent(p) for each factor node (the first nodes are the present
# beliefs), and factor_value = information gain about pB + inductive cost.
# pymdp.legacy.control.get_expected_states_interactions, calc_pB_info_gain_interactions and
# calc_inductive_cost. Cost: num_previous * num_states per node, twice with pB.
cdef void _predict_nodes(const LaneModel* lanes, LaneMemory* memory, bint pB_gain) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef const Factor* f
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const int32_t* parents
    cdef const double* x
    cdef double* belief
    cdef Py_ssize_t i, d, factor, action, row, own
    memset(memory.factor_value, 0, LANES * tree.num_factor_nodes * sizeof(double))
    for i in range(model.num_factors, tree.num_factor_nodes):
        factor, action = tree.node_factor[i], tree.node_action[i]
        f = &model.factors[factor]
        parents = tree.node_parents + tree.node_parent_start[i]
        for d in range(f.num_dependencies):
            parts[d] = memory.beliefs + LANES * lanes.node_start[parents[d]]
            sizes[d] = model.factors[f.dependencies[d]].num_states
        x = joint_in_lanes(parts, sizes, f.num_dependencies, lanes.max_joint, memory.joint)
        belief = memory.beliefs + LANES * lanes.node_start[i]
        row = action * f.num_previous
        own = LANES * (lanes.B_start[factor] + row * f.num_states)
        P.lanes.matmul(memory.B + own if lanes.own else lanes.B[factor] + row * f.num_states,
                       lanes.own, f.num_states, 1, x, f.num_previous, f.num_states, belief)
        if pB_gain and f.wB != NULL:
            P.lanes.matmul(memory.wB + own if lanes.own else f.wB + row * f.stride, lanes.own,
                           f.num_states if lanes.own else f.stride, 1, x, f.num_previous,
                           f.num_states, memory.row)
            P.lanes.dot(-1.0, memory.row, belief, f.num_states, memory.factor_value + LANES * i)
        if f.inductive_cost != NULL:
            P.lanes.dot(1.0, memory.inductive_cost + LANES * lanes.state_start[factor], belief,
                        f.num_states, memory.factor_value + LANES * i)


# memory.inductive_cost[s] = (1 - I) log(1e-3) of the row that applies to each agent's likeliest
# state, as find_inductive_rows has it; 0 if none does. pymdp.legacy.control.calc_inductive_cost.
# Cost: 2 num_states per factor and lane.
cdef void _find_inductive_costs(const LaneModel* lanes, LaneMemory* memory) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const Factor* f
    cdef const double* qs
    cdef double* cost
    cdef Py_ssize_t i, s, best, lane, row
    for i in range(model.num_factors):
        f = &model.factors[i]
        if f.inductive_cost == NULL:
            continue
        qs = memory.qs + LANES * lanes.state_start[i]
        cost = memory.inductive_cost + LANES * lanes.state_start[i]
        for lane in range(LANES):
            best = 0
            for s in range(1, f.num_states):
                if qs[LANES * s + lane] > qs[LANES * best + lane] + EQUAL_BELIEFS:
                    best = s
            row = f.inductive_row[best]
            for s in range(f.num_states):
                cost[LANES * s + lane] = (f.inductive_cost[row * f.num_states + s] if row >= 0
                                          else 0.0)


# memory.group_value = group_value_in_lanes per group node. Cost: that of each.
cdef void _evaluate_groups(const LaneModel* lanes, LaneMemory* memory,
                           const EFEParameters* parameters) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef const double* parts[MAX_FACTORS]
    cdef const int32_t* nodes
    cdef Py_ssize_t i, k
    memset(memory.group_value, 0, LANES * tree.num_group_nodes * sizeof(double))
    for i in range(tree.num_group_nodes):
        nodes = tree.group_factor_nodes + tree.group_start[i]
        for k in range(model.groups[tree.group_of[i]].num_factors):
            parts[k] = memory.beliefs + LANES * lanes.node_start[nodes[k]]
        add_group_value(lanes, memory, parameters, tree.group_of[i], tree.group_step[i], parts,
                        memory.group_value + LANES * i)


# value += utility + information gain about states + that about pA of one group at one step, given
# the beliefs `parts` of its factors, as expected_free_energy.support_terms.
# pymdp.legacy.control.calc_expected_utility, calc_states_info_gain_factorized and
# calc_pA_info_gain_factorized.
# Cost: the joint, num_joint * num_outcomes (three times with pA), a logarithm per outcome.
cdef void add_group_value(const LaneModel* lanes, LaneMemory* memory,
                          const EFEParameters* parameters, Py_ssize_t index, Py_ssize_t step,
                          const double** parts, double* value) noexcept nogil:
    cdef const Group* group = &lanes.model.groups[index]
    cdef const LaneGroup* own = &lanes.groups[index]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const double* q
    cdef const double* A
    cdef const double* wA
    cdef const double* ambiguity
    cdef Py_ssize_t k, wA_stride, stride, row
    for k in range(group.num_factors):
        sizes[k] = lanes.model.factors[group.factors[k]].num_states
    q = joint_in_lanes(parts, sizes, group.num_factors, lanes.max_joint, memory.joint)
    if lanes.own:
        A = memory.A + LANES * own.A_start
        wA, wA_stride = memory.wA + LANES * own.A_start, own.num_outcomes
        ambiguity, stride = memory.neg_ambiguity + LANES * own.likelihood_start, 1
    else:
        A, wA, wA_stride = own.A, group.wA_by_state, group.wA_stride
        ambiguity, stride = group.outcomes + group.num_outcomes, group.outcome_stride
    if parameters.use_utility:
        row = step * group.num_joint if group.num_utility_steps > 1 else 0
        if lanes.own:
            P.lanes.dot(1.0, q, memory.utility + LANES * (own.utility_start + row),
                        group.num_joint, value)
        else:
            P.lanes.shared_dot(q, group.utility + row, group.num_joint, value)
    if parameters.use_states_info_gain:
        P.lanes.states_info_gain(q, group.num_joint, ambiguity, stride, A, lanes.own,
                                 own.num_outcomes, memory.row, memory.other_row, value)
    if parameters.use_param_info_gain and group.wA_by_state != NULL:
        P.lanes.matmul(wA, lanes.own, wA_stride, 1, q, group.num_joint, own.num_outcomes,
                       memory.row)
        P.lanes.matmul(A, lanes.own, 1, group.num_joint, q, group.num_joint, own.num_outcomes,
                       memory.other_row)
        P.lanes.dot(-1.0, memory.row, memory.other_row, own.num_outcomes, value)
