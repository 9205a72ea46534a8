"""Policies over a belief graph: the cost grows with the distinct predicted beliefs.

Where the policies are all sequences of actions, no tree is laid out: the joint beliefs that
actions lead to are nodes of a graph, each once (once a step, where the utility depends on the
step), and a policy is a path through it. G of a policy is the sum of the values on its path:

    G(u_1 ... u_T) = sum_t value(node_t),  node_t = child(node_{t-1}, u_t)

If there are too many policies to enumerate (`tree.num_enumerated` is 0), a soft value backup
sums over them from the last step to the first,

    V_0 = 0,  V_n(node) = log sum_u exp(gamma * value(child_u) + V_{n-1}(child_u)),

so that q(u_1) = softmax_u(gamma * value(child_u) + V_{T-1}(child_u)) at the root: exactly the
sum of q(pi) over the policies that begin with u_1, for a constant prior E.

Other policies keep their tree (`freeagent_core._model.policy_tree`), whose nodes refer to the
graph.
"""

from libc.math cimport isfinite, log
from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp, memset

from freeagent_core._kernels.base.growable_array cimport reserve
from freeagent_core._kernels.base.hash_table cimport (
    Slot, clear_table, first_slot, mix_hash, next_slot, reserve_slot,
)
from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY, NOT_FINITE
from freeagent_core._kernels.model.graph_memory cimport Graph
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, PolicyTree
from freeagent_core._kernels.planning.belief_graph cimport (
    cached_successor, group_terms_of, next_belief, reset_graph, support_terms_of, weight_threshold,
)
from freeagent_core._kernels.planning.belief_matrices cimport evaluate_matrices, has_matrices
from freeagent_core._kernels.planning.deterministic_rollout cimport (
    rollout_states, rollout_with_tail,
)
from freeagent_core._kernels.planning.expected_free_energy cimport find_inductive_rows
from freeagent_core._kernels.planning.policy_tree cimport policy_posterior, tree_posterior


# After so many nodes Ctrl-C is looked for: a look costs a quarter of a small model's node.
cdef Py_ssize_t NODES_PER_LOOK = 64


