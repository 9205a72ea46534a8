"""Sophisticated inference: a tree of policies and of the observations that they may lead to.

pymdp.planning.si.optimized_tree_search. Level by level, every belief at the frontier is propagated
by all policies of one step; those likely enough get a node, with a child for each observation
that is likely enough; then values go back to the root, unlikely policies are pruned, and what is
no longer part of the tree is dropped. Cost: follows the nodes in use, not max_nodes; what stands
below a belief that has occurred at the level, equal but for rounding (2^-44 of each probability), is
copied.
"""

from libc.float cimport DBL_EPSILON
from libc.math cimport log
from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.contractions cimport outer_product
from freeagent_core._kernels.base.interrupts cimport interrupted
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport INTERRUPTED, NO_MEMORY
from freeagent_core._kernels.inference.jacobi_iteration cimport jacobi_iteration, jacobi_scratch
from freeagent_core._kernels.inference.observed_evidence cimport Observed
from freeagent_core._kernels.model.batched_model cimport ParentGroup, Transition, of_agent
from freeagent_core._kernels.planning.tree_nodes cimport (
    add_children, add_node, copy_part, find_part, forget_parts, free_parts, grown, keep_part, Part,
    Parts)

cdef enum:
    MAX_FACTORS = 64
    FULL = 1


# --- one search -----------------------------------------------------------------------------------

ctypedef struct Search:
    const BatchedTables* t
    const SharedPolicies* p
    const TreeSettings* settings
    Tree* tree
    Py_ssize_t agent, num_used
    Parts parts                    # below nodes of the level at hand
    double* next_states            # per factor (num_controls, num_states), from next_offset
    Py_ssize_t* next_offset        # (num_factors,)
    unsigned char* next_known      # per factor (num_controls,), from control_offset
    Py_ssize_t* control_offset
    double* joint_value            # per group (joint actions of the parents,), from joint_offset
    double* joint_outcomes         # and the outcomes of its modalities, from outcome_offset
    unsigned char* joint_known
    Py_ssize_t* joint_offset
    Py_ssize_t* outcome_offset
    Py_ssize_t* group_obs          # (num_groups,) outcomes of all modalities of a group
    double* values                 # (num_policies,)
    double* q_pi                   # (num_policies,)
    const double** qo              # (num_modalities,), of a policy
    int32_t* order                 # per modality (num_obs,): outcomes by falling probability
    double* sorted                 # their probabilities, normalised
    Py_ssize_t* kept               # (num_modalities,) how many of them
    int32_t* codes                 # (agent + 1, num_modalities)
    int32_t* found                 # children of a policy's node
    double* found_probs
    Py_ssize_t num_found, found_capacity
    double* prior                  # (num_states_total,)
    double* posterior              # (num_states_total,)
    double* joint                  # (max_tensor,)
    double* scratch
    double* branch_values          # (branches,)
    double* branch_probs


cdef Py_ssize_t _joint_actions(const BatchedTables* t, Py_ssize_t group) noexcept nogil:
    cdef Py_ssize_t k, count = 1
    for k in range(t.groups[group].num_parents):
        count *= t.factors[t.groups[group].parents[k]].num_controls
    return count


# Beliefs after an action, of factor f: computed when first asked for.
cdef const double* _next_state(Search* s, Py_ssize_t index, Py_ssize_t action,
                               const double* qs) noexcept nogil:
    cdef const Transition* f = &s.t.factors[index]
    cdef double* out = s.next_states + s.next_offset[index] + action * f.num_states
    cdef const double* q[MAX_FACTORS]
    cdef const double* joint
    cdef Py_ssize_t k
    if not s.next_known[s.control_offset[index] + action]:
        s.next_known[s.control_offset[index] + action] = True
        for k in range(f.num_parents):
            q[k] = qs + s.t.factors[f.parents[k]].offset
        joint = q[0]
        if f.num_parents > 1:
            outer_product(q, f.sizes, f.num_parents, s.joint)
            joint = s.joint
        P.gemv_t(joint, of_agent(&f.B, s.agent) + action * f.size * f.num_states, f.size,
                 f.num_states, out)
    return out


