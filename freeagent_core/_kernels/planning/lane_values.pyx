"""Expected free energy of the policies of eight agents at once, one a lane: `shared_prefixes` for
models without certain transitions.

Where no transition is certain, beliefs hardly ever turn out equal, so that there is nothing to
merge: the slots of the plan are computed one after the other on rows of eight doubles
(csrc/lanes.h). A matrix that the agents share is read once for all; of agents that have each their
own, as when they learn, the eight are gathered once and serve all slots. No operation crosses
lanes, so that an agent's numbers do not depend on its block.
"""

from libc.stdint cimport int32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.batched_model cimport Table, Transition, of_agent
from freeagent_core._kernels.model.lane_model cimport LANES, joint_in_lanes
from freeagent_core._kernels.planning.policy_plan cimport (
    BeliefSlots, GroupValues, JointSlots, Prefixes,
)
from freeagent_core._kernels.planning.shared_prefixes cimport LEAST

cdef enum:
    MAX_PARENTS = 64
    # Rows of a block beyond which agents are evaluated one by one: 2 MiB, a second cache.
    MAX_ROWS = 32768
    # Joint states up to which the matrices of agents that have each their own are gathered.
    MAX_OWN_STATES = 64


# A matrix that the lanes share, or rows of eight doubles gathered from each agent's own.
ctypedef struct LaneTable:
    const double* data
    bint own


ctypedef struct GroupTables:
    LaneTable linear


ctypedef struct ModalityTables:
    LaneTable A, novelty           # novelty.data is NULL without


ctypedef struct FactorTables:
    LaneTable B, novelty


# Arrays of one block, in rows of eight doubles.
ctypedef struct Block:
    Py_ssize_t num_beliefs         # rows of the beliefs of all factors at one step
    double* before                 # (num_beliefs,): of each factor (max_slots, num_states)
    double* now                    # (num_beliefs,)
    Py_ssize_t num_values          # slots of all groups at one step
    double* values                 # (num_values,): of each group's slots
    double* G_before               # (num_prefixes,)
    double* G_now                  # (num_prefixes,)
    Py_ssize_t num_prefixes
    double* joint                  # (2 * max_tensor,)
    Py_ssize_t max_joint
    Py_ssize_t max_outcomes        # of a modality, or next states of a factor
    double* outcomes               # (max_outcomes,)
    double* logarithms             # (max_outcomes,)
    double* G                      # (num_policies,)
    double* q_pi                   # (num_policies,)
    Py_ssize_t num_slots           # of all factors at one step
    double* slot_values            # (num_slots,): of the factors with novelty
    double* own                    # room for what is gathered
    GroupTables* groups
    ModalityTables* modalities
    FactorTables* factors


cdef inline Py_ssize_t _rows_of(const Table* table, Py_ssize_t n) noexcept nogil:
    return n if table.data != NULL and table.stride != 0 else 0


# Rows that agents' own tables fill.
cdef Py_ssize_t _own_rows(const BatchedTables* t, const SharedPolicies* p) noexcept nogil:
    cdef Py_ssize_t i, n, rows = 0
    for i in range(t.num_groups):
        rows += _rows_of(&p.groups[i].linear, p.groups[i].num_steps * t.groups[i].size)
    for i in range(t.num_modalities):
        n = t.modalities[i].num_obs * t.modalities[i].size
        rows += _rows_of(&p.modalities[i].A, n) + _rows_of(&p.modalities[i].novelty, n)
    for i in range(t.num_factors):
        n = t.factors[i].num_controls * t.factors[i].size * t.factors[i].num_states
        rows += _rows_of(&t.factors[i].B, n) + _rows_of(&p.factors[i].novelty, n)
    return rows


# The slots of a group at the step that has most.
cdef Py_ssize_t _max_joints(const BatchedTables* t, const SharedPolicies* p,
                            Py_ssize_t g) noexcept nogil:
    cdef Py_ssize_t step, most = 1
    for step in range(p.num_steps):
        most = max(most, p.joints[step * t.num_groups + g].count)
    return most


# The sizes of a block; returns its rows.
cdef Py_ssize_t _measure(const BatchedTables* t, const SharedPolicies* p,
                         Block* b) noexcept nogil:
    cdef Py_ssize_t i, step
    b.num_beliefs = b.num_values = b.num_slots = 0
    b.num_prefixes, b.max_joint, b.max_outcomes = 1, t.max_tensor, 1
    for i in range(t.num_factors):
        b.num_beliefs += p.max_slots[i] * t.factors[i].num_states
        b.num_slots += p.max_slots[i]
        b.max_joint = max(b.max_joint, t.factors[i].size)
        b.max_outcomes = max(b.max_outcomes, t.factors[i].num_states)
    for i in range(t.num_modalities):
        b.max_outcomes = max(b.max_outcomes, t.modalities[i].num_obs)
    for i in range(t.num_groups):
        b.num_values += _max_joints(t, p, i)
        b.max_joint = max(b.max_joint, t.groups[i].size)
    for step in range(p.num_steps):
        b.num_prefixes = max(b.num_prefixes, p.prefixes[step].count)
    return (2 * (b.num_beliefs + b.num_prefixes + b.max_joint + b.max_outcomes + p.num_policies)
            + b.num_values + b.num_slots + _own_rows(t, p))


