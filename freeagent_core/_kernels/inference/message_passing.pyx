"""Marginal message passing (MMP): beliefs over past and planned steps, given each policy.

Beliefs of a sequence are consecutive in memory, ``qs[step, :qs_size]``. Steps and factors are
updated in turn and in place, so that a belief receives messages from the new beliefs of earlier
steps and the old ones of later steps.

The last step receives a message from the step before it only, and sends none; its action is
the policy's last. Policies that agree in all other actions therefore share all other
steps, to the bit: `pass_messages` infers such policies together. Among these, a factor's belief at
the last step depends on the action of that factor alone, and is inferred once for each.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.primitives cimport (
    FC_EPS, P, fc_marginal_update, fc_message,
)
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, padded
from freeagent_core._kernels.inference.fixed_point_iteration cimport predict


# out[i] = E_{q(s_others)}[M | s_j = i], M over the joint states of a group's factors
# pymdp's spm_dot(M, qs, [j]). Cost: the size of the joint.
cdef void _marginal(const Model* model, const Group* group, Py_ssize_t j, const double* M,
                    const double* qs, Workspace* work, double* out) noexcept nogil:
    cdef const Factor* f
    cdef const double* partial = M
    cdef double* store = work.contraction
    cdef Py_ssize_t k, remaining = group.num_joint
    for k in range(group.num_factors - 1, j, -1):
        f = &model.factors[group.factors[k]]
        remaining //= f.num_states
        P.gemv(partial, qs + f.offset, remaining, f.num_states, store)
        partial = store
        store = work.contraction + (work.max_joint if store == work.contraction else 0)
    for k in range(j):
        f = &model.factors[group.factors[k]]
        remaining //= f.num_states
        P.gemv_t(qs + f.offset, partial, f.num_states, remaining, store)
        partial = store
        store = work.contraction + (work.max_joint if store == work.contraction else 0)
    memcpy(out, partial, model.factors[group.factors[j]].num_states * sizeof(double))


cdef enum:
    MAX_FUSED = 16                 # states up to which a product is part of update_marginal
    MAX_OF_ROOTS = 16              # messages whose product cannot underflow: each is 1e-16 or more


# The likelihoods' messages to `factor` at an observed step, without those that depend on no other
# factor (window.log_likelihood): E_{q(s_others)}[p(o_m | s)].
# pymdp.legacy.algos.mmp.run_mmp_factorized (lnA). Returns how many.
# Cost: the joint of each such term.
cdef Py_ssize_t _likelihood_messages(const Model* model, const MMPWindow* window,
                                     Py_ssize_t step, Py_ssize_t factor, const double* qs,
                                     Workspace* work, fc_message* messages) noexcept nogil:
    cdef const Factor* f = &model.factors[factor]
    cdef const double* likelihood
    cdef const Factor* other
    cdef const Group* group
    cdef double* store
    cdef Py_ssize_t k, j, count = 0
    for k in range(window.num_terms):
        group = &model.groups[window.term_group[k]]
        if group.num_factors == 1:
            continue
        likelihood = window.likelihood[step * window.num_terms + k]
        for j in range(group.num_factors):
            if group.factors[j] != factor:
                continue
            if group.num_factors == 2 and j == 1 and f.num_states <= MAX_FUSED:
                other = &model.factors[group.factors[0]]
                messages[count].x, messages[count].M = qs + other.offset, likelihood
                messages[count].rows, messages[count].stride = other.num_states, f.num_states
            else:
                store = window.message_memory + count * window.message_size
                _marginal(model, group, j, likelihood, qs, work, store)
                messages[count].x, messages[count].M = store, NULL
            count += 1
    return count


# message[p] = sum_n qs'[n] b[p, n] / sum_p' b[p', n]: the message to `factor` from the next
# belief of factor i, whose transitions depend on it; b[p, n] = E[B_i[n, p, others]] + 1e-16
# over the next beliefs of the other dependencies (pymdp's factor_dot_flex and spm_norm).
# Cost: num_states * num_states, or twice the size of B_i[..., action] with other dependencies.
cdef void _backward_message(const Model* model, Py_ssize_t factor, Py_ssize_t i,
                            Py_ssize_t action, const double* later, Workspace* work,
                            double* message) noexcept nogil:
    cdef const Factor* f = &model.factors[factor]
    cdef const Factor* source = &model.factors[i]
    cdef const double* next_qs = later + source.offset
    cdef double* weight = work.joint       # over the next states of factor i
    cdef double* columns = work.trailing   # sum_p b[p, n]
    cdef Py_ssize_t stride = (source.num_previous + 7) // 8 * 8
    cdef Py_ssize_t p, n, count, here = 0
    cdef double others, total
    if source.num_dependencies == 1:
        count = P.support(next_qs, source.num_states, 0.0, work.index, work.weights)
        P.sparse_gemv_t(work.weights, source.backward + action * source.num_states * stride,
                        work.index, count, stride, message)
        return
    for n in range(source.num_states):
        columns[n] = f.num_states * FC_EPS
    for p in range(source.num_previous):
        others = _weight_of_others(model, source, factor, p, later, &here)
        if others != 0.0:
            _axpy_row(source, action, p, others, columns)
    total = 0.0
    for n in range(source.num_states):
        weight[n] = next_qs[n] / columns[n]
        total += weight[n]
    for p in range(f.num_states):
        message[p] = FC_EPS * total
    for p in range(source.num_previous):
        others = _weight_of_others(model, source, factor, p, later, &here)
        if others != 0.0:
            message[here] += others * _dot_row(source, action, p, weight)


# prod_{d != factor} q_d(p_d) for the joint previous state p of `source`; `here` = p_factor.
# Part of _backward_message. Cost: num_dependencies.
cdef double _weight_of_others(const Model* model, const Factor* source, Py_ssize_t factor,
                              Py_ssize_t p, const double* qs, Py_ssize_t* here) noexcept nogil:
    cdef const Factor* dependency
    cdef double weight = 1.0
    cdef Py_ssize_t d, state
    for d in range(source.num_dependencies - 1, -1, -1):
        dependency = &model.factors[source.dependencies[d]]
        state = p % dependency.num_states
        p //= dependency.num_states
        if source.dependencies[d] == factor:
            here[0] = state
        else:
            weight *= qs[dependency.offset + state]
    return weight


# out[s] = sum_p B[s, p, action] x[p], of a factor that depends on one. Without a look at which
# beliefs are above zero, as `predict` has it: here all are. Cost: the nonzeros of B.
cdef void _sparse_message(const Factor* f, Py_ssize_t action, const double* x,
                          double* out) noexcept nogil:
    cdef const int32_t* start = f.sparse_start + action * f.num_previous
    cdef Py_ssize_t s, p, k
    for s in range(f.num_states):
        out[s] = 0.0
    for p in range(f.num_previous):
        for k in range(start[p], start[p + 1]):
            out[f.sparse_state[k]] += x[p] * f.sparse_B[k]


# y[s] += a * B[s, p, action], dense or sparse. Part of _backward_message.
# Cost: num_states, or the nonzeros of the column.
cdef void _axpy_row(const Factor* f, Py_ssize_t action, Py_ssize_t p, double a,
                    double* y) noexcept nogil:
    cdef Py_ssize_t row = action * f.num_previous + p, k
    if not f.is_sparse[action]:
        P.axpy(a, f.B + row * f.stride, y, f.num_states)
        return
    for k in range(f.sparse_start[row], f.sparse_start[row + 1]):
        y[f.sparse_state[k]] += a * f.sparse_B[k]


# sum_s x[s] * B[s, p, action], dense or sparse. Part of _backward_message.
# Cost: num_states, or the nonzeros of the column.
cdef double _dot_row(const Factor* f, Py_ssize_t action, Py_ssize_t p,
                     const double* x) noexcept nogil:
    cdef Py_ssize_t row = action * f.num_previous + p, k
    cdef double total = 0.0
    if not f.is_sparse[action]:
        return P.dot(f.B + row * f.stride, x, f.num_states)
    for k in range(f.sparse_start[row], f.sparse_start[row + 1]):
        total += x[f.sparse_state[k]] * f.sparse_B[k]
    return total


# One belief, qs[step, factor], updated in place. `before` and `after` are the actions that
# lead to this step and away from it (NULL at the ends), log_prior the message to step 0.
#   err = c lnA + lnB_past + lnB_future - c log q, c = 2 before the cutoff, else 1
#   q <- softmax(log q + tau (err - mean err))             with grad_descent
#   q <- softmax(lnA + lnB_past + lnB_future)              without
# Returns its share of F (with grad_descent). pymdp.legacy.algos.mmp.run_mmp_factorized,
# where lnB_future is halved, and run_mmp. `by_roots`: from square roots of products, F only
# with keeps_F, which is faster than logarithms of messages and an exponential (csrc/marginal_messages.h). Parr, Markovic, Kiebel and Friston, "Neuronal message
# passing using Mean-field, Bethe, and Marginal approximations", Scientific Reports 9, 2019.
# Cost: that of the three messages; per state up to three logarithms and an exponential, or roots.
cdef double _update_belief(const Model* model, const MMPParameters* parameters,
                           const MMPWindow* window, Py_ssize_t step, Py_ssize_t factor,
                           const Py_ssize_t* before, const Py_ssize_t* after,
                           const double* earlier, double* qs, const double* later,
                           const double* prior, const double* log_prior, bint by_roots,
                           bint keeps_F, Workspace* work, double* error) noexcept nogil:
    cdef const Factor* f = &model.factors[factor]
    cdef const Factor* source
    cdef const double* previous[MAX_FACTORS]
    cdef fc_marginal_update update
    cdef fc_message* message = window.messages
    cdef double* store
    cdef Py_ssize_t i, d, stride, action
    update.messages = window.messages
    update.log_likelihood = update.log_prior = update.likelihood = update.prior = NULL
    update.num_likelihoods = update.num_future = 0
    if step < window.past_len:
        update.log_likelihood = window.log_likelihood + step * model.qs_size + f.offset
        update.likelihood = window.likelihood_product + step * model.qs_size + f.offset
        update.num_likelihoods = _likelihood_messages(model, window, step, factor, qs, work,
                                                      message)
        message += update.num_likelihoods
    if step == 0:
        update.log_prior, update.prior = log_prior + f.offset, prior + f.offset
    else:
        action = before[factor]
        if f.num_dependencies == 1 and f.num_states <= MAX_FUSED and not f.is_sparse[action]:
            message.x = earlier + model.factors[f.dependencies[0]].offset
            message.M = f.B + action * f.num_previous * f.stride
            message.rows, message.stride = f.num_previous, f.stride
        else:
            for d in range(f.num_dependencies):
                previous[d] = earlier + model.factors[f.dependencies[d]].offset
            store = window.message_memory + (message - window.messages) * window.message_size
            if f.num_dependencies == 1 and f.is_sparse[action]:
                _sparse_message(f, action, previous[0], store)
            else:
                predict(model, factor, action, previous, work, store)
            message.x, message.M = store, NULL
        message += 1
    if step < window.future_cutoff:
        for i in range(model.num_factors):
            source = &model.factors[i]
            for d in range(source.num_dependencies):
                if source.dependencies[d] != factor:
                    continue
                if source.num_dependencies == 1 and f.num_states <= MAX_FUSED:
                    stride = padded(source.num_previous)
                    message.x = later + source.offset
                    message.M = source.backward + after[i] * source.num_states * stride
                    message.rows, message.stride = source.num_states, stride
                else:
                    store = (window.message_memory
                             + (message - window.messages) * window.message_size)
                    _backward_message(model, factor, i, after[i], later, work, store)
                    message.x, message.M = store, NULL
                message += 1
                update.num_future += 1
    update.future_weight = 0.5 if window.factorized else 1.0
    update.balance = 1.0 if step >= window.future_cutoff else 2.0
    update.coupling = 0.0
    if 0 < step < window.infer_len - 1:
        update.coupling = <double>(model.num_factors - 1) / model.num_factors
    update.tau = parameters.tau
    update.gradient = parameters.grad_descent
    if by_roots:
        return P.update_marginal_by_roots(&update, f.num_states, qs + f.offset, keeps_F)
    return P.update_marginal(&update, f.num_states, qs + f.offset, error)


# F = sum_f (q_f . log(q_f + 1e-16) - q_f . prior_f) - E_q[log p(o | s)], one step without
# grad_descent: pymdp.legacy.maths.calc_free_energy, which run_mmp gives the prior itself where
# a logarithm belongs. Cost: the joint states of all factors.
cdef double _free_energy(const Model* model, const MMPWindow* window, Py_ssize_t step,
                         const double* qs, const double* prior, Workspace* work) noexcept nogil:
    cdef double F = 0.0
    cdef const Factor* f
    cdef const double* partial
    cdef double* store = window.joint_memory
    cdef Py_ssize_t i, remaining = 1, joint
    for i in range(model.num_factors):
        f = &model.factors[i]
        F += P.neg_entropy(qs + f.offset, f.num_states) - P.dot(qs + f.offset, prior + f.offset,
                                                               f.num_states)
        remaining *= f.num_states
    if step >= window.past_len:
        return F
    partial = window.log_joint[step]
    joint = remaining
    for i in range(model.num_factors - 1, -1, -1):
        f = &model.factors[i]
        remaining //= f.num_states
        P.gemv(partial, qs + f.offset, remaining, f.num_states, store)
        partial = store
        store = window.joint_memory + (joint if store == window.joint_memory else 0)
    return F - partial[0]


# out = log(sum_m p(o_m | s) + 1e-16) over the joint states of all factors, at one observed step:
# what F is made of without grad_descent (pymdp.legacy.algos.mmp.run_mmp gives calc_free_energy
# the sum of the likelihoods). Cost: joint states times terms.
cdef void log_likelihood_sum(const Model* model, const MMPWindow* window, Py_ssize_t step,
                             double* out) noexcept nogil:
    cdef const Group* group
    cdef const double* likelihood
    cdef Py_ssize_t stride[MAX_FACTORS]
    cdef Py_ssize_t state[MAX_FACTORS]
    cdef Py_ssize_t k, f, s, at, joint = 1
    for f in range(model.num_factors):
        joint *= model.factors[f].num_states
    memset(out, 0, joint * sizeof(double))
    for k in range(window.num_terms):
        group = &model.groups[window.term_group[k]]
        likelihood = window.likelihood[step * window.num_terms + k]
        memset(stride, 0, sizeof(stride))
        memset(state, 0, sizeof(state))
        at = 1
        for f in range(group.num_factors - 1, -1, -1):
            stride[group.factors[f]] = at
            at *= model.factors[group.factors[f]].num_states
        at = 0
        for s in range(joint):
            out[s] += likelihood[at]
            for f in range(model.num_factors - 1, -1, -1):
                state[f] += 1
                at += stride[f]
                if state[f] < model.factors[f].num_states:
                    break
                at -= stride[f] * state[f]
                state[f] = 0
    P.log_eps(out, joint, out)


# Beliefs `qs`, of shape (num_members, infer_len, qs_size), and F of policies that agree in
# all but the last action (`members`). `prior` is that of each, (num_members, qs_size), of
# which the first counts. xn and vn (both or none; one member) receive each iteration's
# beliefs and errors, shape (num_iter, infer_len, qs_size).
#   F = sum over steps and factors of _update_belief's shares (or of _free_energy)
# pymdp.legacy.algos.mmp.run_mmp_factorized and run_mmp.
# Returns 0, or -1 if a belief or F is not finite.
# Cost: num_iter * (infer_len - 1) updates of every factor, and num_iter for each action that the
# members have last.
cdef int pass_messages(const Model* model, const MMPParameters* parameters,
                       const MMPWindow* window, const Py_ssize_t* members,
                       Py_ssize_t num_members, const double* prior, double* qs, double* F,
                       double* xn, double* vn, Workspace* work) noexcept nogil:
    cdef Py_ssize_t size = model.qs_size, num_factors = model.num_factors
    cdef Py_ssize_t num_steps = window.infer_len, step, member, f, s
    cdef const Factor* factor
    cdef double* error
    cdef double* last
    cdef double shared, part
    cdef Py_ssize_t actions[2][MAX_FACTORS]
    cdef int iteration
    # nothing but the step before reaches the last one
    cdef bint one_per_action = (num_members > 1 and num_steps - 1 >= window.past_len
                                and num_steps - 1 >= window.future_cutoff)
    cdef bint can_be_roots = (window.most_messages <= MAX_OF_ROOTS and vn == NULL
                              and (parameters.tau == 0.25 or not parameters.grad_descent))
    cdef bint is_last
    cdef const double* known
    cdef Py_ssize_t at
    for step in range(num_members * num_steps):
        for f in range(num_factors):
            factor = &model.factors[f]
            for s in range(factor.num_states):
                qs[step * size + factor.offset + s] = 1.0 / factor.num_states
    for f in range(num_factors):
        factor = &model.factors[f]
        P.log_eps(prior + factor.offset, factor.num_states, work.log_prior + factor.offset)
    for iteration in range(parameters.num_iter):
        shared = 0.0
        is_last = iteration == parameters.num_iter - 1  # the one that F is of
        if one_per_action:
            memset(window.last_belief, 0, model.num_controls_total * sizeof(double*))
        for step in range(num_steps):
            for member in range(num_members if step == num_steps - 1 else 1):
                _actions_at(model, window, members[member], step - 1, actions[0])
                _actions_at(model, window, members[member], step, actions[1])
                last = qs + (member * num_steps + step) * size
                if step == num_steps - 1:
                    F[member] = shared
                for f in range(num_factors):
                    factor = &model.factors[f]
                    if one_per_action and step == num_steps - 1:
                        at = factor.control_offset + actions[0][f]
                        known = window.last_belief[at]
                        if known != NULL:
                            memcpy(last + factor.offset, known,
                                   factor.num_states * sizeof(double))
                            F[member] += window.last_F[at]
                            continue
                    # which update_marginal needs for long beliefs
                    error = NULL if model.factors[f].num_states <= 8 else work.error
                    if vn != NULL:
                        error = vn + (iteration * num_steps + step) * size + model.factors[f].offset
                    # the steps before the last are those of the first member
                    part = _update_belief(
                        model, parameters, window, step, f, actions[0], actions[1],
                        qs + (step - 1) * size, last, qs + (step + 1) * size, prior, work.log_prior,
                        can_be_roots and (parameters.grad_descent or not is_last), is_last, work,
                        error)
                    if step < num_steps - 1:
                        shared += part
                        continue
                    F[member] += part
                    if one_per_action:
                        window.last_belief[at], window.last_F[at] = last + factor.offset, part
                if is_last and not parameters.grad_descent:
                    part = _free_energy(model, window, step, last, prior, work)
                    if step == num_steps - 1:
                        F[member] += part
                    else:
                        shared += part
                if xn != NULL:
                    memcpy(xn + (iteration * num_steps + step) * size, last, size * sizeof(double))
    if not isfinite(P.sum(qs, num_steps * size)):
        return -1
    for member in range(num_members):
        if not isfinite(F[member]) or not isfinite(
                P.sum(qs + ((member + 1) * num_steps - 1) * size, size)):
            return -1
    for member in range(1, num_members):
        memcpy(qs + member * num_steps * size, qs, (num_steps - 1) * size * sizeof(double))
    return 0


# out = (past actions, then the policy's)[index]. Cost: num_factors.
cdef void _actions_at(const Model* model, const MMPWindow* window, Py_ssize_t policy,
                      Py_ssize_t index, Py_ssize_t* out) noexcept nogil:
    cdef Py_ssize_t f, num_factors = model.num_factors
    if index < 0 or index >= window.num_actions + model.tree.policy_len:
        return
    for f in range(num_factors):
        if index < window.num_actions:
            out[f] = window.actions[index * num_factors + f]
        else:
            out[f] = model.tree.policy_actions[
                (policy * model.tree.policy_len + index - window.num_actions) * num_factors + f]
