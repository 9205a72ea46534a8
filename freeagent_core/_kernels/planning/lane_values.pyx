"""Expected free energy of the policies of eight agents at once, one a lane: `shared_prefixes` for
agents that share a model without certain transitions.

Where no transition is certain, beliefs hardly ever turn out equal, so that there is nothing to
merge: the slots of the plan are computed one after the other on rows of eight doubles
(csrc/lanes.h), each matrix read once for all. No operation crosses lanes, so that an agent's
numbers do not depend on its block.
"""

from libc.stdint cimport int32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.batched_model cimport Transition
from freeagent_core._kernels.model.lane_model cimport LANES, joint_in_lanes
from freeagent_core._kernels.planning.policy_plan cimport (
    BeliefSlots, GroupValues, JointSlots, Prefixes,
)
from freeagent_core._kernels.planning.shared_prefixes cimport LEAST, all_shared

cdef enum:
    MAX_PARENTS = 64
    # Rows of a block beyond which agents are evaluated one by one: 2 MiB, a second cache.
    MAX_ROWS = 32768


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
    double* outcomes               # (num_obs_total,)
    double* logarithms             # (num_obs_total,)
    double* G                      # (num_policies,)
    double* q_pi                   # (num_policies,)


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
    b.num_beliefs = b.num_values = 0
    b.num_prefixes, b.max_joint = 1, t.max_tensor
    for i in range(t.num_factors):
        b.num_beliefs += p.max_slots[i] * t.factors[i].num_states
        b.max_joint = max(b.max_joint, t.factors[i].size)
    for i in range(t.num_groups):
        b.num_values += _max_joints(t, p, i)
        b.max_joint = max(b.max_joint, t.groups[i].size)
    for step in range(p.num_steps):
        b.num_prefixes = max(b.num_prefixes, p.prefixes[step].count)
    return (2 * (b.num_beliefs + b.num_prefixes + b.max_joint + t.num_obs_total + p.num_policies)
            + b.num_values)


cdef bint fit_value_lanes(const BatchedTables* t, const SharedPolicies* p) noexcept nogil:
    cdef Block b
    cdef Py_ssize_t i
    if not all_shared(t, p) or p.gamma.stride != 0 or p.log_E.stride != 0:
        return False
    for i in range(t.num_modalities):
        if p.modalities[i].novelty.data != NULL:
            return False
    for i in range(t.num_factors):
        if p.factors[i].novelty.data != NULL or p.factors[i].next_state != NULL:
            return False
    return _measure(t, p, &b) <= MAX_ROWS


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


# qs'[s'] = sum_s B[s', s, u] prod_k qs_k[s_k] of all slots of a factor at this step.
# pymdp.control.compute_expected_state. Cost: the size of B of an action, for each slot.
cdef void _next_beliefs(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                        Py_ssize_t step, Py_ssize_t index) noexcept nogil:
    cdef const Transition* f = &t.factors[index]
    cdef const BeliefSlots* slots = &p.beliefs[step * t.num_factors + index]
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
        P.lanes.matmul(f.B.data + slots.actions[i] * f.size * n, False, n, 1, joint, f.size, n,
                       out)
        out += LANES * n


# The values of a group's slots: sum_m qo_m . C_m + H(qo_m) - sum_s q(s) H(A_m[:, s]), qo_m = A_m q.
# pymdp.control.compute_expected_utility and compute_info_gain. Cost: the size of A and a logarithm
# per outcome, for each slot.
cdef void _joint_values(const BatchedTables* t, const SharedPolicies* p, const Block* b,
                        Py_ssize_t step, Py_ssize_t index, double* value) noexcept nogil:
    cdef const GroupValues* g = &p.groups[index]
    cdef const JointSlots* slots = &p.joints[step * t.num_groups + index]
    cdef Py_ssize_t num_parents = t.groups[index].num_parents, size = t.groups[index].size
    cdef Py_ssize_t i, k, m, n
    cdef const double* linear = g.linear.data + min(step, g.num_steps - 1) * size
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
        P.lanes.shared_dot(q, linear, size, value)
        for k in range(t.groups[index].num_modalities if p.states_info_gain else 0):
            m = t.groups[index].modalities[k]
            n = t.modalities[m].num_obs
            P.lanes.matmul(p.modalities[m].A.data, False, n, 1, q, size, n, b.outcomes)
            P.log_eps(b.outcomes, LANES * n, b.logarithms)
            P.lanes.dot(-1.0, b.outcomes, b.logarithms, n, value)
        value += LANES


