"""The terms of the (negative) expected free energy G of one step, from predicted beliefs.

A belief comes as its *support*: the joint states of positive weight, and their weights. The
expected utility comes from ``utility``, a dot product over states, so that expected outcomes
are needed only for the states above the mask of the information gain. A point mass needs none:
its information gain was computed when the model was packed (``point_mass_gain``).
"""

from libc.stdint cimport int32_t

from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.primitives cimport FC_MASK, P
from freeagent_core._kernels.model.structs cimport MAX_FACTORS


cdef double EQUAL_BELIEFS = 1e-12


# One step of G that depends on the joint belief q(s) of one group's factors:
#   utility        sum_s q(s) sum_m sum_o A_m[o, s] log C_m[o]          (calc_expected_utility)
#   states         sum_s q(s) sum_o A[o, s] log(A[o, s] + exp(-16)) - sum_o q(o) log(q(o) + 1e-16),
#                  q(o) = sum_s A[o, s] q(s), over the s with q(s) > exp(-16)   (spm_MDP_G)
#   parameters     - sum_o q(o) sum_s wA[o, s] q(s)               (calc_pA_info_gain_factorized)
# pymdp.legacy.control and maths. `index` and `weights`, of `count` joint states, are overwritten.
# Cost: for each state above the mask the dense outcomes, and the nonzero entries of the
# sparse modalities; a logarithm per outcome of positive probability.
cdef double support_terms(const Model* model, const EFEParameters* parameters, const Group* group,
                          Py_ssize_t step, int32_t* index, double* weights, Py_ssize_t count,
                          Workspace* work) noexcept nogil:
    cdef const double* utility = group.utility
    cdef Py_ssize_t k, above = 0
    cdef double value = 0.0
    cdef bint use_pA_gain = parameters.use_param_info_gain and group.wA_by_state != NULL
    if group.num_utility_steps > 1:
        utility += step * group.num_joint
    if count == 1 and weights[0] == 1.0 and not use_pA_gain and group.point_mass_gain != NULL:
        if parameters.use_utility:
            value += utility[index[0]]
        if parameters.use_states_info_gain:
            value += group.point_mass_gain[index[0]]
        return value
    if parameters.use_utility:
        for k in range(count):
            value += weights[k] * utility[index[k]]
    if use_pA_gain:
        P.sparse_gemv_t(weights, group.A_by_state, index, count, group.wA_stride, work.row)
        P.sparse_gemv_t(weights, group.wA_by_state, index, count, group.wA_stride,
                        work.row + group.wA_stride)
        value -= P.dot(work.row, work.row + group.wA_stride, group.wA_stride)
    if parameters.use_states_info_gain:
        for k in range(count):
            if weights[k] > FC_MASK:
                weights[above], index[above] = weights[k], index[k]
                above += 1
        value += _information_gain(group, index, weights, above, work)
    return value


# sum_s q(s) sum_o A[o, s] log(A[o, s] + exp(-16)) - sum_o q(o) log(q(o) + 1e-16), over the states
# above the mask: the part `states` of support_terms. pymdp.legacy.maths.spm_MDP_G.
# Cost: count * num_outcomes, the nonzeros of sparse modalities, a logarithm per outcome.
cdef double _information_gain(const Group* group, const int32_t* index, const double* weights,
                              Py_ssize_t count, Workspace* work) noexcept nogil:
    cdef double* row = work.row
    cdef double* sums = work.outcome_sums  # zero between calls
    cdef int32_t* touched = work.touched
    cdef double value = 0.0, total = 0.0
    cdef Py_ssize_t k, e, o, num_touched = 0
    if group.num_outcomes or group.num_complements:
        P.sparse_gemv_t(weights, group.outcomes, index, count, group.outcome_stride, row)
        for k in range(count):
            total += weights[k]
        P.outcome_terms(row, 1, group.outcome_stride, group.num_outcomes, NULL, &total,
                        group.complement_start, group.num_complements, &value)
        value += row[group.num_outcomes]
    else:  # all modalities are sparse
        for k in range(count):
            value += weights[k] * group.outcomes[index[k] * group.outcome_stride]
    if group.sparse_start == NULL:
        return value
    for k in range(count):
        for e in range(group.sparse_start[index[k]], group.sparse_start[index[k] + 1]):
            o = group.sparse_outcome[e]
            if sums[o] == 0.0:
                touched[num_touched] = <int32_t>o
                num_touched += 1
            sums[o] += weights[k] * group.sparse_A[e]
    for k in range(num_touched):
        row[k] = sums[touched[k]]
        sums[touched[k]] = 0.0
    return value - P.neg_entropy(row, num_touched)