# G(u_1 ... u_T) = sum_t value(node_t), q_pi = softmax(gamma G + log E), over the belief graph:
# pymdp.legacy.control.update_posterior_policies_factorized. Returns 0, NOT_FINITE, NO_MEMORY
# or INTERRUPTED. Cost: the terms of G once per distinct combination of beliefs, one lookup per
# distinct joint belief and action, one addition per enumerated policy and step.
cdef int evaluate_graph(const Model* model, const EFEParameters* parameters, const double* qs,
                        Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Graph* graph = work.graph
    cdef int status
    if model.has_inductive:
        find_inductive_rows(model, qs, work)
    if rollout_states(model, parameters, qs, work):
        graph.num_beliefs = graph.num_entries = graph.num_nodes = 0
        return policy_posterior(model, parameters.gamma, work.G_new, work.q_pi_new)
    if rollout_with_tail(model, parameters, qs, work):
        graph.num_beliefs = graph.num_entries = 0
        graph.num_nodes = model.tree.num_policies
        return policy_posterior(model, parameters.gamma, work.G_new, work.q_pi_new)
    if has_matrices(model, parameters) and (
            P.support(qs, model.factors[0].num_states, weight_threshold(model, parameters),
                      work.support_state, work.support_weight) > model.matrices.graph_support):
        graph.num_beliefs = graph.num_entries = 0
        graph.num_nodes = model.matrices.num_nodes
        return evaluate_matrices(model, parameters, qs, work)
    graph.has_edges = parameters.use_param_info_gain and model.has_wB
    if reset_graph(model, parameters, qs, work) != 0:
        return NO_MEMORY
    if tree.num_steps == 0:
        if _value_tree_nodes(model, parameters, work) != 0:
            return NO_MEMORY
        return tree_posterior(model, parameters, work)
    status = _build_nodes(model, parameters, work)
    if status != 0:
        return status
    if tree.num_enumerated == 0:
        return _soft_value_backup(model, parameters, work)
    return enumerate_policies(model, parameters, work)


# --- all sequences of actions ----------------------------------------------------------------


# Doubles the room for nodes. Returns 0, or -1 without memory. Cost: constant per node, amortised.
cdef int _grow_nodes(const Model* model, Graph* graph) noexcept nogil:
    cdef Py_ssize_t capacity = max(2 * graph.node_capacity, 64)
    if (reserve(&graph.node_beliefs,
                capacity * model.num_factors * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.node_step, capacity * <Py_ssize_t>sizeof(int32_t)) != 0
            or reserve(&graph.node_value, capacity * <Py_ssize_t>sizeof(double)) != 0
            or reserve(&graph.soft_value, 2 * capacity * <Py_ssize_t>sizeof(double)) != 0):
        return -1
    graph.node_capacity = capacity
    return 0


# Room for the children of one more node; those of the last step, the most numerous, have none.
# Returns 0, or -1 without memory. Cost: num_actions per node, amortised.
cdef int _grow_edges(const Model* model, Graph* graph) noexcept nogil:
    cdef Py_ssize_t capacity = max(2 * graph.expanded_capacity, 4), actions = model.tree.num_actions
    # use_param_info_gain may be set later, with the same memory
    if (reserve(&graph.node_child, capacity * actions * <Py_ssize_t>sizeof(int32_t)) != 0
            or (model.has_wB and reserve(
                &graph.edge_value, capacity * actions * <Py_ssize_t>sizeof(double)) != 0)):
        return -1
    graph.expanded_capacity = capacity
    return 0


# number = table[step, beliefs]: the existing node of this joint belief, or a new one, or -1 without
# memory (hash-consing: Ershov, 1958, as in belief_graph.pyx). `step` counts the actions before it,
# from 0, and is 0 where utilities do not depend on it. With one factor and no steps the caller has
# looked at belief_node.
# Cost: a hash of num_factors numbers and about one comparison; _node_terms of a new one.
cdef int32_t _intern_node(const Model* model, const EFEParameters* parameters, Py_ssize_t step,
                          const int32_t* beliefs, Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef Py_ssize_t f, num_factors = model.num_factors
    cdef bint direct = num_factors == 1 and not model.time_dependent
    cdef int32_t* node_beliefs = <int32_t*>graph.node_beliefs.data
    cdef uint64_t hash = <uint64_t>step
    cdef int32_t number
    cdef Slot* slot = NULL
    if not direct:
        for f in range(num_factors):
            hash = mix_hash(hash, <uint64_t>beliefs[f] + 1)
        if reserve_slot(&graph.nodes) != 0:
            return -1
        slot = first_slot(&graph.nodes, hash)
        while slot.stamp == graph.nodes.stamp:
            if (slot.hash == hash and (<int32_t*>graph.node_step.data)[slot.number] == step
                    and memcmp(node_beliefs + slot.number * num_factors, beliefs,
                               num_factors * sizeof(int32_t)) == 0):
                return slot.number
            slot = next_slot(&graph.nodes, slot)
    if graph.num_nodes == graph.node_capacity:
        if _grow_nodes(model, graph) != 0:
            return -1
        node_beliefs = <int32_t*>graph.node_beliefs.data
    number = <int32_t>graph.num_nodes
    graph.num_nodes += 1
    if direct:
        (<int32_t*>graph.belief_node.data)[beliefs[0]] = number
    else:
        slot.stamp, slot.hash, slot.number = graph.nodes.stamp, hash, number
        graph.nodes.used += 1
    (<int32_t*>graph.node_step.data)[number] = <int32_t>step
    for f in range(num_factors):
        node_beliefs[number * num_factors + f] = beliefs[f]
    (<double*>graph.node_value.data)[number] = _node_terms(model, parameters, step, beliefs, work)
    return number


# value(node) = sum_g (terms of G of the group) + sum_f (inductive cost): one step of
# pymdp.legacy.control.update_posterior_policies_factorized.
# Cost: that of support_terms per group, or a lookup where the combination is known.
cdef double _node_terms(const Model* model, const EFEParameters* parameters, Py_ssize_t step,
                        const int32_t* beliefs, Workspace* work) noexcept nogil:
    cdef const Group* group
    cdef int32_t members[MAX_FACTORS]
    cdef Py_ssize_t f, g
    cdef double value = 0.0
    for g in range(model.num_groups):
        group = &model.groups[g]
        for f in range(group.num_factors):
            members[f] = beliefs[group.factors[f]]
        if group.num_factors == model.num_factors:  # each combination comes once
            value += support_terms_of(model, parameters, g, step, members, work)
        else:
            value += group_terms_of(model, parameters, g, step, members, work)
    if model.has_inductive:
        for f in range(model.num_factors):
            value += (<double*>work.graph.inductive.data)[beliefs[f]]
    return value


# child(node, u) = the node of (next_belief(f, u_f) for all factors f), for all nodes that fewer
# than num_steps actions lead to, breadth first: a transposition table (Greenblatt, Eastlake and
# Crocker, "The Greenblatt chess program", 1967). Returns 0, NO_MEMORY or INTERRUPTED.
# Cost: a lookup per distinct joint belief and action.
cdef int _build_nodes(const Model* model, const EFEParameters* parameters,
                      Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Graph* graph = work.graph
    cdef Py_ssize_t num_factors = model.num_factors, num_actions = tree.num_actions
    cdef Py_ssize_t step, node = 0, u, f
    cdef int32_t beliefs[MAX_FACTORS]
    cdef int32_t child
    cdef double neg_pB_gain
    cdef const int32_t* action
    cdef Py_ssize_t* num_within
    if reserve(&graph.num_within, (tree.num_steps + 1) * <Py_ssize_t>sizeof(Py_ssize_t)) != 0:
        return NO_MEMORY
    num_within = <Py_ssize_t*>graph.num_within.data
    graph.num_nodes = 0
    clear_table(&graph.nodes)
    if graph.node_capacity == 0 and _grow_nodes(model, graph) != 0:
        return NO_MEMORY
    # the root has no value; with a step of its own no policy returns to it
    graph.num_nodes = num_within[0] = 1
    (<int32_t*>graph.node_step.data)[0] = -1
    for f in range(num_factors):
        (<int32_t*>graph.node_beliefs.data)[f] = <int32_t>f
    for step in range(tree.num_steps):
        while node < num_within[step]:
            if node % NODES_PER_LOOK == NODES_PER_LOOK - 1 and interrupted():
                return INTERRUPTED
            if node == graph.expanded_capacity and _grow_edges(model, graph) != 0:
                return NO_MEMORY
            if _successors(model, parameters, node, work) != 0:
                return NO_MEMORY
            action = tree.actions
            for u in range(num_actions):
                neg_pB_gain = 0.0
                for f in range(num_factors):
                    beliefs[f] = work.successors[model.factors[f].control_offset + action[f]]
                    neg_pB_gain += work.neg_pB_gains[model.factors[f].control_offset + action[f]]
                action += num_factors
                child = -1
                if num_factors == 1 and not model.time_dependent:
                    child = (<int32_t*>graph.belief_node.data)[beliefs[0]]
                if child < 0:
                    child = _intern_node(model, parameters, step if model.time_dependent else 0,
                                         beliefs, work)
                if child < 0:
                    return NO_MEMORY
                (<int32_t*>graph.node_child.data)[node * num_actions + u] = child
                if graph.has_edges:
                    (<double*>graph.edge_value.data)[node * num_actions + u] = -neg_pB_gain
            node += 1
        num_within[step + 1] = graph.num_nodes
    return 0


# work.successors[f, u] = next_belief(f, u) and work.neg_pB_gains[f, u], for each factor and
# control. pymdp.legacy.control.get_expected_states_interactions. Returns 0, or -1 without memory.
# Cost: a lookup per control, a prediction per new edge.
cdef int _successors(const Model* model, const EFEParameters* parameters, Py_ssize_t node,
                     Workspace* work) noexcept nogil:
    cdef Graph* graph = work.graph
    cdef const Factor* factor
    # (no node is added before the last use of this pointer)
    cdef const int32_t* beliefs = <int32_t*>graph.node_beliefs.data + node * model.num_factors
    cdef int32_t parents[MAX_FACTORS]
    cdef Py_ssize_t f, u, d
    for f in range(model.num_factors):
        factor = &model.factors[f]
        for d in range(factor.num_dependencies):
            parents[d] = beliefs[factor.dependencies[d]]
        for u in range(factor.num_controls):
            d = factor.control_offset + u
            work.neg_pB_gains[d] = 0.0
            work.successors[d] = cached_successor(graph, factor, beliefs[f], u)
            if work.successors[d] >= 0:
                continue
            work.successors[d] = next_belief(model, parameters, f, u, parents,
                                             work.neg_pB_gains + d, work)
            if work.successors[d] < 0:
                return -1
    return 0


# work.G_new[pi] = sum_t value(node_t) and work.q_pi_new = softmax(gamma G + log E), or, where the
# workspace has no room for so many policies, the graph's own arrays.
# pymdp.legacy.control.update_posterior_policies_factorized.
# Cost: an addition per policy and step, an exponential per policy.
cdef int enumerate_policies(const Model* model, const EFEParameters* parameters,
                            Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Graph* graph = work.graph
    cdef Py_ssize_t num_policies = tree.num_policies, num_actions = tree.num_actions
    cdef Py_ssize_t step, p, u, node, count = 1
    cdef const int32_t* child
    cdef const double* node_value = <double*>graph.node_value.data
    cdef const double* edge
    cdef double* G = work.G_new
    cdef double* q_pi = work.q_pi_new
    cdef int32_t* at
    cdef double value
    if reserve(&graph.path_node, num_policies * <Py_ssize_t>sizeof(int32_t)) != 0:
        return NO_MEMORY
    if tree.num_enumerated == 0:
        if (reserve(&graph.enumerated_G, num_policies * <Py_ssize_t>sizeof(double)) != 0
                or reserve(&graph.enumerated_q_pi, num_policies * <Py_ssize_t>sizeof(double)) != 0):
            return NO_MEMORY
        G, q_pi = <double*>graph.enumerated_G.data, <double*>graph.enumerated_q_pi.data
    at = <int32_t*>graph.path_node.data
    at[0], G[0] = 0, 0.0
    for step in range(tree.num_steps):
        for p in range(count - 1, -1, -1):  # from the end: in place
            node, value = at[p], G[p]
            child = <int32_t*>graph.node_child.data + node * num_actions
            edge = <double*>graph.edge_value.data + node * num_actions
            for u in range(num_actions):
                at[p * num_actions + u] = child[u]
                G[p * num_actions + u] = value + node_value[child[u]]
                if graph.has_edges:
                    G[p * num_actions + u] += edge[u]
        count *= num_actions
    return policy_posterior(model, parameters.gamma, G, q_pi)


# work.p_first[f, u] = sum of q(pi) over the policies whose first action has u in factor f, from
# V_0 = 0,  V_n(node) = log sum_u exp(gamma value(child_u) + V_{n-1}(child_u)),
# without enumerating policies. A soft value backup: Ziebart, "Modeling purposeful adaptive
# behavior with the principle of maximum causal entropy", 2010.
# Returns 0 or NOT_FINITE. Cost: an exponential per step, distinct joint belief and action.
cdef int _soft_value_backup(const Model* model, const EFEParameters* parameters,
                            Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Graph* graph = work.graph
    cdef const Py_ssize_t* num_within = <Py_ssize_t*>graph.num_within.data
    cdef double* soft_value = <double*>graph.soft_value.data
    cdef double* next_soft_value = soft_value + graph.num_nodes
    cdef double* weight = work.action_weights
    cdef Py_ssize_t num_actions = tree.num_actions, step, node, u, f
    cdef double top
    cdef const int32_t* action
    memset(next_soft_value, 0, graph.num_nodes * sizeof(double))
    for step in range(tree.num_steps - 1, 0, -1):
        for node in range(num_within[step]):
            _action_logits(graph, parameters.gamma, node, next_soft_value, num_actions, weight)
            top = P.max(weight, num_actions)
            for u in range(num_actions):
                weight[u] -= top
            P.exp(weight, num_actions, weight)
            soft_value[node] = top + log(P.sum(weight, num_actions))
        soft_value, next_soft_value = next_soft_value, soft_value
    _action_logits(graph, parameters.gamma, 0, next_soft_value, num_actions, weight)
    P.softmax(weight, num_actions, weight)
    memset(work.p_first, 0, model.num_controls_total * sizeof(double))
    action = tree.actions
    for u in range(num_actions):
        for f in range(model.num_factors):
            work.p_first[model.factors[f].control_offset + action[f]] += weight[u]
        action += model.num_factors
    return 0 if isfinite(P.sum(work.p_first, model.num_controls_total)) else NOT_FINITE


# weight[u] = gamma * value(child_u) + V_{n-1}(child_u): the logits of _soft_value_backup.
# Cost: num_actions.
cdef void _action_logits(const Graph* graph, double gamma, Py_ssize_t node,
                         const double* next_soft_value, Py_ssize_t num_actions,
                         double* weight) noexcept nogil:
    cdef const int32_t* child = <int32_t*>graph.node_child.data + node * num_actions
    cdef const double* edge = <double*>graph.edge_value.data + node * num_actions
    cdef const double* node_value = <double*>graph.node_value.data
    cdef Py_ssize_t u
    for u in range(num_actions):
        weight[u] = node_value[child[u]]
        if graph.has_edges:
            weight[u] += edge[u]
        weight[u] = weight[u] * gamma + next_soft_value[child[u]]


# --- other policies --------------------------------------------------------------------------


# work.group_value and work.factor_value of the tree's nodes, through the graph: group_terms of
# each distinct combination of beliefs, and inductive cost + information gain about pB.
# pymdp.legacy.control.update_posterior_policies_factorized. Returns 0, or -1 without memory.
# Cost: a lookup per node, the terms of G once per distinct combination.
cdef int _value_tree_nodes(const Model* model, const EFEParameters* parameters,
                           Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef Graph* graph = work.graph
    cdef const Factor* f
    cdef const Group* group
    cdef const int32_t* nodes
    cdef int32_t parents[MAX_FACTORS]
    cdef Py_ssize_t i, k, first, factor
    cdef double neg_pB_gain
    for i in range(tree.num_factor_nodes):
        factor = tree.node_factor[i]
        f = &model.factors[factor]
        first = tree.node_parent_start[i]
        if tree.node_parent_start[i + 1] == first:
            work.node_belief[i] = <int32_t>factor
            continue
        for k in range(f.num_dependencies):
            parents[k] = work.node_belief[tree.node_parents[first + k]]
        work.node_belief[i] = next_belief(model, parameters, factor, tree.node_action[i], parents,
                                          &neg_pB_gain, work)
        if work.node_belief[i] < 0:
            return -1
        work.factor_value[i] = -neg_pB_gain
        if model.has_inductive:
            work.factor_value[i] += (<double*>graph.inductive.data)[work.node_belief[i]]
    for i in range(tree.num_group_nodes):
        group = &model.groups[tree.group_of[i]]
        nodes = tree.group_factor_nodes + tree.group_start[i]
        for k in range(group.num_factors):
            parents[k] = work.node_belief[nodes[k]]
        work.group_value[i] = group_terms_of(model, parameters, tree.group_of[i],
                                             tree.group_step[i], parents, work)
    return 0