# G of the beginnings of policies, from those one step shorter. Cost: num_groups additions each.
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


cdef void _evaluate(const BatchedTables* t, const SharedPolicies* p, Block* b,
                    const double* const* qs, const Py_ssize_t* qs_stride,
                    const Py_ssize_t* agents, Py_ssize_t count, double* q_pi,
                    double* G) noexcept nogil:
    cdef Py_ssize_t step, i
    cdef double* values
    cdef double* rows[LANES]
    _gather_beliefs(t, p, b, qs, qs_stride, agents)
    memset(b.G_now, 0, LANES * sizeof(double))
    for step in range(p.num_steps):
        b.before, b.now = b.now, b.before
        b.G_before, b.G_now = b.G_now, b.G_before
        for i in range(t.num_factors):
            _next_beliefs(t, p, b, step, i)
        values = b.values
        for i in range(t.num_groups):
            _joint_values(t, p, b, step, i, values)
            values += LANES * _max_joints(t, p, i)
        _add_values(t, p, b, step)
    P.lanes.policy_posterior(b.G_now, p.last, p.num_policies, p.gamma.data[0], p.log_E.data, b.G,
                             b.q_pi)
    for i in range(count):
        rows[i] = q_pi + agents[i] * p.num_policies
    P.lanes.scatter(b.q_pi, p.num_policies, count, rows)
    for i in range(count):
        rows[i] = G + agents[i] * p.num_policies
    P.lanes.scatter(b.G, p.num_policies, count, rows)


# shared_prefixes.evaluate_policies of the agents in range(start, stop), eight at a time; lanes that
# are left over repeat the first one. Returns 0, or -1 without memory. Cost: that of the slots of
# one agent, times eight over the lanes of a register, for each block.
cdef int evaluate_policies_in_lanes(const BatchedTables* t, const SharedPolicies* p,
                                    const double* const* qs, const Py_ssize_t* qs_stride,
                                    Py_ssize_t start, Py_ssize_t stop, double* q_pi,
                                    double* G) noexcept nogil:
    cdef Block b
    cdef Py_ssize_t rows = _measure(t, p, &b), lane, count
    cdef Py_ssize_t agents[LANES]
    cdef double* memory = <double*>malloc((rows + 1) * LANES * sizeof(double))
    if memory == NULL:
        return -1
    b.before = <double*>((<uintptr_t>memory + 63) // 64 * 64)
    b.now = b.before + LANES * b.num_beliefs
    b.G_before = b.now + LANES * b.num_beliefs
    b.G_now = b.G_before + LANES * b.num_prefixes
    b.joint = b.G_now + LANES * b.num_prefixes
    b.outcomes = b.joint + LANES * 2 * b.max_joint
    b.logarithms = b.outcomes + LANES * t.num_obs_total
    b.G = b.logarithms + LANES * t.num_obs_total
    b.q_pi = b.G + LANES * p.num_policies
    b.values = b.q_pi + LANES * p.num_policies
    while start < stop:
        count = min(<Py_ssize_t>LANES, stop - start)
        for lane in range(LANES):
            agents[lane] = start + (lane if lane < count else 0)
        _evaluate(t, p, &b, qs, qs_stride, agents, count, q_pi, G)
        start += count
    free(memory)
    return 0