# support_terms of q(s) = prod_f q_f(s_f), the beliefs `parts` of the group's factors.
# pymdp.legacy.maths.spm_cross. Cost: the joint, then that of support_terms.
cdef double group_terms(const Model* model, const EFEParameters* parameters, const Group* group,
                        Py_ssize_t step, const double** parts, Workspace* work) noexcept nogil:
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef Py_ssize_t k, count
    for k in range(group.num_factors):
        sizes[k] = model.factors[group.factors[k]].num_states
    cdef const double* q = joint_belief(parts, sizes, group.num_factors, work.joint,
                                        work.max_joint)
    count = P.support(q, group.num_joint, 0.0, work.index, work.weights)
    return support_terms(model, parameters, group, step, work.index, work.weights, count, work)


# sum_s q(s) utility(s) + information gain about states, of one group at the first step.
# pymdp.legacy.control.sophisticated_inference_search. Cost: that of group_terms.
cdef double first_step_terms(const Model* model, const Group* group, const double** parts,
                             Workspace* work) noexcept nogil:
    cdef EFEParameters parameters
    parameters.gamma = 1.0
    parameters.use_utility = True
    parameters.use_states_info_gain = True
    parameters.use_param_info_gain = False
    return group_terms(model, &parameters, group, 0, parts, work)


# sum_s q(s) sum_p wB[s, p, action] q(p): minus the information gain about pB, for one
# factor and step. pymdp.legacy.control.calc_pB_info_gain_interactions. Both beliefs are
# supports, the previous one over the joint states of the factor's dependencies.
# Cost: count * num_states.
cdef double neg_pB_info_gain(const Factor* f, Py_ssize_t action, const int32_t* index,
                             const double* weights, Py_ssize_t count, const int32_t* state,
                             const double* next_weights, Py_ssize_t next_count,
                             Workspace* work) noexcept nogil:
    cdef double value = 0.0
    cdef Py_ssize_t k
    P.sparse_gemv_t(weights, f.wB + action * f.num_previous * f.stride, index, count, f.stride,
                    work.row)
    for k in range(next_count):
        value += work.row[state[k]] * next_weights[k]
    return value


# work.inductive_row[f] = m(argmax_s q_f(s)): the row of the inductive cost that applies now, the
# last before the goal is in reach of the likeliest state. pymdp.legacy.control.
# calc_inductive_cost, where np.argmax takes the first of equals; beliefs that differ by rounding
# count as equal. Cost: num_states per factor.
cdef void find_inductive_rows(const Model* model, const double* qs,
                              Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef Py_ssize_t i, s, best
    for i in range(model.num_factors):
        f = &model.factors[i]
        work.inductive_row[i] = -1
        if f.inductive_row == NULL:
            continue
        best = 0
        for s in range(1, f.num_states):
            if qs[f.offset + s] > qs[f.offset + best] + EQUAL_BELIEFS:
                best = s
        work.inductive_row[i] = f.inductive_row[best]


# sum_f sum_s cost_f[row, s] q_f(s), cost = (1 - I) log(1e-3), over beliefs of all factors, for
# the rows that apply now. pymdp.legacy.control.calc_inductive_cost. Cost: num_states per factor.
cdef double expected_inductive_cost(const Model* model, const double* qs,
                                    Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef double value = 0.0
    cdef Py_ssize_t i
    for i in range(model.num_factors):
        f = &model.factors[i]
        if f.inductive_cost != NULL and work.inductive_row[i] >= 0:
            value += P.dot(f.inductive_cost + work.inductive_row[i] * f.num_states, qs + f.offset,
                           f.num_states)
    return value


# sum_f sum_s cost_f[row, s] predicted_f(s), for the rows of the present beliefs `qs`:
# pymdp.legacy.control.calc_inductive_cost. Cost: 2 num_states per factor.
cdef double calc_inductive_cost(const Model* model, const double* qs, const double* predicted,
                                Workspace* work) noexcept nogil:
    if not model.has_inductive:
        return 0.0
    find_inductive_rows(model, qs, work)
    return expected_inductive_cost(model, predicted, work)
