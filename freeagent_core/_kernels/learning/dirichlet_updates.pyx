"""Dirichlet updates of one agent's own arrays, and of all that depends on them: kernels.

An update adds to the parameters and marks the columns in which that changed a bit. `refresh`
computes the means of these, with what belief updates and lanes read; `refresh_planning` what the
evaluation of one agent's policies reads beside it, and the weights of the parameter information
gain only where that is used.
"""

from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.aligned_memory cimport allocate_aligned
from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.primitives cimport FC_EPS, FC_MASK, P
from freeagent_core._kernels.base.status cimport NO_MEMORY
from freeagent_core._kernels.learning.own_arrays cimport (
    adopt, adopt_A, adopt_B, STALE, STALE_MEAN, STALE_OUTCOMES, STALE_WEIGHTS,
)
from freeagent_core._kernels.model.structs cimport (
    Factor, Group, MAX_FACTORS, Modality, Model, padded,
)


# q(s) = prod_f q_f(s_f) over `factors`: joint_belief of these. pymdp's spm_cross.
# Cost: the size of the joint.
cdef const double* _joint(const Model* shape, const double* qs, const int32_t* factors,
                          Py_ssize_t count, Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef Py_ssize_t i
    for i in range(count):
        parts[i] = qs + shape.factors[factors[i]].offset
        sizes[i] = shape.factors[factors[i]].num_states
    return joint_belief(parts, sizes, count, work.joint, work.max_joint)


# pA[o, s] += lr * p(o) * q(s) where mask[o, s] > 0, of one modality; p is `observation`, or where
# that is NULL 1 for `outcome` alone. Unless `columns` is NULL, those that changed are STALE.
# pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized.
# Cost: num_joint per outcome of positive probability.
cdef void add_outcomes(const double* observation, Py_ssize_t outcome, Py_ssize_t num_obs,
                       Py_ssize_t num_joint, const double* q, const double* mask, double lr,
                       double* pA, unsigned char* columns) noexcept nogil:
    cdef Py_ssize_t o, row
    cdef double weight
    for o in range(num_obs):
        weight = 1.0 * (o == outcome) if observation == NULL else observation[o]
        if weight != 0.0:
            row = o * num_joint
            P.add_counts(lr, weight, q, mask + row, pA + row, num_joint, STALE, columns)


# add_outcomes in each modality to learn, and which columns that changed. `shape`: the agent's model
# or the one that it shares, of which sizes and C are read; many agents that share it leave it in the
# first cache.
# pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized. Cost: that of add_outcomes.
cdef void learn_A(Learned* own, const Model* shape, bint vectors, const double* qs,
                  const unsigned char* to_learn, double lr, Workspace* work) noexcept nogil:
    cdef const Group* group
    cdef const double* q
    cdef Py_ssize_t g, k, m
    adopt_A(own)
    for g in range(shape.num_groups):
        group = &shape.groups[g]
        q = _joint(shape, qs, group.factors, group.num_factors, work)
        for k in range(group.num_modalities):
            m = group.modalities[k]
            if not to_learn[m]:
                continue
            # A > 0 where its parameters are, once it is their mean
            add_outcomes(work.distributions[m] if vectors else NULL, work.observation[m],
                         shape.modalities[m].num_obs, group.num_joint, q,
                         own.A[m] if own.first_A else own.pA[m], lr, own.pA[m], own.columns[g])
        if own.first_A:  # A need not have been the mean of pA
            memset(own.columns[g], STALE, group.num_joint)
    own.first_A = False
    own.stale_A = True


# pB[u, p, s] += lr * q(p) q(s) where B[u, p, s] > 0, in each factor to learn, u the chosen action;
# which columns that changed. `shape`: see learn_A.
# pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions.
# Cost: num_states per previous state of positive probability.
cdef void learn_B(Learned* own, const Model* shape, const Py_ssize_t* action, const double* qs,
                  const double* qs_previous, const unsigned char* to_learn, double lr,
                  Workspace* work) noexcept nogil:
    cdef const Factor* factor
    cdef const double* q
    cdef const double* mask
    cdef Py_ssize_t f, row, stride
    adopt_B(own)
    for f in range(shape.num_factors):
        factor = &shape.factors[f]
        if own.first_B:
            memset(own.transitions[f], STALE, factor.num_controls * factor.num_previous)
        if not to_learn[f]:
            continue
        q = _joint(shape, qs_previous, factor.dependencies, factor.num_dependencies, work)
        row = action[f] * factor.num_previous
        mask = own.B[f] if own.first_B else own.pB[f]
        stride = factor.stride if own.first_B else factor.num_states
        P.add_count_rows(lr, q, factor.num_previous, qs + factor.offset, factor.num_states,
                         mask + row * stride, stride, own.pB[f] + row * factor.num_states,
                         STALE, own.transitions[f] + row)
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
            P.add_counts(lr, 1.0, qs + factor.offset, own.pD[f], own.pD[f], factor.num_states, 0,
                         NULL)
        P.scale(1.0 / P.sum(own.pD[f], factor.num_states), own.pD[f], factor.num_states,
                own.D + factor.offset)


# --- what follows from parameters --------------------------------------------------------------


# A is the mean of pA as that is now, from the next `refresh` on. Cost: that of adopt_A.
cdef void derive_A(Learned* own) noexcept nogil:
    cdef Py_ssize_t g
    adopt_A(own)
    for g in range(own.num_groups):
        memset(own.columns[g], STALE, own.groups[g].num_joint)
    own.first_A, own.stale_A = False, True


# The same of B and pB. Cost: that of adopt_B.
cdef void derive_B(Learned* own) noexcept nogil:
    cdef Py_ssize_t f
    adopt_B(own)
    for f in range(own.num_factors):
        memset(own.transitions[f], STALE,
               own.factors[f].num_controls * own.factors[f].num_previous)
    own.first_B, own.stale_B = False, True


# A = pA / sum(pA), B = pB / sum(pB) in the columns that updates changed, and what belief updates
# and lanes read beside them: expected utility and ambiguity of states, `backward` of MMP.
# `shape`: see learn_A. pymdp.legacy.utils.norm_dist_obj_arr. Cost: a division and a logarithm per entry of these columns
# of A, a division per entry of those of B.
cdef void refresh(Learned* own, const Model* shape) noexcept nogil:
    cdef const Group* group
    cdef const Modality* modality
    cdef const Factor* factor
    cdef unsigned char* marks
    cdef Py_ssize_t g, k, m, s, f
    if own.stale_A:
        for g in range(shape.num_groups):
            group = &shape.groups[g]
            for k in range(group.num_modalities):
                m = group.modalities[k]
                modality = &shape.modalities[m]
                P.column_means(own.pA[m], modality.num_obs, group.num_joint, own.columns[g],
                               STALE_MEAN, modality.log_C, group.num_utility_steps,
                               modality.num_obs if modality.num_C_steps > 1 else 0, k > 0,
                               own.A[m], own.utility[g], own.neg_ambiguity[g])
            marks = own.columns[g]
            for s in range(group.num_joint):
                marks[s] &= ~STALE_MEAN
        own.stale_A = False
    if own.stale_B:
        for f in range(shape.num_factors):
            factor = &shape.factors[f]
            k = factor.num_controls * factor.num_previous
            P.row_means(own.pB[f], k, factor.num_states, own.transitions[f], STALE_MEAN,
                        own.B[f], factor.stride)
            if factor.backward != NULL:
                _refresh_backward(own, f)
            marks = own.transitions[f]
            for s in range(k):
                marks[s] &= ~STALE_MEAN
        own.stale_B = False


# backward[s, p] = (B[s, p] + 1e-16) / sum_p'(B[s, p'] + 1e-16) of actions that updates changed.
# pymdp.legacy.maths.spm_norm. Cost: num_states * num_previous per action.
cdef void _refresh_backward(Learned* own, Py_ssize_t f) noexcept nogil:
    cdef Factor* factor = &own.factors[f]
    cdef const double* B
    cdef double* backward
    cdef double total
    cdef Py_ssize_t u, p, s, stride = padded(factor.num_previous)
    cdef bint changed
    for u in range(factor.num_controls):
        changed = False
        for p in range(factor.num_previous):
            changed |= own.transitions[f][u * factor.num_previous + p] & STALE_MEAN
        if not changed:
            continue
        B = factor.B + u * factor.num_previous * factor.stride
        for s in range(factor.num_states):
            backward = <double*>factor.backward + (u * factor.num_states + s) * stride
            total = 0.0
            for p in range(factor.num_previous):
                backward[p] = B[p * factor.stride + s] + FC_EPS
                total += backward[p]
            for p in range(factor.num_previous):
                backward[p] /= total


# What the evaluation of policies of one agent reads beyond that, for the columns that have changed
# since: rows of outcomes, with `weights` wA and wB too. Returns 0 or NO_MEMORY.
# Cost: a copy per entry of these columns; that of refresh_weights.
cdef int refresh_planning(Learned* own, bint weights, Workspace* work) noexcept nogil:
    cdef Py_ssize_t g
    if own.has_A:
        if own.outcome_memory == NULL and _adopt_outcomes(own) != 0:
            return NO_MEMORY
        for g in range(own.num_groups):
            _refresh_outcomes(own, g, work)
    return refresh_weights(own) if weights else 0


# wA and wB of the columns that have changed. Returns 0 or NO_MEMORY.
# Cost: two divisions per entry of these columns.
cdef int refresh_weights(Learned* own) noexcept nogil:
    if own.has_A or own.has_B:
        if own.weight_memory == NULL and _allocate_weights(own) != 0:
            return NO_MEMORY
        _refresh_weights(own)
    return 0


# Memory for rows of outcomes, of which all are dense then. Returns 0 or NO_MEMORY.
# Cost: their size.
cdef int _adopt_outcomes(Learned* own) noexcept nogil:
    cdef Group* group
    cdef Py_ssize_t g, size = 0
    cdef double* here
    for g in range(own.num_groups):
        group = &own.groups[g]
        if group.learned_complement_start != NULL:
            size += 2 * group.num_joint * padded(group.learned_complement_start[
                1 if group.joint_outcomes else group.num_modalities] + 1)
        else:
            size += 2 * group.num_joint * padded(
                group.num_outcomes + group.num_complements + group.num_sparse_outcomes + 1)
    here = <double*>allocate_aligned(size * sizeof(double))
    if here == NULL:
        return NO_MEMORY
    own.outcome_memory = here
    memset(here, 0, size * sizeof(double))
    for g in range(own.num_groups):
        group = &own.groups[g]
        if group.learned_complement_start != NULL:
            group.complement_start = group.learned_complement_start
            group.num_complements = 1 if group.joint_outcomes else group.num_modalities
            group.num_outcomes = group.complement_start[group.num_complements]
        else:  # only dense modalities have complements
            group.num_outcomes += group.num_complements + group.num_sparse_outcomes
            group.num_complements = 0
        group.outcome_stride = padded(group.num_outcomes + 1)
        group.num_sparse_outcomes = 0
        group.sparse_start = NULL
        size = group.num_joint * group.outcome_stride
        if group.contraction == group.outcomes:
            group.outcomes = group.contraction = here
        else:
            group.outcomes, group.contraction = here, here + size
        here += 2 * size
    return 0


# out[o] = A[o, s] of the first `count` outcomes. Cost: count.
cdef inline void _copy_column(const Modality* modality, Py_ssize_t num_joint, Py_ssize_t s,
                              Py_ssize_t count, double* out) noexcept nogil:
    cdef Py_ssize_t o
    for o in range(count):
        out[o] = modality.A[o * num_joint + s]


# outcomes[s] = A[:, s] of all modalities, without complements; sum_o A log(A + exp(-16)).
# `packing._pack_group`. Cost: a copy per entry of columns that have changed; with the gains of
# point masses a logarithm per entry.
cdef void _refresh_outcomes(Learned* own, Py_ssize_t g, Workspace* work) noexcept nogil:
    cdef Group* group = &own.groups[g]
    cdef const Modality* modality
    cdef double* row
    cdef double gain
    cdef Py_ssize_t s, k, count
    for s in range(group.num_joint):
        if not own.columns[g][s] & STALE_OUTCOMES:
            continue
        own.columns[g][s] &= ~STALE_OUTCOMES
        row = <double*>group.outcomes + s * group.outcome_stride
        if group.joint_outcomes:
            gain = _joint_outcomes(own, group, s, row, work)
        else:
            gain = own.neg_ambiguity[g][s]
            row[group.num_outcomes] = gain
            for k in range(group.num_modalities):
                modality = &own.modalities[group.modalities[k]]
                count = modality.num_obs - (group.num_complements > 0)
                _copy_column(modality, group.num_joint, s, count, row)
                row += count
                if own.keeps_gains:
                    _copy_column(modality, group.num_joint, s, modality.num_obs, work.row)
                    gain -= P.neg_entropy(work.row, modality.num_obs)
        if own.keeps_gains:
            (<double*>group.point_mass_gain)[s] = gain
        if group.contraction != group.outcomes:
            memcpy(<double*>group.contraction + group.contraction_row[s] * group.outcome_stride,
                   group.outcomes + s * group.outcome_stride,
                   group.outcome_stride * sizeof(double))


# row = the outer product of all modalities' A[:, s], and sum_o row log(row + exp(-16)) behind it;
# returns the information gain of a point mass. pymdp 0.0.7.1, maths.spm_MDP_G.
# Cost: two logarithms per joint outcome.
cdef double _joint_outcomes(Learned* own, const Group* group, Py_ssize_t s, double* row,
                            Workspace* work) noexcept nogil:
    cdef const Modality* modality
    cdef double* logs = work.row
    cdef double ambiguity, total
    cdef Py_ssize_t k, o, step, filled = 1
    row[0] = 1.0
    for k in range(group.num_modalities):  # from the end: in place
        modality = &own.modalities[group.modalities[k]]
        for step in range(filled - 1, -1, -1):
            total = row[step]
            for o in range(modality.num_obs):
                row[step * modality.num_obs + o] = total * modality.A[o * group.num_joint + s]
        filled *= modality.num_obs
    for o in range(filled):
        logs[o] = row[o] + FC_MASK
    P.log(logs, filled, logs)
    ambiguity = P.dot(row, logs, filled)
    total = ambiguity - P.neg_entropy(row, filled)
    row[group.num_outcomes] = ambiguity  # where a complement may have been
    return total


# Memory for A_by_state, wA_by_state and wB of what is the agent's own. Returns 0 or NO_MEMORY.
# Cost: their size.
cdef int _allocate_weights(Learned* own) noexcept nogil:
    cdef Group* group
    cdef Factor* factor
    cdef double* here
    cdef Py_ssize_t g, f, count, size = 8
    for g in range(own.num_groups):
        group = &own.groups[g]
        size += 2 * group.num_joint * group.wA_stride
    for f in range(own.num_factors):
        factor = &own.factors[f]
        size += factor.num_controls * factor.num_previous * factor.stride
    here = <double*>allocate_aligned(size * sizeof(double))
    if here == NULL:
        return NO_MEMORY
    own.weight_memory = here
    for g in range(own.num_groups):
        group = &own.groups[g]
        if group.wA_by_state != NULL:
            count = group.num_joint * group.wA_stride
            group.A_by_state = adopt(group.A_by_state, count, &here)
            group.wA_by_state = adopt(group.wA_by_state, count, &here)
    for f in range(own.num_factors):
        factor = &own.factors[f]
        if factor.wB != NULL:
            factor.wB = adopt(
                factor.wB, factor.num_controls * factor.num_previous * factor.stride, &here)
    return 0


#   wA = (1 / sum_o(pA + 1e-16) - 1 / (pA + 1e-16)) (pA > 0)
#   wB = (1 / sum_s(pB + 1e-16) - 1 / (pB + 1e-16)) (pB > 0)
# in columns that have changed. pymdp.legacy.maths.spm_wnorm. Cost: a division per entry.
cdef void _refresh_weights(Learned* own) noexcept nogil:
    cdef Group* group
    cdef Factor* factor
    cdef const double* counts
    cdef Py_ssize_t g, k, m, s, f, i, n
    for g in range(own.num_groups if own.has_A else 0):
        group = &own.groups[g]
        for s in range(group.num_joint if group.wA_by_state != NULL else 0):
            if not own.columns[g][s] & STALE_WEIGHTS:
                continue
            own.columns[g][s] &= ~STALE_WEIGHTS
            i = s * group.wA_stride
            for k in range(group.num_modalities):
                m = group.modalities[k]
                n = own.modalities[m].num_obs
                _copy_column(&own.modalities[m], group.num_joint, s, n,
                             <double*>group.A_by_state + i)
                _weights(own.pA[m] + s, group.num_joint, n, <double*>group.wA_by_state + i)
                i += n
    for f in range(own.num_factors if own.has_B else 0):
        factor = &own.factors[f]
        if factor.wB == NULL:
            continue
        for i in range(factor.num_controls * factor.num_previous):
            if own.transitions[f][i] & STALE_WEIGHTS:
                own.transitions[f][i] &= ~STALE_WEIGHTS
                counts = own.pB[f] + i * factor.num_states
                _weights(counts, 1, factor.num_states, <double*>factor.wB + i * factor.stride)


# w = (1 / sum(p + 1e-16) - 1 / (p + 1e-16)) (p > 0) of a column of counts, `stride` apart.
# pymdp.legacy.maths.spm_wnorm. Cost: a division per entry.
cdef void _weights(const double* counts, Py_ssize_t stride, Py_ssize_t n,
                   double* out) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += counts[i * stride] + FC_EPS
    for i in range(n):
        out[i] = (1.0 / total - 1.0 / (counts[i * stride] + FC_EPS)) * (counts[i * stride] > 0.0)