# Value and outcomes of a group under an action of its parents: computed when first asked for.
cdef Py_ssize_t _joint_outcomes(Search* s, Py_ssize_t index, const int32_t* actions,
                                const double* qs) noexcept nogil:
    cdef const ParentGroup* g = &s.t.groups[index]
    cdef Py_ssize_t key = 0, k, m
    cdef const double* q[MAX_FACTORS]
    cdef const double* joint
    cdef double value
    cdef double* out
    for k in range(g.num_parents):
        key = key * s.t.factors[g.parents[k]].num_controls + actions[g.parents[k]]
    if s.joint_known[s.joint_offset[index] + key]:
        return key
    s.joint_known[s.joint_offset[index] + key] = True
    for k in range(g.num_parents):
        q[k] = _next_state(s, g.parents[k], actions[g.parents[k]], qs)
    joint = q[0]
    if g.num_parents > 1:
        outer_product(q, g.sizes, g.num_parents, s.joint)
        joint = s.joint
    value = P.dot(of_agent(&s.p.groups[index].linear, s.agent), joint, g.size)
    out = s.joint_outcomes + s.outcome_offset[index] + key * s.group_obs[index]
    for k in range(g.num_modalities):
        m = g.modalities[k]
        P.gemv_t(joint, of_agent(&s.p.modalities[m].A, s.agent), g.size,
                 s.t.modalities[m].num_obs, out)
        value -= P.neg_entropy(out, s.t.modalities[m].num_obs)
        out += s.t.modalities[m].num_obs
    s.joint_value[s.joint_offset[index] + key] = value
    return key


# Each modality's likeliest outcomes, at most topk, and their probabilities, normalised.
cdef void _sort_outcomes(Search* s) noexcept nogil:
    cdef const BatchedTables* t = s.t
    cdef Py_ssize_t m, i, k, n, kept
    cdef int32_t* order
    cdef double* sorted
    cdef double total, value
    for m in range(t.num_modalities):
        n = t.modalities[m].num_obs
        order, sorted = s.order + t.modalities[m].obs_offset, s.sorted + t.modalities[m].obs_offset
        for i in range(n):
            value = s.qo[m][i]
            k = i
            while k > 0 and sorted[k - 1] < value:
                sorted[k], order[k] = sorted[k - 1], order[k - 1]
                k -= 1
            sorted[k], order[k] = value, <int32_t>i
        kept = min(s.settings.topk, n)
        total = 0.0
        for i in range(kept):
            total += sorted[i]
        for i in range(kept):
            sorted[i] /= total
        s.kept[m] = kept


# Whether a belief is close to that of an observation's node of an earlier level.
cdef bint _known_belief(Search* s, const double* posterior, int32_t horizon) noexcept nogil:
    cdef const Tree* tree = s.tree
    cdef Py_ssize_t node, i
    cdef const double* q
    cdef double divergence, x, y
    if s.settings.kl_threshold < -1e-5 * s.t.num_factors:  # no divergence is that small
        return False
    for node in range(tree.size):
        if (not tree.used[node] or tree.horizon[node] >= horizon
                or tree.policy[node * tree.num_factors] >= 0):
            continue
        q = tree.qs + node * tree.num_states_total
        divergence = 0.0
        for i in range(tree.num_states_total):
            x = min(max(q[i], 1e-10), 1.0)
            y = min(max(posterior[i], 1e-10), 1.0)
            divergence += q[i] * (log(x) - log(y))
        if divergence <= s.settings.kl_threshold:
            return True
    return 1e10 <= s.settings.kl_threshold


