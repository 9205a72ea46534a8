"""Belief update: the VANILLA algorithm (mean-field fixed-point iteration), and prediction.

Modalities that depend on the same factors are one group: their log likelihoods add
before any expectation is taken, since E_q is linear.
"""

from libc.math cimport fabs, isfinite, log
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.primitives cimport FC_EPS, P
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, Modality
from freeagent_core._kernels.inference.likelihood_rows cimport likelihood_row, mixed_likelihood


cdef enum:
    SOFTMAX_BATCH = 4              # of factors

cdef double SPARSE_WEIGHT_THRESHOLD = 1.232595164407831e-32  # 2^-106


# out[s] = sum_p B[s, p, action] * prod_d previous[d][p_d]
# pymdp.legacy.control.get_expected_states_interactions for one factor and one step.
# `previous` are the beliefs of the factor's dependencies; `out` has room for the stride.
# Cost: num_previous * num_states if B is dense, else the nonzeros of the columns with weight.
# Sparse columns are summed over weights above 2^-106 only: 1e-16 is added to the result before
# it counts, so that a smaller weight changes the last bit at most; a sharp belief has many.
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
                                        work.max_joint)
    if not f.is_sparse[action]:
        count = P.support(x, f.num_previous, 0.0, work.index, work.weights)
        P.sparse_gemv_t(work.weights, f.B + action * f.num_previous * f.stride, work.index, count,
                        f.stride, out)
        return
    memset(out, 0, f.stride * sizeof(double))
    start = f.sparse_start + action * f.num_previous
    count = P.support(x, f.num_previous, SPARSE_WEIGHT_THRESHOLD, work.index, work.weights)
    for p in range(count):
        weight = work.weights[p]
        for k in range(start[work.index[p]], start[work.index[p] + 1]):
            out[f.sparse_state[k]] += weight * f.sparse_B[k]


