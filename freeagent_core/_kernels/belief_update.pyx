"""Belief update: the VANILLA algorithm (mean-field fixed-point iteration), and prediction.

Modalities that depend on the same factors are one group: their log likelihoods add
before any expectation is taken, since E_q is linear.
"""

from libc.math cimport fabs, isfinite
from libc.stdint cimport int32_t
from libc.string cimport memset

from freeagent_core._kernels.packed_model cimport (
    MAX_FACTORS, Factor, Group, Modality, joint_belief,
)
from freeagent_core._kernels.primitives cimport P


# out[s] = sum_p B[s, p, action] * prod_d previous[d][p_d]
# pymdp.legacy.control.get_expected_states_interactions for one factor and one step.
# `previous` are the beliefs of the factor's dependencies; `out` has room for the stride.
# Cost: num_previous * num_states if B is dense, else the number of nonzeros.
cdef void predict(const Model* model, Py_ssize_t factor, Py_ssize_t action,
                  const double** previous, Workspace* work, double* out) noexcept nogil:
    cdef const Factor* f = &model.factors[factor]
    cdef Py_ssize_t[MAX_FACTORS] sizes
    cdef Py_ssize_t d, p, k, count
    cdef const int32_t* start
    cdef double weight
    for d in range(f.num_dependencies):
        sizes[d] = model.factors[f.dependencies[d]].num_states
    cdef const double* x = joint_belief(previous, sizes, f.num_dependencies, work.joint,
                                        work.largest_joint)
    if f.sparse_start == NULL:
        count = P.above(x, f.num_previous, 0.0, work.index)
        P.weighted_rows(x, f.B + action * f.num_previous * f.stride, work.index, count, f.stride,
                        out)
        return
    memset(out, 0, f.stride * sizeof(double))
    start = f.sparse_start + action * f.num_previous
    for p in range(f.num_previous):
        weight = x[p]
        for k in range(start[p], start[p + 1]):
            out[f.sparse_state[k]] += weight * f.sparse_B[k]


# The beliefs of all factors after `action`: predict for each factor.
cdef void predict_all(const Model* model, const double* qs, const Py_ssize_t* action,
                      Workspace* work, double* out) noexcept nogil:
    cdef const double* previous[MAX_FACTORS]
    cdef const Factor* f
    cdef Py_ssize_t i, d
    for i in range(model.num_factors):
        f = &model.factors[i]
        for d in range(f.num_dependencies):
            previous[d] = qs + model.factors[f.dependencies[d]].offset
        predict(model, i, action[i], previous, work, out + f.offset)


# LL_g[s] = sum_{m in g} log(A_m[o_m, s] + 1e-16), per group g
# pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized, step 1. With joint_likelihood:
# LL[s] = log(prod_m A_m[o_m, s] + 1e-16), pymdp 0.0.7.1's run_vanilla_fpi (one group).
# Cost: num_joint per modality.
cdef void log_likelihood_of_outcomes(const Model* model, const Py_ssize_t* observation,
                                     bint joint_likelihood, Workspace* work) noexcept nogil:
    cdef double* LL = work.log_likelihood
    cdef const Group* group
    cdef const Modality* modality
    cdef const double* row
    cdef Py_ssize_t g, i, s
    for g in range(model.num_groups):
        group = &model.groups[g]
        for i in range(group.num_modalities):
            modality = &model.modalities[group.modalities[i]]
            row = modality.A if joint_likelihood else modality.log_A
            row += observation[group.modalities[i]] * group.num_joint
            _combine(i == 0, joint_likelihood, row, group.num_joint, LL)
        if joint_likelihood:
            P.log_eps(LL, group.num_joint, LL)
        LL += (group.num_joint + 7) // 8 * 8


# The same for distributions over outcomes: p_m[s] = sum_o observation_m[o] A_m[o, s]
# takes the place of A_m[o_m, s] (pymdp's dot_likelihood). Cost: num_obs * num_joint each.
cdef void log_likelihood_of_distributions(const Model* model, const double** observation,
                                          bint joint_likelihood, Workspace* work) noexcept nogil:
    cdef double* LL = work.log_likelihood
    cdef const Group* group
    cdef const Modality* modality
    cdef Py_ssize_t g, i
    for g in range(model.num_groups):
        group = &model.groups[g]
        for i in range(group.num_modalities):
            modality = &model.modalities[group.modalities[i]]
            P.columns_dot(observation[group.modalities[i]], modality.A, modality.num_obs,
                          group.num_joint, work.joint)
            if not joint_likelihood:
                P.log_eps(work.joint, group.num_joint, work.joint)
            _combine(i == 0, joint_likelihood, work.joint, group.num_joint, LL)
        if joint_likelihood:
            P.log_eps(LL, group.num_joint, LL)
        LL += (group.num_joint + 7) // 8 * 8


cdef inline void _combine(bint first, bint multiply, const double* x, Py_ssize_t n,
                          double* LL) noexcept nogil:
    cdef Py_ssize_t s
    if first:
        for s in range(n):
            LL[s] = x[s]
    elif multiply:
        for s in range(n):
            LL[s] *= x[s]
    else:
        for s in range(n):
            LL[s] += x[s]