cdef bint fit_value_lanes(const BatchedTables* t, const SharedPolicies* p) noexcept nogil:
    cdef Block b
    cdef Py_ssize_t i
    for i in range(t.num_factors):
        if p.factors[i].inductive.data != NULL or p.factors[i].next_state != NULL:
            return False
        if t.factors[i].B.stride != 0 and t.factors[i].size > MAX_OWN_STATES:
            return False
    for i in range(t.num_modalities):
        if p.modalities[i].A.stride != 0 and t.modalities[i].size > MAX_OWN_STATES:
            return False
    return _measure(t, p, &b) <= MAX_ROWS


cdef LaneTable _gathered(const Table* table, Py_ssize_t n, const Py_ssize_t* agents,
                         double** room) noexcept nogil:
    cdef LaneTable out
    cdef const double* rows[LANES]
    cdef Py_ssize_t lane
    out.data, out.own = table.data, False
    if _rows_of(table, n) == 0:
        return out
    for lane in range(LANES):
        rows[lane] = of_agent(table, agents[lane])
    P.lanes.gather(rows, n, False, room[0])
    out.data, out.own = room[0], True
    room[0] += LANES * n
    return out


# The tables of the agents of a block. Cost: 8 loads per entry of those that are their own.
cdef void _gather_tables(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                         const Py_ssize_t* agents) noexcept nogil:
    cdef double* room = b.own
    cdef Py_ssize_t i, n
    for i in range(t.num_groups):
        b.groups[i].linear = _gathered(&p.groups[i].linear,
                                       p.groups[i].num_steps * t.groups[i].size, agents, &room)
    for i in range(t.num_modalities):
        n = t.modalities[i].num_obs * t.modalities[i].size
        b.modalities[i].A = _gathered(&p.modalities[i].A, n, agents, &room)
        b.modalities[i].novelty = _gathered(&p.modalities[i].novelty, n, agents, &room)
    for i in range(t.num_factors):
        n = t.factors[i].num_controls * t.factors[i].size * t.factors[i].num_states
        b.factors[i].B = _gathered(&t.factors[i].B, n, agents, &room)
        b.factors[i].novelty = _gathered(&p.factors[i].novelty, n, agents, &room)


# The current beliefs; entries that are too small to count are left out, as shared_prefixes does.
cdef void _gather_beliefs(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                          const double* const* qs, const Py_ssize_t* qs_stride,
                          const Py_ssize_t* agents) noexcept nogil:
    cdef const double* rows[LANES]
    cdef double* here = b.now
    cdef Py_ssize_t i, s, lane
    for i in range(t.num_factors):
        for lane in range(LANES):
            rows[lane] = qs[i] + agents[lane] * qs_stride[i]
        P.lanes.gather(rows, t.factors[i].num_states, False, here)
        if p.merge:
            for s in range(LANES * t.factors[i].num_states):
                if here[s] < LEAST:
                    here[s] = 0.0
        here += LANES * p.max_slots[i] * t.factors[i].num_states


# Where the beliefs of a factor's slots begin.
cdef double* _beliefs_of(const BatchedTables* t, const SharedPolicies* p, double* beliefs,
                         Py_ssize_t factor) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(factor):
        beliefs += LANES * p.max_slots[i] * t.factors[i].num_states
    return beliefs


# out[s'] = sum_s M[block][s, s'] q[s], M of blocks (size, n)
cdef inline void _multiply(const LaneTable* M, Py_ssize_t block, const double* q, Py_ssize_t size,
                           Py_ssize_t n, double* out) noexcept nogil:
    P.lanes.matmul(M.data + (LANES if M.own else 1) * block * size * n, M.own, n, 1, q, size, n,
                   out)


