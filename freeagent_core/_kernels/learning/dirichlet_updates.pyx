"""Dirichlet updates of one agent's own arrays, and of all that depends on them: kernels.

An update adds to the parameters and marks the columns that it touched; `refresh` recomputes
what depends on these alone: means, logarithms, utility, ambiguity, the w arrays of the parameter
information gain.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.primitives cimport FC_EPS, FC_MASK, P
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, padded


# q(s) = prod_f q_f(s_f) over `factors`: joint_belief of these. pymdp's spm_cross.
# Cost: the size of the joint.
cdef const double* _joint(Learned* own, const double* qs, const int32_t* factors,
                          Py_ssize_t count, Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef Py_ssize_t i
    for i in range(count):
        parts[i] = qs + own.factors[factors[i]].offset
        sizes[i] = own.factors[factors[i]].num_states
    return joint_belief(parts, sizes, count, work.joint, work.max_joint)


# pA[o, s] += lr * p(o) * q(s) where mask[o, s] > 0, of one modality; p is `observation`, or where
# that is NULL 1 for `outcome` alone.
# pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized.
# Cost: num_joint per outcome of positive probability.
cdef void add_outcomes(const double* observation, Py_ssize_t outcome, Py_ssize_t num_obs,
                       Py_ssize_t num_joint, const double* q, const double* mask, double lr,
                       double* pA) noexcept nogil:
    cdef Py_ssize_t o, row
    cdef double weight
    for o in range(num_obs):
        weight = 1.0 * (o == outcome) if observation == NULL else observation[o]
        if weight != 0.0:
            row = o * num_joint
            P.add_counts(lr, weight, q, mask + row, pA + row, num_joint)


# pB[p, s] += lr * q(s) q(p) where mask[p, s] > 0, of one factor and the chosen action; rows of
# `mask` are `stride` apart. pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions.
# Cost: num_states per previous state of positive probability.
cdef void add_transitions(const double* q_previous, Py_ssize_t num_previous, const double* q,
                          Py_ssize_t num_states, const double* mask, Py_ssize_t stride, double lr,
                          double* pB) noexcept nogil:
    cdef Py_ssize_t p
    for p in range(num_previous):
        if q_previous[p] != 0.0:
            P.add_counts(lr, q_previous[p], q, mask + p * stride, pB + p * num_states, num_states)


# add_outcomes in each modality to learn, and which columns that touched.
# pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized. Cost: that of add_outcomes.
cdef void learn_A(Learned* own, bint vectors, const double* qs, const unsigned char* to_learn,
                  double lr, Workspace* work) noexcept nogil:
    cdef Group* group
    cdef Modality* modality
    cdef const double* q
    cdef Py_ssize_t g, k, m, s
    for g in range(own.num_groups):
        group = &own.groups[g]
        q = _joint(own, qs, group.factors, group.num_factors, work)
        if own.first_A:  # A need not have been the mean of pA
            memset(own.stale_columns[g], 1, group.num_joint)
        else:
            for s in range(group.num_joint):
                own.stale_columns[g][s] |= q[s] != 0.0
        for k in range(group.num_modalities):
            m = group.modalities[k]
            if not to_learn[m]:
                continue
            modality = &own.modalities[m]
            # A > 0 where its parameters are, once it is their mean
            add_outcomes(work.distributions[m] if vectors else NULL, work.observation[m],
                         modality.num_obs, group.num_joint, q,
                         modality.A if own.first_A else own.pA[m], lr, own.pA[m])
    own.first_A = False
    own.stale_A = True


# add_transitions in each factor to learn, for the chosen action, and which columns that touched.
# pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions.
# Cost: that of add_transitions.
cdef void learn_B(Learned* own, const Py_ssize_t* action, const double* qs,
                  const double* qs_previous, const unsigned char* to_learn, double lr,
                  Workspace* work) noexcept nogil:
    cdef Factor* factor
    cdef const double* q
    cdef const double* mask
    cdef Py_ssize_t f, p, row, stride
    for f in range(own.num_factors):
        factor = &own.factors[f]
        if own.first_B:
            memset(own.stale_transitions[f], 1, factor.num_controls * factor.num_previous)
        if not to_learn[f]:
            continue
        q = _joint(own, qs_previous, factor.dependencies, factor.num_dependencies, work)
        row = action[f] * factor.num_previous
        mask = factor.B if own.first_B else own.pB[f]
        stride = factor.stride if own.first_B else factor.num_states
        add_transitions(q, factor.num_previous, qs + factor.offset, factor.num_states,
                        mask + row * stride, stride, lr, own.pB[f] + row * factor.num_states)
        for p in range(factor.num_previous):
            own.stale_transitions[f][row + p] |= q[p] != 0.0
    own.first_B = False
    own.stale_B = True


# pD[s] += lr * q(s) where pD[s] > 0; D = pD / sum(pD)
# pymdp.legacy.learning.update_state_prior_dirichlet. Cost: num_states per factor.
cdef void learn_D(Learned* own, const double* qs, const unsigned char* to_learn,
                  double lr) noexcept nogil:
    cdef Factor* factor
    cdef Py_ssize_t f
    for f in range(own.num_factors):
        factor = &own.factors[f]
        if to_learn[f]:
            P.add_counts(lr, 1.0, qs + factor.offset, own.pD[f], own.pD[f], factor.num_states)
        P.scale(1.0 / P.sum(own.pD[f], factor.num_states), own.pD[f], factor.num_states,
                own.D + factor.offset)


# A = pA / sum(pA), B = pB / sum(pB) in the columns that updates touched, and all that
# follows from them. pymdp.legacy.utils.norm_dist_obj_arr.
# Cost: that of the touched columns, below.
cdef void refresh(Learned* own, Workspace* work) noexcept nogil:
    cdef Py_ssize_t g, f, s
    if own.stale_A:
        for g in range(own.num_groups):
            for s in range(own.groups[g].num_joint):
                if own.stale_columns[g][s]:
                    _refresh_column(own, &own.groups[g], s, work)
            memset(own.stale_columns[g], 0, own.groups[g].num_joint)
        own.stale_A = False
    if own.stale_B:
        for f in range(own.num_factors):
            _refresh_transitions(own, f)
        own.stale_B = False


# One joint state s of a group: A[:, s] = pA[:, s] / sum(pA[:, s]), and what
# `packing._pack_group` derives from it:
#   wA = (1 / sum_o(pA + 1e-16) - 1 / (pA + 1e-16)) (pA > 0),   utility = sum_o A log C
# pymdp.legacy.utils.norm_dist and maths.spm_wnorm. Cost: two logarithms per outcome.
cdef void _refresh_column(Learned* own, Group* group, Py_ssize_t s,
                          Workspace* work) noexcept nogil:
    cdef Modality* modality
    cdef double* column = work.row                  # room for two columns
    cdef double* outcomes = <double*>group.outcomes + s * group.outcome_stride
    cdef double* A_by_state = <double*>group.A_by_state + s * group.wA_stride
    cdef double* wA_by_state = <double*>group.wA_by_state + s * group.wA_stride
    cdef double total, raised, neg_ambiguity = 0.0, gain = 0.0
    cdef Py_ssize_t k, m, o, step, filled = 1, before = 0, kept = 0
    for step in range(group.num_utility_steps):
        (<double*>group.utility)[step * group.num_joint + s] = 0.0
    outcomes[0] = 1.0
    for k in range(group.num_modalities):
        m = group.modalities[k]
        modality = &own.modalities[m]
        for o in range(modality.num_obs):
            column[o] = own.pA[m][o * group.num_joint + s]
        total = P.sum(column, modality.num_obs)
        if group.wA_by_state != NULL:
            raised = 0.0
            for o in range(modality.num_obs):
                raised += column[o] + FC_EPS
            for o in range(modality.num_obs):
                wA_by_state[before + o] = (
                    1.0 / raised - 1.0 / (column[o] + FC_EPS)) * (column[o] > 0.0)
        for o in range(modality.num_obs):
            column[o] /= total
            (<double*>modality.A)[o * group.num_joint + s] = column[o]
        if group.A_by_state != NULL:
            memcpy(A_by_state + before, column, modality.num_obs * sizeof(double))
        for step in range(group.num_utility_steps):
            (<double*>group.utility)[step * group.num_joint + s] += P.dot(
                modality.log_C + (step if modality.num_C_steps > 1 else 0) * modality.num_obs,
                column, modality.num_obs)
        if group.joint_outcomes:  # outcomes = outer(outcomes, column), from its end
            for step in range(filled - 1, -1, -1):
                total = outcomes[step]
                for o in range(modality.num_obs):
                    outcomes[step * modality.num_obs + o] = total * column[o]
            filled *= modality.num_obs
        else:
            o = modality.num_obs - (group.num_complements > 0)
            memcpy(outcomes + kept, column, o * sizeof(double))
            kept += o
            gain += _point_mass_gain(column, modality.num_obs, work, &neg_ambiguity)
        before += modality.num_obs
        P.log_eps(column, modality.num_obs, column)
        for o in range(modality.num_obs):
            (<double*>modality.log_A)[o * group.num_joint + s] = column[o]
    if group.joint_outcomes:
        gain = _point_mass_gain(outcomes, filled, work, &neg_ambiguity)
    outcomes[group.num_outcomes] = neg_ambiguity  # after the columns
    (<double*>group.point_mass_gain)[s] = gain
    if group.contraction != group.outcomes:
        memcpy(<double*>group.contraction + group.contraction_row[s] * group.outcome_stride,
               outcomes, group.outcome_stride * sizeof(double))


# sum_o A (log(A + exp(-16)) - log(A + 1e-16)); the first term is added to neg_ambiguity as well.
# pymdp.legacy.maths.spm_MDP_G of a point mass. Cost: two logarithms per outcome.
cdef double _point_mass_gain(const double* A, Py_ssize_t n, Workspace* work,
                             double* neg_ambiguity) noexcept nogil:
    cdef double* logs = work.row + n
    cdef double ambiguity
    cdef Py_ssize_t o
    for o in range(n):
        logs[o] = A[o] + FC_MASK
    P.log(logs, n, logs)
    ambiguity = P.dot(A, logs, n)
    neg_ambiguity[0] += ambiguity
    return ambiguity - P.neg_entropy(A, n)


# B[:, p, u] = pB[:, p, u] / sum(pB[:, p, u]), and what `packing._pack_factor` derives from it:
#   wB = (1 / sum_s(pB + 1e-16) - 1 / (pB + 1e-16)) (pB > 0)
#   backward[s, p] = (B[s, p] + 1e-16) / sum_p'(B[s, p'] + 1e-16)
# pymdp.legacy.utils.norm_dist, maths.spm_wnorm and spm_norm.
# Cost: num_states per touched column, num_states * num_previous per touched action with MMP.
cdef void _refresh_transitions(Learned* own, Py_ssize_t f) noexcept nogil:
    cdef Factor* factor = &own.factors[f]
    cdef Py_ssize_t u, p, s, column, stride = padded(factor.num_previous)
    cdef double total, raised
    cdef const double* pB
    cdef double* B
    cdef double* wB
    cdef double* backward
    cdef bint changed
    for u in range(factor.num_controls):
        changed = False
        for p in range(factor.num_previous):
            column = u * factor.num_previous + p
            if not own.stale_transitions[f][column]:
                continue
            changed = True
            pB = own.pB[f] + column * factor.num_states
            B = <double*>factor.B + column * factor.stride
            total = P.sum(pB, factor.num_states)
            for s in range(factor.num_states):
                B[s] = pB[s] / total
            if factor.wB != NULL:
                wB = <double*>factor.wB + column * factor.stride
                raised = 0.0
                for s in range(factor.num_states):
                    raised += pB[s] + FC_EPS
                for s in range(factor.num_states):
                    wB[s] = (1.0 / raised - 1.0 / (pB[s] + FC_EPS)) * (pB[s] > 0.0)
        if changed and factor.backward != NULL:
            B = <double*>factor.B + u * factor.num_previous * factor.stride
            for s in range(factor.num_states):
                backward = <double*>factor.backward + (u * factor.num_states + s) * stride
                total = 0.0
                for p in range(factor.num_previous):
                    backward[p] = B[p * factor.stride + s] + FC_EPS
                    total += backward[p]
                for p in range(factor.num_previous):
                    backward[p] /= total
    memset(own.stale_transitions[f], 0, factor.num_controls * factor.num_previous)
