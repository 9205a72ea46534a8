"""Policies with a belief for each step (MMP) of eight agents at once, one a lane:
`policy_evaluation.evaluate_sequences` for small models.

Policies of a family share all steps but the last, which are valued once; so are beliefs of the last
step that follow from the same actions.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.lane_model cimport LANES
from freeagent_core._kernels.model.message_lanes cimport last_actions
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, Model, PolicyTree
from freeagent_core._kernels.planning.lane_policies cimport add_group_value


# memory.G and memory.q_pi, in the order of policies, from the last `num_steps` beliefs:
#   q_pi = softmax(G * gamma - F + log(E + 1e-16))
# pymdp.legacy.control.update_posterior_policies_full_factorized.
# Cost: that of add_group_value per group, family and step, and per last actions of its factors.
cdef void evaluate_sequences_in_lanes(const MessageLanes* m, const LaneWindow* window,
                                      const EFEParameters* parameters, Py_ssize_t num_steps,
                                      LaneMemory* memory) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t n = m.lanes.num_states, last_step = window.infer_len - 1
    cdef Py_ssize_t first = window.infer_len - num_steps, family, step, g, row, policy, lane
    cdef const double* parts[MAX_FACTORS]
    cdef double* G
    cdef double* q_pi
    for family in range(tree.num_families):
        memset(window.total, 0, LANES * sizeof(double))
        for step in range(first, last_step):
            for g in range(model.num_groups):
                _find_parts(m, g, window.beliefs + LANES * (family * last_step + step) * n, parts)
                add_group_value(m.lanes, memory, parameters, g, step - first, parts, window.total)
        for row in range(tree.family_start[family], tree.family_start[family + 1]):
            policy = tree.family_members[row]
            G, q_pi = memory.G + LANES * policy, memory.q_pi + LANES * policy
            memcpy(G, window.total, LANES * sizeof(double))
            for g in range(model.num_groups):
                _add_last(m, window, parameters, family, row, g, num_steps - 1, memory, G)
            for lane in range(LANES):
                q_pi[lane] = (G[lane] * parameters.gamma - window.F[LANES * row + lane]
                              + model.log_E[policy])
    P.lane_messages.softmax(memory.q_pi, tree.num_policies, memory.q_pi)


# The beliefs of a group's factors, at one step. Cost: num_factors.
cdef void _find_parts(const MessageLanes* m, Py_ssize_t g, const double* beliefs,
                      const double** parts) noexcept nogil:
    cdef const Group* group = &m.lanes.model.groups[g]
    cdef Py_ssize_t k
    for k in range(group.num_factors):
        parts[k] = beliefs + LANES * m.lanes.state_start[group.factors[k]]


# G += the value of a group at the last step of a policy, computed once for each sequence of the
# last actions of its factors; window.values has those of the family. Cost: members before it times
# num_factors, or that of add_group_value.
cdef void _add_last(const MessageLanes* m, const LaneWindow* window,
                    const EFEParameters* parameters, Py_ssize_t family, Py_ssize_t row,
                    Py_ssize_t g, Py_ssize_t step, LaneMemory* memory, double* G) noexcept nogil:
    cdef const Model* model = m.lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef const Group* group = &model.groups[g]
    cdef Py_ssize_t start = tree.family_start[family], other = start, k, f, lane
    cdef const double* parts[MAX_FACTORS]
    cdef const int32_t* actions = last_actions(tree, model.num_factors, row)
    cdef double* value = window.values + LANES * ((row - start) * model.num_groups + g)
    while other < row and not _agree(group, actions, last_actions(tree, model.num_factors, other)):
        other += 1
    if other < row:
        memcpy(value, window.values + LANES * ((other - start) * model.num_groups + g),
               LANES * sizeof(double))
    else:
        for k in range(group.num_factors):
            f = group.factors[k]
            parts[k] = window.last + LANES * (
                family * m.num_last + m.last_start[f] + actions[f] * model.factors[f].num_states)
        memset(value, 0, LANES * sizeof(double))
        add_group_value(m.lanes, memory, parameters, g, step, parts, value)
    for lane in range(LANES):
        G[lane] += value[lane]


cdef bint _agree(const Group* group, const int32_t* actions, const int32_t* others) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(group.num_factors):
        if actions[group.factors[k]] != others[group.factors[k]]:
            return False
    return True
