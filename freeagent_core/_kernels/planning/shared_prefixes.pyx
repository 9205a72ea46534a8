"""Expected free energy of policies whose beginnings, beliefs and outcomes are shared.

What policies have in common is found once, when an agent is made (`policy_plan`). At run time
beliefs that turn out equal to the bit, at whatever step, are merged (`distinct_beliefs`), and
beliefs that are certain follow a table of next states.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.contractions cimport outer_product
from freeagent_core._kernels.base.fixed_hash_table cimport (
    FixedHashTable, KeyEntry, find_entry, table_capacity,
)
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.batched_model cimport Table, Transition, of_agent
from freeagent_core._kernels.planning.distinct_beliefs cimport (
    FactorBeliefs, add_belief, add_certain,
)
from freeagent_core._kernels.planning.policy_plan cimport (
    BeliefSlots, GroupValues, JointSlots, OutcomeTables, Prefixes, TransitionTables,
)

cdef enum:
    MAX_PARENTS = 64
    KEPT_AGENTS = 16               # whose beliefs there is room for
    MANY_POLICIES = 1024           # from here on one agent's beliefs fill the caches
    LAST_EPOCH = 0x7FFFFFFF

# Probabilities of the current belief below this are left out: what log(max(A, 2^-52)) leaves of
# an impossible state. It changes a policy's value by some 1e-13 times what an outcome is worth.
LEAST = 2.0 ** -46


cdef struct Evaluation:
    int32_t epoch
    FactorBeliefs* factors
    FixedHashTable* by_joint            # per group: parents' beliefs -> index in joint_values
    int64_t* joint_radix
    double** joint_values          # per group, of distinct joint beliefs
    Py_ssize_t* num_joint_values
    double** slot_values           # per group, of the slots at the step at hand
    double* G_now
    double* G_before
    double* joint                  # joint belief, dense
    int32_t* joint_index           # or its nonzero entries
    double* joint_weight
    double* outcomes
    double* outcomes_novelty
    double* rows                   # (num_states_total,)
    void* block
    void* zeroed
    Py_ssize_t zeroed_size


# The row of (1 - I) * log(epsilon) that holds now, times whether the goal can be reached:
# pymdp.control.calc_inductive_value_t. `row` holds num_states numbers.
cdef const double* _inductive_row(const Table* I, Py_ssize_t depth, Py_ssize_t n,
                                  const double* q, Py_ssize_t agent, double log_epsilon,
                                  double* row) noexcept nogil:
    cdef const double* reach = of_agent(I, agent)
    cdef Py_ssize_t i, likeliest = 0, first = 0
    cdef double total = 0.0
    for i in range(1, n):
        if q[i] > q[likeliest]:
            likeliest = i
    for i in range(depth):
        total += reach[i * n + likeliest]
        if reach[i * n + likeliest] > reach[first * n + likeliest]:
            first = i
    total = min(max(total, 0.0), 1.0)
    first = max(first - 1, 0)
    for i in range(n):
        row[i] = total * (1.0 - reach[first * n + i]) * log_epsilon
    return row


# Of each belief slot of factor `index` at this step, its belief, and what it adds to the value:
#   qs'[s'] = sum_s B[s', s, u] prod_k qs_k[s_k]                pymdp.control.compute_expected_state
#   inductive . qs' - qs' . (novelty_u qs)                 and calc_negative_pB_info_gain
# Cost: the size of B of an action, for each distinct cause of no certain state.
cdef void _next_beliefs(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                        Py_ssize_t step, Py_ssize_t index, Py_ssize_t agent) noexcept nogil:
    cdef const Transition* f = &t.factors[index]
    cdef const TransitionTables* tables = &p.factors[index]
    cdef const BeliefSlots* slots = &p.beliefs[step * t.num_factors + index]
    cdef FactorBeliefs* own = &e.factors[index]
    cdef FactorBeliefs* parent
    cdef const double* B = of_agent(&f.B, agent)
    cdef const int32_t* next_state = tables.next_state
    cdef const double* vectors[MAX_PARENTS]
    cdef const double* joint
    cdef Py_ssize_t i, k, state, joint_state, n = f.num_states
    cdef int64_t cause
    cdef int32_t belief, u
    cdef KeyEntry* entry
    cdef bint one_parent = f.num_parents == 1 and tables.novelty.data == NULL
    if next_state != NULL:
        next_state += agent * tables.next_state_stride
    for i in range(slots.count):
        u = slots.actions[i]
        if one_parent and next_state != NULL:
            # the usual case by itself: a certain state, an action with a certain outcome
            parent = &e.factors[f.parents[0]]
            state = parent.certain_state[parent.before[slots.parents[i]]]
            if state >= 0:
                state = next_state[u * f.size + state]
                if state >= 0:
                    belief = own.of_state[state]
                    if belief < 0:
                        belief = add_certain(own, n, state, e.epoch)
                    own.now[i] = belief
                    if own.inductive_row != NULL:
                        own.slot_value[i] = own.inductive[belief]
                    continue
        joint_state, cause = 0, u
        for k in range(f.num_parents):
            parent = &e.factors[f.parents[k]]
            belief = parent.before[slots.parents[i * f.num_parents + k]]
            cause = cause * own.radix + belief
            vectors[k] = parent.values + belief * f.sizes[k]
            if joint_state >= 0:
                state = parent.certain_state[belief]
                joint_state = joint_state * f.sizes[k] + state if state >= 0 else -1
        entry = NULL
        belief = -1
        if joint_state >= 0 and next_state != NULL:
            state = next_state[u * f.size + joint_state]
            if state >= 0:
                belief = add_certain(own, n, state, e.epoch)
        if belief < 0 and own.radix > 0:
            entry = find_entry(&own.by_cause, cause, e.epoch)
            if entry.epoch == e.epoch:
                belief = entry.value
        if belief < 0:
            if joint_state >= 0:
                memcpy(own.values + own.count * n, B + (u * f.size + joint_state) * n,
                       n * sizeof(double))
            else:
                joint = vectors[0]
                if f.num_parents > 1:
                    outer_product(vectors, f.sizes, f.num_parents, e.joint)
                    joint = e.joint
                P.gemv_t(joint, B + u * f.size * n, f.size, n, own.values + own.count * n)
            belief = add_belief(own, n, e.epoch)
            if entry != NULL:
                entry.key, entry.epoch, entry.value = cause, e.epoch, belief
        own.now[i] = belief
        if own.inductive_row != NULL:
            own.slot_value[i] = own.inductive[belief]
        elif tables.novelty.data != NULL:
            own.slot_value[i] = 0.0
        if tables.novelty.data != NULL:
            joint = vectors[0]
            if f.num_parents > 1:
                outer_product(vectors, f.sizes, f.num_parents, e.joint)
                joint = e.joint
            P.gemv_t(joint, of_agent(&tables.novelty, agent) + u * f.size * n, f.size, n,
                          e.outcomes)
            own.slot_value[i] -= P.dot(own.values + belief * n, e.outcomes, n)


# The value of a joint belief of a group's parents:
#   sum_m qo_m . C_m + H(qo_m) - sum_s q(s) H(A_m[:, s]) - qo_m . (novelty_m q),  qo_m = A_m q
# pymdp.control.compute_expected_utility, compute_info_gain, calc_negative_pA_info_gain; what is
# linear in q is summed over the modalities at packing. Cost: the size of A, or of its columns
# of nonzero probability.
cdef double _joint_value(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                         Py_ssize_t step, Py_ssize_t index, const int32_t* beliefs,
                         Py_ssize_t agent) noexcept nogil:
    cdef const GroupValues* g = &p.groups[index]
    cdef const FactorBeliefs* f
    cdef const OutcomeTables* m
    cdef Py_ssize_t num_parents = t.groups[index].num_parents, size = t.groups[index].size
    cdef Py_ssize_t i, k, j, o, state, joint_state = 0, count = 1, n
    cdef const double* linear
    cdef const double* A
    cdef const double* q
    cdef const double* vectors[MAX_PARENTS]
    cdef const int32_t* support
    cdef double* qo = e.outcomes
    cdef double value, weight
    cdef int32_t at
    step = min(step, g.num_steps - 1)
    for k in range(num_parents):
        f = &e.factors[t.groups[index].parents[k]]
        n = t.groups[index].sizes[k]
        vectors[k] = f.values + beliefs[k] * n
        count *= f.support_size[beliefs[k]]
        if joint_state >= 0:
            state = f.certain_state[beliefs[k]]
            joint_state = joint_state * n + state if state >= 0 else -1
    if joint_state >= 0:
        return of_agent(&g.certain, agent)[step * size + joint_state]
    linear = of_agent(&g.linear, agent) + step * size
    q = vectors[0]
    if 2 * count > size:
        count = -1
        if num_parents > 1:
            outer_product(vectors, t.groups[index].sizes, num_parents, e.joint)
            q = e.joint
        value = P.dot(linear, q, size)
    else:
        # the nonzero entries, by the last parent fastest; from the end, as in outer_product
        e.joint_index[0], e.joint_weight[0] = 0, 1.0
        count = 1
        for k in range(num_parents):
            f = &e.factors[t.groups[index].parents[k]]
            n = t.groups[index].sizes[k]
            support = f.support + beliefs[k] * n
            j = f.support_size[beliefs[k]]
            for i in range(count - 1, -1, -1):
                at, weight = e.joint_index[i], e.joint_weight[i]
                for o in range(j):
                    e.joint_index[i * j + o] = <int32_t>(at * n) + support[o]
                    e.joint_weight[i * j + o] = weight * vectors[k][support[o]]
            count *= j
        value = 0.0
        for i in range(count):
            value += e.joint_weight[i] * linear[e.joint_index[i]]
    for i in range(t.groups[index].num_modalities):
        m = &p.modalities[t.groups[index].modalities[i]]
        if not p.states_info_gain and m.novelty.data == NULL:
            continue
        n = t.modalities[t.groups[index].modalities[i]].num_obs
        A = of_agent(&m.A, agent)
        if count < 0:
            P.gemv_t(q, A, size, n, qo)
        else:
            memset(qo, 0, n * sizeof(double))
            for k in range(count):
                weight = e.joint_weight[k]
                at = e.joint_index[k]
                for o in range(n):
                    qo[o] += weight * A[at * n + o]
        if p.states_info_gain:
            value -= P.neg_entropy(qo, n)
        if m.novelty.data != NULL:
            A = of_agent(&m.novelty, agent)
            if count < 0:
                P.gemv_t(q, A, size, n, e.outcomes_novelty)
            else:
                memset(e.outcomes_novelty, 0, n * sizeof(double))
                for k in range(count):
                    for o in range(n):
                        e.outcomes_novelty[o] += e.joint_weight[k] * A[e.joint_index[k] * n + o]
            value -= P.dot(qo, e.outcomes_novelty, n)
    return value


cdef void _joint_values(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                        Py_ssize_t step, Py_ssize_t index, Py_ssize_t agent) noexcept nogil:
    cdef const JointSlots* slots = &p.joints[step * t.num_groups + index]
    cdef Py_ssize_t num_parents = t.groups[index].num_parents, i, k
    cdef int64_t key
    cdef int32_t beliefs[MAX_PARENTS]
    cdef KeyEntry* entry
    cdef const FactorBeliefs* parent = &e.factors[t.groups[index].parents[0]]
    cdef const double* certain = of_agent(&p.groups[index].certain, agent) + (
        min(step, p.groups[index].num_steps - 1) * t.groups[index].size)
    for i in range(slots.count):
        if num_parents == 1 and parent.certain_state[parent.now[slots.parents[i]]] >= 0:
            e.slot_values[index][i] = certain[
                parent.certain_state[parent.now[slots.parents[i]]]]
            continue
        key = min(step, p.groups[index].num_steps - 1)
        for k in range(num_parents):
            beliefs[k] = e.factors[t.groups[index].parents[k]].now[
                slots.parents[i * num_parents + k]]
            key = key * e.joint_radix[index] + beliefs[k]
        if e.joint_radix[index] == 0:
            e.slot_values[index][i] = _joint_value(t, p, e, step, index, beliefs, agent)
            continue
        entry = find_entry(&e.by_joint[index], key, e.epoch)
        if entry.epoch != e.epoch:
            entry.key, entry.epoch = key, e.epoch
            entry.value = <int32_t>e.num_joint_values[index]
            e.joint_values[index][entry.value] = _joint_value(t, p, e, step, index, beliefs, agent)
            e.num_joint_values[index] += 1
        e.slot_values[index][i] = e.joint_values[index][entry.value]


cdef void _evaluate(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                    const double* const* qs, const Py_ssize_t* qs_stride, Py_ssize_t agent,
                    double* q_pi, double* G) noexcept nogil:
    cdef Py_ssize_t i, k, s, step, n, kept, last
    cdef FactorBeliefs* f
    cdef const Prefixes* prefixes
    cdef const double* q
    cdef const double* log_E = of_agent(&p.log_E, agent)
    cdef double value, gamma = of_agent(&p.gamma, agent)[0]
    cdef int32_t* ints
    cdef double* doubles
    cdef double* root
    for i in range(t.num_factors):
        f = &e.factors[i]
        n = t.factors[i].num_states
        q = qs[i] + agent * qs_stride[i]
        root = f.values + f.count * n
        f.inductive_row = NULL
        if p.factors[i].inductive.data != NULL:
            f.inductive_row = _inductive_row(&p.factors[i].inductive, p.factors[i].depth, n, q,
                                             agent, of_agent(&p.log_epsilon, agent)[0],
                                             e.rows + t.factors[i].offset)
        memcpy(root, q, n * sizeof(double))
        if p.merge:
            kept = last = 0
            for s in range(n):
                if q[s] < LEAST:
                    root[s] = 0.0
                else:
                    kept += 1
                    last = s
            if kept == 1 and 1.0 - q[last] < n * LEAST and q[last] - 1.0 < n * LEAST:
                root[last] = 1.0
        f.now[0] = add_belief(f, n, e.epoch)
    e.G_now[0] = 0.0
    for step in range(p.num_steps):
        for i in range(t.num_factors):
            f = &e.factors[i]
            ints = f.before
            f.before, f.now = f.now, ints
        for i in range(t.num_factors):
            _next_beliefs(t, p, e, step, i, agent)
        for i in range(t.num_groups):
            _joint_values(t, p, e, step, i, agent)
        doubles = e.G_before
        e.G_before, e.G_now = e.G_now, doubles
        prefixes = &p.prefixes[step]
        for k in range(prefixes.count):
            value = e.G_before[prefixes.before[k]]
            for i in range(t.num_groups):
                value += e.slot_values[i][prefixes.joints[k * t.num_groups + i]]
            e.G_now[k] = value
        for i in range(t.num_factors):
            if e.factors[i].inductive_row == NULL and p.factors[i].novelty.data == NULL:
                continue
            for k in range(prefixes.count):
                e.G_now[k] += e.factors[i].slot_value[prefixes.beliefs[k * t.num_factors + i]]
    for k in range(p.num_policies):
        G[k] = e.G_now[p.last[k]]
        q_pi[k] = gamma * G[k] + log_E[k]
    P.softmax(q_pi, p.num_policies, q_pi)


cdef bint all_shared(const BatchedTables* t, const SharedPolicies* p) noexcept nogil:
    cdef Py_ssize_t i
    cdef bint shared = True
    for i in range(t.num_groups):
        shared = shared and p.groups[i].linear.stride == 0 and p.groups[i].certain.stride == 0
    for i in range(t.num_modalities):
        shared = shared and p.modalities[i].A.stride == 0
        shared = shared and (p.modalities[i].novelty.data == NULL
                             or p.modalities[i].novelty.stride == 0)
    for i in range(t.num_factors):
        shared = shared and t.factors[i].B.stride == 0 and p.factors[i].inductive.data == NULL
        shared = shared and (p.factors[i].novelty.data == NULL or p.factors[i].novelty.stride == 0)
    return shared


# Forget all beliefs, unless those of one more agent have room beside them.
cdef void _make_room(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                     Py_ssize_t times) noexcept nogil:
    cdef Py_ssize_t i, step, joints
    cdef bint room = times > 1 and e.epoch > 0
    for i in range(t.num_factors):
        room = room and e.factors[i].count + p.max_beliefs[i] <= times * p.max_beliefs[i]
    for i in range(t.num_groups):
        joints = 1
        for step in range(p.num_steps):
            joints += p.joints[step * t.num_groups + i].count
        room = room and e.num_joint_values[i] + joints <= times * joints
    if room:
        return
    e.epoch += 1
    for i in range(t.num_factors):
        e.factors[i].count = 0
        memset(e.factors[i].of_state, 0xFF, t.factors[i].num_states * sizeof(int32_t))
    for i in range(t.num_groups):
        e.num_joint_values[i] = 0


# Cuts a block of memory into pieces; with block NULL only counts.
cdef inline char* _piece(char* block, Py_ssize_t* used, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t at = used[0]
    used[0] += (size + 7) & ~7
    return block + at if block != NULL else NULL


cdef int64_t _radix(Py_ssize_t first, const int32_t* parents, Py_ssize_t num_parents,
                    const SharedPolicies* p, Py_ssize_t times) noexcept nogil:
    cdef Py_ssize_t k, largest = 1
    cdef double product = first
    for k in range(num_parents):
        largest = max(largest, times * p.max_beliefs[parents[k]] + 1)
    for k in range(num_parents):
        product *= largest
    return largest if product < 9e18 else 0


# All memory of an evaluation: returns the size of `block`, `zeroed` and nothing else if NULL.
cdef void _lay_out(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                   Py_ssize_t times, char* block, char* zeroed,
                   Py_ssize_t* sizes) noexcept nogil:
    cdef Py_ssize_t i, n, capacity, joints, used = 0, cleared = 0, step, most, prefixes = 1
    cdef Py_ssize_t widest = 0, nf = t.num_factors, ng = t.num_groups
    cdef FactorBeliefs* f
    cdef FactorBeliefs spare
    e.factors = <FactorBeliefs*>_piece(block, &used, nf * sizeof(FactorBeliefs))
    e.by_joint = <FixedHashTable*>_piece(block, &used, ng * sizeof(FixedHashTable))
    e.joint_radix = <int64_t*>_piece(block, &used, ng * 8)
    e.joint_values = <double**>_piece(block, &used, ng * 8)
    e.num_joint_values = <Py_ssize_t*>_piece(block, &used, ng * 8)
    e.slot_values = <double**>_piece(block, &used, ng * 8)
    for i in range(nf):
        f = &e.factors[i] if block != NULL else &spare
        n = t.factors[i].num_states
        widest = max(widest, n)
        most = times * p.max_beliefs[i] + 1
        f.values = <double*>_piece(block, &used, most * n * 8)
        f.support = <int32_t*>_piece(block, &used, most * n * 4)
        f.support_size = <int32_t*>_piece(block, &used, most * 4)
        f.of_state = <int32_t*>_piece(block, &used, n * 4)
        f.certain_state = <int32_t*>_piece(block, &used, most * 4)
        f.inductive = <double*>_piece(block, &used, most * 8)
        f.now = <int32_t*>_piece(block, &used, p.max_slots[i] * 4)
        f.before = <int32_t*>_piece(block, &used, p.max_slots[i] * 4)
        f.slot_value = <double*>_piece(block, &used, p.max_slots[i] * 8)
        f.radix = _radix(t.factors[i].num_controls, t.factors[i].parents,
                         t.factors[i].num_parents, p, times)
        capacity = table_capacity(most)
        f.by_value.mask = f.by_cause.mask = capacity - 1
        f.by_value.entries = <KeyEntry*>_piece(zeroed, &cleared, capacity * sizeof(KeyEntry))
        f.by_cause.entries = <KeyEntry*>_piece(zeroed, &cleared, capacity * sizeof(KeyEntry))
    for i in range(ng):
        joints = most = 1
        for step in range(p.num_steps):
            joints += p.joints[step * ng + i].count
            most = max(most, p.joints[step * ng + i].count)
        joints *= times
        capacity = table_capacity(joints)
        if block != NULL:
            e.by_joint[i].mask = capacity - 1
            e.by_joint[i].entries = <KeyEntry*>_piece(zeroed, &cleared, capacity * sizeof(KeyEntry))
            e.joint_values[i] = <double*>_piece(block, &used, joints * 8)
            e.slot_values[i] = <double*>_piece(block, &used, most * 8)
            e.joint_radix[i] = _radix(p.groups[i].num_steps, t.groups[i].parents,
                                      t.groups[i].num_parents, p, times)
        else:
            _piece(NULL, &cleared, capacity * sizeof(KeyEntry))
            _piece(NULL, &used, joints * 8)
            _piece(NULL, &used, most * 8)
    for step in range(p.num_steps):
        prefixes = max(prefixes, p.prefixes[step].count)
    for i in range(t.num_modalities):
        widest = max(widest, t.modalities[i].num_obs)
    e.G_now = <double*>_piece(block, &used, prefixes * 8)
    e.G_before = <double*>_piece(block, &used, prefixes * 8)
    e.joint = <double*>_piece(block, &used, t.max_tensor * 8)
    e.joint_index = <int32_t*>_piece(block, &used, t.max_tensor * 4)
    e.joint_weight = <double*>_piece(block, &used, t.max_tensor * 8)
    e.outcomes = <double*>_piece(block, &used, widest * 8)
    e.outcomes_novelty = <double*>_piece(block, &used, widest * 8)
    e.rows = <double*>_piece(block, &used, t.num_states_total * 8)
    sizes[0], sizes[1] = used, cleared


# Memory to evaluate policies with, which keeps the beliefs of `times` agents; -1 without memory.
cdef int _allocate(const BatchedTables* t, const SharedPolicies* p, Evaluation* e,
                   Py_ssize_t times) noexcept nogil:
    cdef Py_ssize_t sizes[2]
    _lay_out(t, p, e, times, NULL, NULL, sizes)
    e.epoch, e.zeroed_size = 0, sizes[1]
    e.block, e.zeroed = malloc(sizes[0]), calloc(sizes[1], 1)
    if e.block == NULL or e.zeroed == NULL:
        _free(e)
        return -1
    _lay_out(t, p, e, times, <char*>e.block, <char*>e.zeroed, sizes)
    return 0


cdef void _free(Evaluation* e) noexcept nogil:
    free(e.block)
    free(e.zeroed)


# q_pi = softmax(gamma * G + log E) and G = -EFE of all policies, for agents [start, stop).
# pymdp.control.update_posterior_policies_inductive. qs[f] of agent i is at qs[f] + i *
# qs_stride[f]. Cost: see the functions above, for distinct beliefs alone; then a look-up and an
# addition for each distinct beginning of a policy and group. Returns -1 without memory.
cdef int evaluate_policies(const BatchedTables* t, const SharedPolicies* p,
                           const double* const* qs, const Py_ssize_t* qs_stride,
                           Py_ssize_t start, Py_ssize_t stop,
                           double* q_pi, double* G) noexcept nogil:
    cdef Evaluation e
    cdef Py_ssize_t agent, times = 1
    # agents that share all tables share what was computed for each other's beliefs
    if stop - start > 1 and p.num_policies <= MANY_POLICIES and all_shared(t, p):
        times = min(stop - start, KEPT_AGENTS)
    if _allocate(t, p, &e, times) != 0:
        return -1
    for agent in range(start, stop):
        _make_room(t, p, &e, times)
        _evaluate(t, p, &e, qs, qs_stride, agent, q_pi + agent * p.num_policies,
                  G + agent * p.num_policies)
    _free(&e)
    return 0


# Memory for `evaluate_again`, to be freed by `free_evaluation`; NULL if there is none.
cdef void* new_evaluation(const BatchedTables* t, const SharedPolicies* p) noexcept nogil:
    cdef Evaluation* e = <Evaluation*>malloc(sizeof(Evaluation))
    if e != NULL and _allocate(t, p, e, 1) != 0:
        free(e)
        return NULL
    return e


# The same for one agent, whose q_pi and G are given, in memory that is kept between calls: the
# tables may change from call to call, the sizes may not.
cdef void evaluate_again(void* evaluation, const BatchedTables* t, const SharedPolicies* p,
                         const double* const* qs, const Py_ssize_t* qs_stride, Py_ssize_t agent,
                         double* q_pi, double* G) noexcept nogil:
    cdef Evaluation* e = <Evaluation*>evaluation
    if e.epoch == LAST_EPOCH:
        memset(e.zeroed, 0, e.zeroed_size)
        e.epoch = 0
    _make_room(t, p, e, 1)
    _evaluate(t, p, e, qs, qs_stride, agent, q_pi, G)


cdef void free_evaluation(void* evaluation) noexcept nogil:
    if evaluation != NULL:
        _free(<Evaluation*>evaluation)
        free(evaluation)