# Nodes for the observations from modality m on, the last modality fastest; `probability` is
# that of the ones before. Returns a status.
cdef int _add_observations(Search* s, Py_ssize_t m, double probability,
                           int32_t horizon) noexcept nogil:
    cdef const BatchedTables* t = s.t
    cdef Tree* tree = s.tree
    cdef Py_ssize_t i, k, node
    cdef int status
    cdef int32_t* codes = s.codes + s.agent * t.num_modalities
    cdef const double* prior[MAX_FACTORS]
    cdef double* qs[MAX_FACTORS]
    cdef Observed observed
    if not probability > s.settings.observation_prune_threshold:
        return 0
    if m < t.num_modalities:
        for i in range(s.kept[m]):
            codes[m] = s.order[t.modalities[m].obs_offset + i]
            status = _add_observations(
                s, m + 1, probability * s.sorted[t.modalities[m].obs_offset + i], horizon)
            if status != 0:
                return status
        return 0
    for k in range(t.num_factors):
        prior[k] = s.prior + t.factors[k].offset
        qs[k] = s.posterior + t.factors[k].offset
    observed.num_steps, observed.codes, observed.weights = 1, s.codes, NULL
    if interrupted():
        return INTERRUPTED
    jacobi_iteration(t, &observed, s.agent, prior, s.settings.num_iter, qs, s.scratch)
    if _known_belief(s, s.posterior, horizon):
        return 0
    s.num_used += 1
    if s.num_used >= s.settings.max_nodes - 1:
        return FULL
    if s.num_found == s.settings.max_branching:  # counted, as in pymdp, and dropped
        return 0
    node = add_node(tree, horizon)
    if node < 0:
        return NO_MEMORY
    memcpy(tree.qs + node * tree.num_states_total, s.posterior,
           tree.num_states_total * sizeof(double))
    for k in range(t.num_modalities):
        tree.observation[node * t.num_modalities + k] = codes[k]
    if s.num_found == s.found_capacity:
        s.found_capacity = max(2 * s.found_capacity, 16)
        if not (grown(<void**>&s.found, s.found_capacity * sizeof(int32_t))
                and grown(<void**>&s.found_probs, s.found_capacity * sizeof(double))):
            return NO_MEMORY
    s.found[s.num_found], s.found_probs[s.num_found] = <int32_t>node, probability
    s.num_found += 1
    return 0


# Expand one belief, as a node of the same belief if there is one. Returns a status.
cdef int _expand(Search* s, Py_ssize_t node) noexcept nogil:
    cdef uint64_t hash
    cdef const Part* known = find_part(&s.parts, s.tree, node, &hash)
    cdef Part part
    cdef int status
    s.tree.twin[node] = -1
    if known != NULL:
        status = _copy(s, known, node)
        if status == 0:
            s.tree.twin[node] = <int32_t>known.node
        return status
    part.node, part.first, part.first_entry = node, s.tree.size, s.tree.num_entries
    part.counted = s.num_used
    status = _expand_by_policies(s, node)
    if status == 0:
        part.stop, part.stop_entry = s.tree.size, s.tree.num_entries
        part.counted = s.num_used - part.counted
        keep_part(&s.parts, &part, hash)
    return status


# Expand one belief by all policies, and those that are likely enough by observations:
#   value = sum_m qo_m . C_m + information gain,  q = softmax(gamma * value)
# pymdp.planning.si.predict_fn and _expand_policy_nodes. Returns a status.
cdef int _expand_by_policies(Search* s, Py_ssize_t node) noexcept nogil:
    cdef const BatchedTables* t = s.t
    cdef Tree* tree = s.tree
    cdef Py_ssize_t policy, k, g, key, child, entry, branches
    cdef const int32_t* actions
    cdef const Part* part
    cdef uint64_t hash
    cdef int32_t horizon = tree.horizon[node] + 1
    cdef double* qs = s.prior
    cdef int status
    cdef double* belief = s.branch_values  # copied: nodes move when the tree grows
    memcpy(belief, tree.qs + node * t.num_states_total, t.num_states_total * sizeof(double))
    memset(s.next_known, 0, s.control_offset[t.num_factors])
    memset(s.joint_known, 0, s.joint_offset[t.num_groups])
    for policy in range(s.p.num_policies):
        actions = s.p.first_action + policy * t.num_factors
        s.values[policy] = 0.0
        for g in range(t.num_groups):
            key = _joint_outcomes(s, g, actions, belief)
            s.values[policy] += s.joint_value[s.joint_offset[g] + key]
    for policy in range(s.p.num_policies):
        s.q_pi[policy] = s.values[policy] * s.settings.gamma
    P.softmax(s.q_pi, s.p.num_policies, s.q_pi)
    branches = max(s.settings.max_branching, s.p.num_policies)
    if not add_children(tree, node, branches):
        return NO_MEMORY
    entry = tree.first_child[node]
    for policy in range(s.p.num_policies):
        tree.child_probs[entry + policy] = s.q_pi[policy]
        if not s.q_pi[policy] > s.settings.policy_prune_threshold:
            continue
        s.num_used += 1
        if s.num_used >= s.settings.max_nodes - 1:
            return FULL
        child = add_node(tree, horizon)
        if child < 0:
            return NO_MEMORY
        tree.children[entry + policy] = <int32_t>child
        tree.neg_efe[child] = s.values[policy]
        actions = s.p.first_action + policy * t.num_factors
        for k in range(t.num_factors):
            memcpy(qs + t.factors[k].offset, _next_state(s, k, actions[k], belief),
                   t.factors[k].num_states * sizeof(double))
            tree.policy[child * t.num_factors + k] = actions[k]
        memcpy(tree.qs + child * t.num_states_total, qs, t.num_states_total * sizeof(double))
        part = find_part(&s.parts, tree, child, &hash)
        status = _copy(s, part, child) if part != NULL else _observe(s, child, actions, belief, hash)
        if status != 0:
            return status
    return 0