# out_f = predict(f, action_f) for every factor f: the prior of the next step
# pymdp.legacy.control.get_expected_states_interactions, as in pymdp.legacy.agent.infer_states.
# Cost: that of predict per factor.
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
cdef void _log_likelihood_of_outcomes(const Model* model, const Py_ssize_t* observation,
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
            row = likelihood_row(modality, observation[group.modalities[i]], group.num_joint,
                                 not joint_likelihood, work.joint)
            _combine(i == 0, joint_likelihood, row, group.num_joint, LL)
        if joint_likelihood:
            P.log_eps(LL, group.num_joint, LL)
        LL += (group.num_joint + 7) // 8 * 8


# The same for distributions over outcomes: p_m[s] = sum_o observation_m[o] A_m[o, s]
# takes the place of A_m[o_m, s] (pymdp.legacy.maths.dot_likelihood).
# Cost: num_obs * num_joint per modality.
cdef void _log_likelihood_of_distributions(const Model* model, const double** observation,
                                           bint joint_likelihood, Workspace* work) noexcept nogil:
    cdef double* LL = work.log_likelihood
    cdef const Group* group
    cdef const Modality* modality
    cdef Py_ssize_t g, i
    for g in range(model.num_groups):
        group = &model.groups[g]
        for i in range(group.num_modalities):
            modality = &model.modalities[group.modalities[i]]
            mixed_likelihood(modality, observation[group.modalities[i]], group.num_joint, work.joint)
            if not joint_likelihood:
                P.log_eps(work.joint, group.num_joint, work.joint)
            _combine(i == 0, joint_likelihood, work.joint, group.num_joint, LL)
        if joint_likelihood:
            P.log_eps(LL, group.num_joint, LL)
        LL += (group.num_joint + 7) // 8 * 8


# LL = x for the first modality of a group, then LL += x, or LL *= x with `multiply`
# pymdp.legacy.maths.get_joint_likelihood (which multiplies). Cost: n.
cdef inline void _combine(bint first, bint multiply, const double* x, Py_ssize_t n,
                          double* LL) noexcept nogil:
    cdef Py_ssize_t s
    if first:
        memcpy(LL, x, n * sizeof(double))
    elif multiply:
        for s in range(n):
            LL[s] *= x[s]
    else:
        P.axpy(1.0, x, LL, n)


# q(s) of one factor, in proportion to  (prior(s) + 1e-16) prod_m (A_m[o_m, s] + 1e-16):
# softmax(LL + log prior) without logarithms and exponentials. With joint_likelihood:
# (prior(s) + 1e-16) (prod_m A_m[o_m, s] + 1e-16). pymdp.legacy.algos.fpi.run_vanilla_fpi.
# With distributions over outcomes, p_m[s] = sum_o observation_m[o] A_m[o, s] replaces
# A_m[o_m, s]. Returns the sum, which is 0 or close to it where many modalities underflow.
# Cost: num_states per modality.
cdef double _product_of_outcomes(const Model* model, const Py_ssize_t* observation, bint vectors,
                                 bint joint_likelihood, Workspace* work) noexcept nogil:
    cdef const Group* group = &model.groups[0]
    cdef const Modality* modality
    cdef const double* row
    cdef Py_ssize_t i, m, n = group.num_joint
    cdef double total = 0.0
    for i in range(group.num_modalities):
        m = group.modalities[i]
        modality = &model.modalities[m]
        if vectors:
            mixed_likelihood(modality, work.distributions[m], n, work.joint)
            row = work.joint
        else:
            row = likelihood_row(modality, observation[m], n, False, work.joint)
        if joint_likelihood:
            _combine(i == 0, True, row, n, work.qs_new)
        elif i == 0:
            total = P.multiply_eps(row, work.prior, FC_EPS, n, work.qs_new)
        else:
            total = P.multiply_eps(row, work.qs_new, 0.0, n, work.qs_new)
    if joint_likelihood:
        total = P.multiply_eps(work.qs_new, work.prior, FC_EPS, n, work.qs_new)
    return total


cdef double MIN_PRODUCT = 1e-200


# work.qs_new = q(s) from the observation in the workspace (indices, or `vectors`) and the prior
# beliefs in work.prior, which may be overwritten:
#   q = prior * likelihood / sum(prior * likelihood)      one factor
#   q_f = softmax(E_{q others}[LL] + log prior_f)         several, by fixed-point iteration
# pymdp.legacy.inference.update_posterior_states_factorized. Returns 0, or -1 if a belief is not
# finite. Cost: num_joint per modality, then that of _update_beliefs.
cdef int infer_posterior(const Model* model, const FPIParameters* parameters,
                         const Py_ssize_t* observation, bint vectors, bint joint_likelihood,
                         Workspace* work) noexcept nogil:
    cdef double total
    if model.num_factors == 1:
        total = _product_of_outcomes(model, observation, vectors, joint_likelihood, work)
        if total > MIN_PRODUCT and isfinite(total):
            P.scale(1.0 / total, work.qs_new, model.factors[0].num_states, work.qs_new)
            return 0
    _log_likelihood(model, observation, vectors, joint_likelihood, work)
    return _update_beliefs(model, parameters, work)


# work.log_likelihood = LL_g of each group, from outcomes or, with `vectors`, from the distributions
# in the workspace. Cost: that of the functions above.
cdef void _log_likelihood(const Model* model, const Py_ssize_t* observation, bint vectors,
                          bint joint_likelihood, Workspace* work) noexcept nogil:
    if vectors:
        _log_likelihood_of_distributions(model, work.distributions, joint_likelihood, work)
    else:
        _log_likelihood_of_outcomes(model, observation, joint_likelihood, work)


# F = sum_f (q_f . log(q_f + 1e-16) - q_f . log(prior_f + 1e-16)) - sum_g E_q[LL_g], the variational
# free energy of beliefs `qs`; what `_update_beliefs` follows without a logarithm per state.
# pymdp.legacy.maths.calc_free_energy and compute_accuracy. `prior` and `qs` are not in the workspace.
# Cost: num_joint per modality, two joints per group, two logarithms per state.
cdef double calc_free_energy(const Model* model, const Py_ssize_t* observation, bint vectors,
                             bint joint_likelihood, const double* prior, const double* qs,
                             Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef double F
    cdef Py_ssize_t i
    _log_likelihood(model, observation, vectors, joint_likelihood, work)
    F = -_messages(model, qs, work)
    for i in range(model.num_factors):
        f = &model.factors[i]
        P.log_eps(prior + f.offset, f.num_states, work.prior + f.offset)
        F += P.neg_entropy(qs + f.offset, f.num_states) - P.dot(
            qs + f.offset, work.prior + f.offset, f.num_states)
    return F


# message_f[i] = sum_g E_{q(s_others)}[LL_g | s_f = i] for every factor f; returns
# sum_g E_q[LL_g], the accuracy. pymdp's spm_dot(log_likelihood[m], qs, [f]) and
# compute_accuracy. Per group the first factors are summed out one by one (L_j, over the
# factors from j on) and the last ones grow into joint weights (W_j, of those after j):
#   L_{j+1} = sum_{s_j} q_j(s_j) L_j[s_j],  message_j[i] = L_j[i] . W_j
# The first factors first: that adds whole rows, where the last ones would need a sum
# across lanes for each of many short rows.
# Cost: about two joints per group for all messages, instead of one joint per factor.
cdef double _messages(const Model* model, const double* qs, Workspace* work) noexcept nogil:
    cdef const double* LL = work.log_likelihood
    cdef const double* trailing[MAX_FACTORS]   # W_j
    cdef const double* leading
    cdef const double* q
    cdef double* store
    cdef const Group* group
    cdef const Factor* f
    cdef Py_ssize_t g, j, remaining, size
    cdef double accuracy = 0.0
    memset(work.message, 0, model.qs_size * sizeof(double))
    for g in range(model.num_groups):
        group = &model.groups[g]
        store = work.trailing
        size = 1
        for j in range(group.num_factors - 2, -1, -1):
            f = &model.factors[group.factors[j + 1]]
            q = qs + f.offset
            if size == 1:
                trailing[j] = q
            elif f.num_states == 1:  # its belief is 1
                trailing[j] = trailing[j + 1]
            else:
                P.outer(q, f.num_states, trailing[j + 1], size, store)
                trailing[j] = store
                store += f.num_states * size
            size *= f.num_states
        leading, store, remaining = LL, work.contraction, group.num_joint
        for j in range(group.num_factors):
            f = &model.factors[group.factors[j]]
            q = qs + f.offset
            remaining //= f.num_states
            if j == group.num_factors - 1:
                P.axpy(1.0, leading, work.message + f.offset, f.num_states)
                accuracy += P.dot(leading, q, f.num_states)
                break
            P.gemv(leading, trailing[j], f.num_states, remaining, work.joint)
            P.axpy(1.0, work.joint, work.message + f.offset, f.num_states)
            if f.num_states > 1:
                P.gemv_t(q, leading, f.num_states, remaining, store)
                leading = store
                store += remaining
        LL += (group.num_joint + 7) // 8 * 8
    return accuracy


# work.qs_new = q(s) given work.log_likelihood and the prior beliefs in work.prior (which
# become their logarithms). One factor: softmax(LL + log prior). More: all factors at once,
# q_f = softmax(E_{q others}[LL] + log prior_f), from uniform beliefs, until |dF| < dF_tol
# or num_iter. pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized, and run_vanilla_fpi
# (which divides by q_f and would give NaN where q_f is 0; here that is the finite limit).
#   F = sum_f (q_f . log(q_f + 1e-16) - q_f . log prior_f) - accuracy   (calc_free_energy)
# Where q_f is a softmax, log q_f = message_f + log prior_f - log norm_f, so that
#   F = sum_f (q_f . message_f - log norm_f) - accuracy   takes one logarithm for all factors.
# Returns 0, or -1 if a belief is not finite. Cost: 2 joints per group and iteration.
cdef int _update_beliefs(const Model* model, const FPIParameters* parameters,
                         Workspace* work) noexcept nogil:
    cdef const Factor* f
    cdef double* qs = work.qs_new
    cdef double dF = parameters.dF, vfe, previous_vfe = 0.0, share
    cdef Py_ssize_t i, s
    cdef int iteration = 0
    for i in range(model.num_factors):
        f = &model.factors[i]
        P.log_eps(work.prior + f.offset, f.num_states, work.prior + f.offset)
        share = 1.0 / f.num_states
        for s in range(f.num_states):
            qs[f.offset + s] = share
        previous_vfe += log(share + FC_EPS) - share * P.sum(work.prior + f.offset, f.num_states)
    if model.num_factors == 1:
        # group by group, in the order in which the reference adds modalities
        _messages(model, qs, work)
        _posterior(model, work)
        return _check(model, qs)
    if parameters.compute_vfe:
        _messages(model, qs, work)
    while iteration < parameters.num_iter and (not parameters.compute_vfe
                                               or dF >= parameters.dF_tol):
        if not parameters.compute_vfe:
            _messages(model, qs, work)
        vfe = _posterior(model, work)
        if parameters.compute_vfe:
            # these messages serve the free energy now and the next iteration
            vfe -= _messages(model, qs, work)
            dF = fabs(previous_vfe - vfe)
            previous_vfe = vfe
        iteration += 1
    return _check(model, qs)


# q_f = softmax(message_f + log prior_f); returns sum_f (q_f . message_f - log norm_f).
# One update of pymdp.legacy.algos.fpi.run_vanilla_fpi_factorized, all factors at once.
# Cost: an exponential per state, a logarithm in all.
cdef double _posterior(const Model* model, Workspace* work) noexcept nogil:
    cdef const double* message[SOFTMAX_BATCH]
    cdef const double* prior[SOFTMAX_BATCH]
    cdef double* qs[SOFTMAX_BATCH]
    cdef Py_ssize_t size[SOFTMAX_BATCH]
    cdef const Factor* f
    cdef Py_ssize_t i = 0, count
    cdef double norm, norms = 1.0, value = 0.0
    while i < model.num_factors:
        count = 0
        while i < model.num_factors and count < SOFTMAX_BATCH:
            f = &model.factors[i]
            message[count], prior[count] = work.message + f.offset, work.prior + f.offset
            qs[count], size[count] = work.qs_new + f.offset, f.num_states
            count += 1
            i += 1
        value += P.softmaxes_of_sums(message, prior, size, count, qs, &norm)
        norms *= norm
        if norms > 1e200:
            value -= log(norms)
            norms = 1.0
    return value - log(norms)


# 0 if isfinite(sum_f sum_s q_f(s)), else -1. Cost: qs_size.
cdef int _check(const Model* model, const double* qs) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(model.num_factors):
        if not isfinite(qs[model.factors[i].offset]):  # none is finite if their norm is not
            return -1
    return 0