# message_f[i] = sum_g E_{q(s_others)}[LL_g | s_f = i] for every factor f; returns
# sum_g E_q[LL_g], the accuracy. pymdp's spm_dot(log_likelihood[m], qs, [f]) and
# compute_accuracy. Per group the last factors are summed out one by one (R_j) and the
# first ones grow into joint weights (W_j), so that all its messages together cost about
# twice the joint instead of once per factor.
cdef double _messages(const Model* model, const double* qs, Workspace* work) noexcept nogil:
    cdef const double* LL = work.log_likelihood
    cdef const double* partial[MAX_FACTORS]    # R_j, over the factors 0..j
    cdef double* message
    cdef double* store
    cdef double* weights
    cdef const double* grown
    cdef const Group* group
    cdef const Factor* f
    cdef Py_ssize_t g, j, i, rows, n
    cdef double accuracy = 0.0
    memset(work.message, 0, model.qs_size * sizeof(double))
    for g in range(model.num_groups):
        group = &model.groups[g]
        partial[group.num_factors - 1] = LL
        store = work.contraction
        rows = group.num_joint
        for j in range(group.num_factors - 1, 0, -1):
            f = &model.factors[group.factors[j]]
            if f.num_states == 1:  # its belief is 1, and `contraction` has room for halves only
                partial[j - 1] = partial[j]
                continue
            rows //= f.num_states
            P.rows_dot(partial[j], qs + f.offset, rows, f.num_states, store)
            partial[j - 1] = store
            store += rows
        f = &model.factors[group.factors[0]]
        message = work.message + f.offset
        for i in range(f.num_states):
            message[i] += partial[0][i]
        accuracy += P.dot(partial[0], qs + f.offset, f.num_states)
        grown = qs + f.offset
        rows = f.num_states
        for j in range(1, group.num_factors):
            f = &model.factors[group.factors[j]]
            message = work.message + f.offset
            n = f.num_states
            P.columns_dot(grown, partial[j], rows, n, work.joint)
            for i in range(n):
                message[i] += work.joint[i]
            if j + 1 < group.num_factors:
                weights = work.weights + (work.largest_joint if j % 2 else 0)
                P.outer(grown, rows, qs + f.offset, n, weights)
                grown = weights
                rows *= n
        LL += (group.num_joint + 7) // 8 * 8
    return accuracy


# F = sum_f (q_f . log(q_f + 1e-16) - q_f . log prior_f) - accuracy
# pymdp.legacy.maths.calc_free_energy; `work.prior` holds the logarithms.
cdef double _free_energy(const Model* model, const double* qs, const Workspace* work,
                         double accuracy) noexcept nogil:
    cdef double vfe = -accuracy
    cdef const Factor* f
    cdef Py_ssize_t i
    for i in range(model.num_factors):
        f = &model.factors[i]
        vfe += (P.neg_entropy(qs + f.offset, f.num_states)
                - P.dot(qs + f.offset, work.prior + f.offset, f.num_states))
    return vfe


# work.qs_new = q(s) given work.log_likelihood and the prior beliefs in work.prior (which
# become their logarithms). One factor: softmax(LL + log prior). More: all factors at once,
# q_f = softmax(E_{q others}[LL] + log prior_f), from uniform beliefs, until |dF| < dF_tol
# or num_iter. pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized, and run_vanilla_fpi
# (which divides by q_f and would give NaN where q_f is 0; here that is the finite limit).
# Returns 0, or -1 if a belief is not finite. Cost: 2 joints per group and iteration.
cdef int update_beliefs(const Model* model, const FPIParameters* parameters,
                        Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef double* qs = work.qs_new
    cdef double dF = parameters.dF, vfe, previous_vfe = 0.0, accuracy = 0.0
    cdef Py_ssize_t i, s
    cdef int iteration = 0
    for i in range(model.num_factors):
        f = &model.factors[i]
        P.log_eps(work.prior + f.offset, f.num_states, work.prior + f.offset)
        for s in range(f.num_states):
            qs[f.offset + s] = 1.0 / f.num_states
    if model.num_factors == 1:
        # group by group, in the order in which the reference adds modalities
        _messages(model, qs, work)
        _posterior(model, work)
        return _check(model, qs)
    if parameters.compute_vfe:
        previous_vfe = _free_energy(model, qs, work, 0.0)
        _messages(model, qs, work)
    while iteration < parameters.num_iter and (not parameters.compute_vfe
                                               or dF >= parameters.dF_tol):
        if not parameters.compute_vfe:
            _messages(model, qs, work)
        _posterior(model, work)
        if parameters.compute_vfe:
            # these messages serve the free energy now and the next iteration
            accuracy = _messages(model, qs, work)
            vfe = _free_energy(model, qs, work, accuracy)
            dF = fabs(previous_vfe - vfe)
            previous_vfe = vfe
        iteration += 1
    return _check(model, qs)


cdef void _posterior(const Model* model, Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef double* logits
    cdef Py_ssize_t i, s
    for i in range(model.num_factors):
        f = &model.factors[i]
        logits = work.qs_new + f.offset
        for s in range(f.num_states):
            logits[s] = work.message[f.offset + s] + work.prior[f.offset + s]
        P.softmax(logits, f.num_states, logits)


cdef int _check(const Model* model, const double* qs) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(model.num_factors):
        if not isfinite(P.sum(qs + model.factors[i].offset, model.factors[i].num_states)):
            return -1
    return 0