# Copy what stands below a node of the same belief. Returns a status.
cdef int _copy(Search* s, const Part* part, Py_ssize_t node) noexcept nogil:
    s.num_used += part.counted
    if part.counted > 0 and s.num_used >= s.settings.max_nodes - 1:
        return FULL
    return 0 if copy_part(s.tree, part, node) else NO_MEMORY


# Add the observations that follow a policy's node: `actions` from `belief` lead to its belief,
# s.prior, of this hash. Returns a status.
cdef int _observe(Search* s, Py_ssize_t node, const int32_t* actions, const double* belief,
                  uint64_t hash) noexcept nogil:
    cdef const BatchedTables* t = s.t
    cdef Tree* tree = s.tree
    cdef Py_ssize_t k, g, m, key
    cdef const double* outcomes
    cdef int status
    cdef Part part
    part.node, part.first, part.first_entry = node, tree.size, tree.num_entries
    part.counted = s.num_used
    for g in range(t.num_groups):
        key = _joint_outcomes(s, g, actions, belief)
        outcomes = s.joint_outcomes + s.outcome_offset[g] + key * s.group_obs[g]
        for k in range(t.groups[g].num_modalities):
            m = t.groups[g].modalities[k]
            s.qo[m] = outcomes
            outcomes += t.modalities[m].num_obs
    _sort_outcomes(s)
    s.num_found = 0
    status = _add_observations(s, 0, 1.0, tree.horizon[node])
    if status != 0:
        return status
    if not add_children(tree, node, s.num_found):
        return NO_MEMORY
    for k in range(s.num_found):
        tree.children[tree.first_child[node] + k] = s.found[k]
        tree.child_probs[tree.first_child[node] + k] = s.found_probs[k]
    part.stop, part.stop_entry = tree.size, tree.num_entries
    part.counted = s.num_used - part.counted
    keep_part(&s.parts, &part, hash)
    return 0