# qs'[s'] = sum_s B[s', s, u] prod_k qs_k[s_k] of all slots of a factor at this step, and what
# each adds to the value, - qs' . (novelty_u qs).
# pymdp.control.compute_expected_state and calc_negative_pB_info_gain. Cost: the size of B of an
# action, for each slot.
cdef void _next_beliefs(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                        Py_ssize_t step, Py_ssize_t index, double* value) noexcept nogil:
    cdef const Transition* f = &t.factors[index]
    cdef const BeliefSlots* slots = &p.beliefs[step * t.num_factors + index]
    cdef const FactorTables* tables = &b.factors[index]
    cdef const double* starts[MAX_PARENTS]
    cdef const double* parts[MAX_PARENTS]
    cdef const double* joint
    cdef double* out = _beliefs_of(t, p, b.now, index)
    cdef Py_ssize_t i, k, n = f.num_states
    for k in range(f.num_parents):
        starts[k] = _beliefs_of(t, p, b.before, f.parents[k])
    for i in range(slots.count):
        for k in range(f.num_parents):
            parts[k] = starts[k] + LANES * f.sizes[k] * slots.parents[i * f.num_parents + k]
        joint = joint_in_lanes(parts, f.sizes, f.num_parents, b.max_joint, b.joint)
        _multiply(&tables.B, slots.actions[i], joint, f.size, n, out)
        if tables.novelty.data != NULL:
            _multiply(&tables.novelty, slots.actions[i], joint, f.size, n, b.outcomes)
            memset(value, 0, LANES * sizeof(double))
            P.lanes.dot(-1.0, out, b.outcomes, n, value)
            value += LANES
        out += LANES * n


# The values of a group's slots:
#   sum_m qo_m . C_m + H(qo_m) - sum_s q(s) H(A_m[:, s]) - qo_m . (novelty_m q),  qo_m = A_m q
# pymdp.control.compute_expected_utility, compute_info_gain and calc_negative_pA_info_gain. Cost:
# the size of A and a logarithm per outcome, for each slot.
cdef void _joint_values(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                        Py_ssize_t step, Py_ssize_t index, double* value) noexcept nogil:
    cdef const LaneTable* linear = &b.groups[index].linear
    cdef const ModalityTables* tables
    cdef const JointSlots* slots = &p.joints[step * t.num_groups + index]
    cdef Py_ssize_t num_parents = t.groups[index].num_parents, size = t.groups[index].size
    cdef Py_ssize_t at = min(step, p.groups[index].num_steps - 1) * size
    cdef Py_ssize_t i, k, m, n
    cdef const double* starts[MAX_PARENTS]
    cdef const double* parts[MAX_PARENTS]
    cdef const double* q
    for k in range(num_parents):
        starts[k] = _beliefs_of(t, p, b.now, t.groups[index].parents[k])
    memset(value, 0, LANES * slots.count * sizeof(double))
    for i in range(slots.count):
        for k in range(num_parents):
            parts[k] = starts[k] + (LANES * t.groups[index].sizes[k]
                                    * slots.parents[i * num_parents + k])
        q = joint_in_lanes(parts, t.groups[index].sizes, num_parents, b.max_joint, b.joint)
        if linear.own:
            P.lanes.dot(1.0, q, linear.data + LANES * at, size, value)
        else:
            P.lanes.shared_dot(q, linear.data + at, size, value)
        for k in range(t.groups[index].num_modalities):
            m = t.groups[index].modalities[k]
            n = t.modalities[m].num_obs
            tables = &b.modalities[m]
            if not p.states_info_gain and tables.novelty.data == NULL:
                continue
            _multiply(&tables.A, 0, q, size, n, b.outcomes)
            if p.states_info_gain:
                P.log_eps(b.outcomes, LANES * n, b.logarithms)
                P.lanes.dot(-1.0, b.outcomes, b.logarithms, n, value)
            if tables.novelty.data != NULL:
                _multiply(&tables.novelty, 0, q, size, n, b.logarithms)
                P.lanes.dot(-1.0, b.outcomes, b.logarithms, n, value)
        value += LANES


# G of the beginnings of policies, from those one step shorter. Cost: num_groups additions each,
# and num_factors with novelty of B.
cdef void _add_values(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                      Py_ssize_t step) noexcept nogil:
    cdef const Prefixes* prefixes = &p.prefixes[step]
    cdef const double* value
    cdef double* total
    cdef Py_ssize_t k, i, lane
    for k in range(prefixes.count):
        total = b.G_now + LANES * k
        memcpy(total, b.G_before + LANES * prefixes.before[k], LANES * sizeof(double))
        value = b.values
        for i in range(t.num_groups):
            for lane in range(LANES):
                total[lane] += value[LANES * prefixes.joints[k * t.num_groups + i] + lane]
            value += LANES * _max_joints(t, p, i)
        value = b.slot_values
        for i in range(t.num_factors):
            if b.factors[i].novelty.data == NULL:
                continue
            for lane in range(LANES):
                total[lane] += value[LANES * prefixes.beliefs[k * t.num_factors + i] + lane]
            value += LANES * p.max_slots[i]


