"""Marginal and variational message passing over a window of the past, all steps at once.

pymdp.algos.run_mmp and run_vmp: each iteration makes the marginals of all steps and factors from
those of the iteration before, starting from uniform ones, with step size 1:

    qs[t][f] = softmax(ln A + forward + backward)

MMP  forward   w_t log(sum_s B[s', s] qs[t-1][s])            w_t = 1/2 if the next transition counts
     backward  1/2 log(sum_s' qs[t+1][s'] B[s', s] / sum_s B[s', s]), over the factors it is a parent of
VMP  forward   sum_s log B[s', s] qs[t-1][s]
     backward  sum_s' qs[t+1][s'] log B[s', s]

At the window's first step, and behind a transition that does not count, log D is the forward
message. Other parents of a transition are averaged over, with their marginals at its beginning.
"""

from libc.float cimport DBL_EPSILON
from libc.math cimport log
from libc.string cimport memcmp, memcpy, memset

from freeagent_core._kernels.base.contractions cimport (
    contract_others, log_clipped, outer_product)
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.inference.observed_evidence cimport add_group, log_likelihoods
from freeagent_core._kernels.model.batched_model cimport Transition, of_agent

cdef enum:
    MAX_PARENTS = 64


# Numbers of scratch that pass_messages needs.
cdef Py_ssize_t messages_scratch(const BatchedTables* t, Py_ssize_t num_steps) noexcept nogil:
    return (num_steps * (3 * t.num_states_total + t.group_total + t.num_groups)
            + 6 * t.max_tensor + t.num_states_total + 2 * t.num_factors)


# B (or log B) of a factor under the action of a transition; uniform under an unknown one.
cdef const double* conditioned(const Transition* f, const Window* window, Py_ssize_t step,
                               Py_ssize_t index, Py_ssize_t num_factors, Py_ssize_t agent,
                               double* uniform) noexcept nogil:
    cdef Py_ssize_t i, size = f.size * f.num_states
    cdef int32_t action = 0
    cdef double value
    cdef const double* table = of_agent(&f.log_B if window.variational else &f.B, agent)
    if window.actions != NULL:
        action = window.actions[step * num_factors + index]
    if action == UNKNOWN:
        value = 1.0 / f.num_states
        if window.variational:
            value = log(max(value, DBL_EPSILON))
        for i in range(size):
            uniform[i] = value
        return uniform
    return table + action * size


# target += the message to parent number `parent` of factor f from its next state's marginal.
cdef void _add_backward(const Transition* f, const double* B, Py_ssize_t parent,
                        const double** q, const double* following, bint variational,
                        double* target, double* scratch, double* work) noexcept nogil:
    cdef Py_ssize_t n = f.sizes[parent], i, j
    cdef const double* table = contract_others(B, f.sizes, f.num_parents, f.num_states, q, parent,
                                               scratch)
    if variational:
        P.gemv(table, following, n, f.num_states, work)
        for i in range(n):
            target[i] += work[i]
        return
    # over the previous state, for each next one
    memset(work, 0, f.num_states * sizeof(double))
    for i in range(n):
        P.axpy(1.0, table + i * f.num_states, work, f.num_states)
    for j in range(f.num_states):
        work[j] = following[j] / max(work[j], DBL_EPSILON)
    P.gemv(table, work, n, f.num_states, work + f.num_states)
    work += f.num_states
    log_clipped(work, n, work)
    for i in range(n):
        target[i] += 0.5 * work[i]