# The value of an observation's node from its policies': softmax-weighted, the pruned ones at
# -prune_penalty; policies below the threshold are pruned. pymdp's _backward_node.
cdef void _back_up(Search* s, Py_ssize_t node) noexcept nogil:
    cdef Tree* tree = s.tree
    cdef Py_ssize_t i, k, entry = tree.first_child[node], child, below, n = tree.num_children[node]
    cdef Py_ssize_t branches = max(s.settings.max_branching, s.p.num_policies)
    cdef double* values = s.branch_values
    cdef double* probs = s.branch_probs
    cdef Py_ssize_t twin = tree.twin[node], twin_entry
    cdef bint any_child
    if twin >= 0 and tree.used[twin] and tree.num_children[twin] == n:  # backed up before
        twin_entry = tree.first_child[twin]
        tree.neg_efe[node] = tree.neg_efe[twin]
        for i in range(n):
            tree.child_probs[entry + i] = tree.child_probs[twin_entry + i]
            if tree.children[twin_entry + i] < 0:
                tree.children[entry + i] = -1
        return
    for i in range(branches):
        values[i] = -s.settings.prune_penalty
        child = tree.children[entry + i] if i < n else -1
        if child < 0:
            continue
        any_child = False
        below = tree.first_child[child]
        for k in range(tree.num_children[child]):
            if tree.children[below + k] >= 0:
                if not any_child:
                    values[i] = 0.0
                any_child = True
                values[i] += tree.neg_efe[tree.children[below + k]] * tree.child_probs[below + k]
        if any_child:
            values[i] += tree.neg_efe[child]
    for i in range(branches):
        probs[i] = values[i] * s.settings.gamma
    P.softmax(probs, branches, probs)
    tree.neg_efe[node] = P.dot(probs, values, branches)
    for i in range(n):
        tree.child_probs[entry + i] = probs[i]
        if probs[i] < s.settings.policy_prune_threshold:
            tree.children[entry + i] = -1


# Nodes that the root no longer leads to are no longer used. Parents stand before their children.
cdef void _drop_orphans(Search* s) noexcept nogil:
    cdef Tree* tree = s.tree
    cdef Py_ssize_t node, k
    memset(tree.used + 1, 0, tree.size - 1)
    s.num_used = 0
    for node in range(tree.size):
        if tree.used[node]:
            s.num_used += 1
            for k in range(tree.num_children[node]):
                if tree.children[tree.first_child[node] + k] >= 0:
                    tree.used[tree.children[tree.first_child[node] + k]] = True


cdef bint _goes_on(Search* s, Py_ssize_t level) noexcept nogil:
    cdef Tree* tree = s.tree
    cdef Py_ssize_t k
    cdef double entropy = 0.0, p, total = 0.0
    for k in range(tree.num_children[0]):
        p = tree.child_probs[tree.first_child[0] + k]
        total += p
        entropy -= p * log(max(p, DBL_EPSILON))
    return (level < s.settings.horizon
            and (total == 0.0 or entropy > s.settings.entropy_stop_threshold)
            and tree.neg_efe[0] < s.settings.neg_efe_stop_threshold)


cdef int _search(Search* s) noexcept nogil:
    cdef Tree* tree = s.tree
    cdef Py_ssize_t level = 0, node, size, entries, back, start, stop
    cdef int status
    for node in range(tree.size):
        if tree.used[node]:
            s.num_used += 1
            level = max(level, tree.horizon[node])
    for _ in range(s.settings.horizon):
        size, entries = tree.size, tree.num_entries
        forget_parts(&s.parts)
        for node in range(size):
            if (tree.used[node] and tree.horizon[node] == level
                    and tree.observation[node * tree.num_modalities] >= 0):
                status = _expand(s, node)
                # if it is full, as pymdp: the tree of the level before, from which it may go on
                if status == FULL or status == INTERRUPTED:
                    for back in range(node + 1):
                        if tree.first_child[back] >= entries:
                            tree.first_child[back], tree.num_children[back] = -1, 0
                            tree.twin[back] = -1
                    tree.size, tree.num_entries = size, entries
                    return 0 if status == FULL else status
                if status != 0:
                    return status
        if s.num_used >= s.settings.max_nodes - 1:
            return 0
        # nodes in use stand level by level
        stop = tree.size
        for back in range(level + 1, -1, -1):
            start = stop
            while start > 0 and tree.horizon[start - 1] >= back:
                start -= 1
            for node in range(start, stop if back <= level else start):
                if (tree.used[node] and tree.horizon[node] == back
                        and tree.observation[node * tree.num_modalities] >= 0):
                    _back_up(s, node)
            stop = start
        _drop_orphans(s)
        level += 1
        if not _goes_on(s, level):
            break
    return 0