# q_pi = softmax(gamma G + log E) of the agents of a block. pymdp.control.update_posterior_policies
cdef void _posterior(const SharedPolicies* p, const Block* b, const Py_ssize_t* agents,
                     Py_ssize_t count, Py_ssize_t out_stride, double* q_pi,
                     double* G) noexcept nogil:
    cdef double* rows[LANES]
    cdef const double* log_E
    cdef Py_ssize_t i, k
    cdef double gamma
    P.lanes.policy_posterior(b.G_now, p.last, p.num_policies, p.gamma.data[0], p.log_E.data, b.G,
                             b.q_pi)
    for i in range(count):
        rows[i] = G + agents[i] * out_stride
    P.lanes.scatter(b.G, p.num_policies, count, rows)
    for i in range(count):
        rows[i] = q_pi + agents[i] * out_stride
    P.lanes.scatter(b.q_pi, p.num_policies, count, rows)
    if p.gamma.stride == 0 and p.log_E.stride == 0:
        return
    for i in range(count):
        gamma, log_E = of_agent(&p.gamma, agents[i])[0], of_agent(&p.log_E, agents[i])
        for k in range(p.num_policies):
            rows[i][k] = gamma * G[agents[i] * out_stride + k] + log_E[k]
        P.softmax(rows[i], p.num_policies, rows[i])


cdef void _evaluate(const BatchedTables* t, const SharedPolicies* p, Block* b,
                    const double* const* qs, const Py_ssize_t* qs_stride,
                    const Py_ssize_t* agents) noexcept nogil:
    cdef Py_ssize_t step, i
    cdef double* values
    _gather_tables(t, p, b, agents)
    _gather_beliefs(t, p, b, qs, qs_stride, agents)
    memset(b.G_now, 0, LANES * sizeof(double))
    for step in range(p.num_steps):
        b.before, b.now = b.now, b.before
        b.G_before, b.G_now = b.G_now, b.G_before
        values = b.slot_values
        for i in range(t.num_factors):
            _next_beliefs(t, p, b, step, i, values)
            if b.factors[i].novelty.data != NULL:
                values += LANES * p.max_slots[i]
        values = b.values
        for i in range(t.num_groups):
            _joint_values(t, p, b, step, i, values)
            values += LANES * _max_joints(t, p, i)
        _add_values(t, p, b, step)


# shared_prefixes.evaluate_policies of the agents in range(start, stop), eight at a time; lanes that
# are left over repeat the first one. q_pi and G of agent i begin at i * out_stride. Returns 0,
# or -1 without memory. Cost: that of the slots of one agent, times eight over the lanes of a
# register, for each block.
cdef int evaluate_policies_in_lanes(const BatchedTables* t, const SharedPolicies* p,
                                    const double* const* qs, const Py_ssize_t* qs_stride,
                                    Py_ssize_t start, Py_ssize_t stop, Py_ssize_t out_stride,
                                    double* q_pi, double* G) noexcept nogil:
    cdef Block b
    cdef Py_ssize_t rows = _measure(t, p, &b), lane, count
    cdef Py_ssize_t agents[LANES]
    cdef Py_ssize_t structs = (t.num_groups * sizeof(GroupTables)
                               + t.num_modalities * sizeof(ModalityTables)
                               + t.num_factors * sizeof(FactorTables))
    cdef double* memory = <double*>malloc((rows + 1) * LANES * sizeof(double) + structs)
    if memory == NULL:
        return -1
    b.before = <double*>((<uintptr_t>memory + 63) // 64 * 64)
    b.now = b.before + LANES * b.num_beliefs
    b.G_before = b.now + LANES * b.num_beliefs
    b.G_now = b.G_before + LANES * b.num_prefixes
    b.joint = b.G_now + LANES * b.num_prefixes
    b.outcomes = b.joint + LANES * 2 * b.max_joint
    b.logarithms = b.outcomes + LANES * b.max_outcomes
    b.G = b.logarithms + LANES * b.max_outcomes
    b.q_pi = b.G + LANES * p.num_policies
    b.values = b.q_pi + LANES * p.num_policies
    b.slot_values = b.values + LANES * b.num_values
    b.own = b.slot_values + LANES * b.num_slots
    b.groups = <GroupTables*>(b.own + LANES * _own_rows(t, p))
    b.modalities = <ModalityTables*>(b.groups + t.num_groups)
    b.factors = <FactorTables*>(b.modalities + t.num_modalities)
    while start < stop:
        count = min(<Py_ssize_t>LANES, stop - start)
        for lane in range(LANES):
            agents[lane] = start + (lane if lane < count else 0)
        _evaluate(t, p, &b, qs, qs_stride, agents)
        _posterior(p, &b, agents, count, out_stride, q_pi, G)
        start += count
    free(memory)
    return 0