# qs[f] of (num_steps, num_states), one block of all factors. Iterations that would change
# nothing, to the bit, are left out. Cost: num_iter * num_steps * (2 + parents) * the sizes of
# B of an action, and as jacobi_iteration for the likelihoods.
cdef void pass_messages(const BatchedTables* t, const Observed* observed, const Window* window,
                        Py_ssize_t agent, const double** prior, Py_ssize_t num_iter,
                        double** qs, double* scratch) noexcept nogil:
    cdef Py_ssize_t steps = observed.num_steps, n = t.num_states_total
    cdef Py_ssize_t i, f, g, s, k, step, iteration
    cdef const Transition* factor
    cdef const double* B
    cdef const double* joint
    cdef const double* q[MAX_PARENTS]
    cdef double weight
    cdef double* base = scratch                    # (num_steps, n): prior and own evidence
    cdef double* log_q = base + steps * n          # (num_steps, n)
    cdef double* before = log_q + steps * n        # all of qs
    cdef double* evidence = before + steps * n     # (num_steps, group_total)
    cdef double* log_prior = evidence + steps * t.group_total + t.max_tensor
    cdef double* uniform = log_prior + n
    cdef double* work = uniform + t.max_tensor     # 4 * max_tensor
    cdef const double** now = <const double**>(work + 4 * t.max_tensor)
    cdef double** target = <double**>(now + t.num_factors)
    cdef const double** ll = <const double**>(target + t.num_factors)
    for f in range(t.num_factors):
        factor = &t.factors[f]
        log_clipped(prior[f], factor.num_states, log_prior + factor.offset)
        for s in range(steps * factor.num_states):
            qs[f][s] = 1.0 / factor.num_states
    memset(base, 0, steps * n * sizeof(double))
    for step in range(steps):
        # needs max_tensor numbers more: those of later steps, which are not there yet
        log_likelihoods(t, observed, agent, step, ll + step * t.num_groups,
                        evidence + step * t.group_total)
        for g in range(t.num_groups):
            if not window.step_valid[step]:
                ll[step * t.num_groups + g] = NULL
            joint = ll[step * t.num_groups + g]
            if joint != NULL and t.groups[g].num_parents == 1:
                factor = &t.factors[t.groups[g].parents[0]]
                for s in range(factor.num_states):
                    base[step * n + factor.offset + s] += joint[s]
        if not window.without_prior and (step == 0 or not window.transition_valid[step - 1]):
            weight = 1.0
            if not window.variational and step < steps - 1 and window.transition_valid[step]:
                weight = 0.5
            for s in range(n):
                base[step * n + s] += weight * log_prior[s]
    for iteration in range(num_iter):
        memcpy(before, qs[0], steps * n * sizeof(double))
        memcpy(log_q, base, steps * n * sizeof(double))
        for step in range(steps):
            for f in range(t.num_factors):
                now[f] = qs[f] + step * t.factors[f].num_states
                target[f] = log_q + step * n + t.factors[f].offset
            for g in range(t.num_groups):
                joint = ll[step * t.num_groups + g]
                if joint != NULL and t.groups[g].num_parents > 1:
                    add_group(t, g, joint, now, target, work)
            if step == steps - 1 or not window.transition_valid[step]:
                continue
            weight = 1.0
            if (not window.variational and step + 1 < steps - 1
                    and window.transition_valid[step + 1]):
                weight = 0.5
            for i in range(t.num_factors):
                factor = &t.factors[i]
                B = conditioned(factor, window, step, i, t.num_factors, agent, uniform)
                for k in range(factor.num_parents):
                    q[k] = now[factor.parents[k]]
                joint = q[0]
                if factor.num_parents > 1:
                    outer_product(q, factor.sizes, factor.num_parents, work)
                    joint = work
                P.gemv_t(joint, B, factor.size, factor.num_states, work + t.max_tensor)
                joint = work + t.max_tensor
                if not window.variational:
                    log_clipped(joint, factor.num_states, work + t.max_tensor)
                for s in range(factor.num_states):
                    log_q[(step + 1) * n + factor.offset + s] += weight * joint[s]
                for k in range(factor.num_parents):
                    _add_backward(factor, B, k, q,
                                  qs[i] + (step + 1) * factor.num_states, window.variational,
                                  target[factor.parents[k]], work, work + 2 * t.max_tensor)
        for f in range(t.num_factors):
            factor = &t.factors[f]
            for step in range(steps):
                P.softmax(log_q + step * n + factor.offset, factor.num_states,
                          qs[f] + step * factor.num_states)
        if memcmp(before, qs[0], steps * n * sizeof(double)) == 0:
            break