cdef inline void* _piece(char* block, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at = used[0]
    used[0] += (size + 7) & ~7
    return block + at if block != NULL else NULL


cdef Py_ssize_t _lay_out(Search* s, char* block) noexcept nogil:
    cdef const BatchedTables* t = s.t
    cdef Py_ssize_t used = 0, i, k, count, next_states = 0, controls = 0, joints = 0, outcomes = 0
    cdef Py_ssize_t branches = max(s.settings.max_branching, s.p.num_policies), obs
    cdef Py_ssize_t nf = t.num_factors, ng = t.num_groups, nm = t.num_modalities
    s.next_offset = <Py_ssize_t*>_piece(block, &used, nf * 8)
    s.control_offset = <Py_ssize_t*>_piece(block, &used, (nf + 1) * 8)
    s.joint_offset = <Py_ssize_t*>_piece(block, &used, (ng + 1) * 8)
    s.outcome_offset = <Py_ssize_t*>_piece(block, &used, ng * 8)
    s.group_obs = <Py_ssize_t*>_piece(block, &used, ng * 8)
    s.kept = <Py_ssize_t*>_piece(block, &used, nm * 8)
    s.qo = <const double**>_piece(block, &used, nm * 8)
    for i in range(nf):
        if block != NULL:
            s.next_offset[i], s.control_offset[i] = next_states, controls
        next_states += t.factors[i].num_controls * t.factors[i].num_states
        controls += t.factors[i].num_controls
    for i in range(ng):
        obs = 0
        for k in range(t.groups[i].num_modalities):
            obs += t.modalities[t.groups[i].modalities[k]].num_obs
        count = _joint_actions(t, i)
        if block != NULL:
            s.joint_offset[i], s.outcome_offset[i], s.group_obs[i] = joints, outcomes, obs
        joints += count
        outcomes += count * obs
    if block != NULL:
        s.control_offset[nf], s.joint_offset[ng] = controls, joints
    s.next_states = <double*>_piece(block, &used, next_states * 8)
    s.next_known = <unsigned char*>_piece(block, &used, controls)
    s.joint_value = <double*>_piece(block, &used, joints * 8)
    s.joint_outcomes = <double*>_piece(block, &used, outcomes * 8)
    s.joint_known = <unsigned char*>_piece(block, &used, joints)
    s.values = <double*>_piece(block, &used, s.p.num_policies * 8)
    s.q_pi = <double*>_piece(block, &used, s.p.num_policies * 8)
    s.order = <int32_t*>_piece(block, &used, t.num_obs_total * 4)
    s.sorted = <double*>_piece(block, &used, t.num_obs_total * 8)
    s.codes = <int32_t*>_piece(block, &used, (s.agent + 1) * nm * 4)
    s.prior = <double*>_piece(block, &used, t.num_states_total * 8)
    s.posterior = <double*>_piece(block, &used, t.num_states_total * 8)
    s.joint = <double*>_piece(block, &used, t.max_tensor * 8)
    s.scratch = <double*>_piece(block, &used, jacobi_scratch(t) * 8)
    s.branch_values = <double*>_piece(block, &used, max(branches, t.num_states_total) * 8)
    s.branch_probs = <double*>_piece(block, &used, branches * 8)
    return used


# Grow `tree`, whose node 0 is the belief now, and set q_pi from the root's policies. Returns a
# status: 0, NO_MEMORY, or INTERRUPTED with a tree of whole levels, which may go on growing.
cdef int search_tree(const BatchedTables* t, const SharedPolicies* p, const TreeSettings* settings,
                     Py_ssize_t agent, Tree* tree, double* q_pi) noexcept nogil:
    cdef Search s
    cdef char* block
    cdef int status
    cdef Py_ssize_t k
    memset(&s, 0, sizeof(Search))
    s.t, s.p, s.settings, s.tree, s.agent = t, p, settings, tree, agent
    block = <char*>malloc(_lay_out(&s, NULL))
    if block == NULL:
        return NO_MEMORY
    _lay_out(&s, block)
    status = _search(&s)
    for k in range(p.num_policies):
        q_pi[k] = 0.0
        if k < tree.num_children[0]:
            q_pi[k] = tree.child_probs[tree.first_child[0] + k]
    free(s.found)
    free(s.found_probs)
    free_parts(&s.parts)
    free(block)
    return status
