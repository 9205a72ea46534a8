"""Variational free energy of beliefs about a window of the past, step by step."""

from libc.stdint cimport int32_t

from freeagent_core._kernels.base.contractions cimport log_clipped, outer_product
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.inference.observed_evidence cimport log_likelihoods
from freeagent_core._kernels.model.batched_model cimport Transition, of_agent

cdef enum:
    MAX_PARENTS = 64


# Numbers of scratch that window_free_energy needs.
cdef Py_ssize_t free_energy_scratch(const BatchedTables* t) noexcept nogil:
    return t.group_total + 3 * t.max_tensor + t.num_states_total + t.num_groups


# sum_x q(x) log p(x) with log p given
cdef double _expected(const double** q, const Py_ssize_t* sizes, Py_ssize_t count,
                      const double* log_p, double* work) noexcept nogil:
    cdef Py_ssize_t k, size = 1
    for k in range(count):
        size *= sizes[k]
    outer_product(q, sizes, count, work)
    return P.dot(work, log_p, size)


# Terms of F[t] = neg_entropy + prior_cross_entropy + transition_cross_entropy - accuracy, in
# nats; terms[k][step] of these four, in that order. pymdp.maths.calc_vfe.
#   neg_entropy   sum_f sum_s q log q
#   prior         -sum_f sum_s q log prior, at the first step and behind transitions that do not count
#   transition    -sum_f E_q[log B[f][s_t, s_{t-1}, u_{t-1}]], of transitions that count
#   accuracy      sum_m E_q[log p(o_m | s)]
# Without `chain` there are no transitions (one-step inference). qs[f] of (steps, num_states); the
# first of them is step first_step of what was observed. Cost: steps * the sizes of log_A's rows
# and of B of an action.
cdef void window_free_energy(const BatchedTables* t, const Observed* observed,
                             const Window* window, bint chain, Py_ssize_t agent,
                             const double** prior, const double** qs, Py_ssize_t first_step,
                             double** terms, double* scratch) noexcept nogil:
    cdef Py_ssize_t steps = observed.num_steps - first_step, step, i, k, s, g, n
    cdef const Transition* f
    cdef const double* B
    cdef const double* q[MAX_PARENTS + 1]
    cdef Py_ssize_t sizes[MAX_PARENTS + 1]

    cdef int32_t action
    cdef bint starts
    cdef double* log_prior = scratch
    cdef double* work = log_prior + t.num_states_total       # group_total + max_tensor
    cdef double* joint = work + t.group_total + t.max_tensor  # 2 * max_tensor
    cdef const double** ll = <const double**>(joint + 2 * t.max_tensor)
    for i in range(t.num_factors):
        f = &t.factors[i]
        log_clipped(prior[i], f.num_states, log_prior + f.offset)
    for step in range(steps):
        for k in range(4):
            terms[k][step] = 0.0
        if chain and not window.step_valid[step]:
            continue
        starts = not chain or step == 0 or not window.transition_valid[step - 1]
        for i in range(t.num_factors):
            f = &t.factors[i]
            n = f.num_states
            log_clipped(qs[i] + step * n, n, joint)
            terms[0][step] += P.dot(qs[i] + step * n, joint, n)
            if starts:
                terms[1][step] -= P.dot(qs[i] + step * n, log_prior + f.offset, n)
        log_likelihoods(t, observed, agent, first_step + step, ll, work)
        for g in range(t.num_groups):
            if ll[g] == NULL:
                continue
            for k in range(t.groups[g].num_parents):
                q[k] = qs[t.groups[g].parents[k]] + step * t.groups[g].sizes[k]
            terms[3][step] += _expected(q, t.groups[g].sizes, t.groups[g].num_parents, ll[g], joint)
        if starts:
            continue
        for i in range(t.num_factors):
            f = &t.factors[i]
            action = 0
            if window.actions != NULL:
                action = max(window.actions[(step - 1) * t.num_factors + i], 0)
            B = of_agent(&f.B, agent) + action * f.size * f.num_states
            for k in range(f.num_parents):
                q[k] = qs[f.parents[k]] + (step - 1) * f.sizes[k]
                sizes[k] = f.sizes[k]
            q[f.num_parents], sizes[f.num_parents] = qs[i] + step * f.num_states, f.num_states
            log_clipped(B, f.size * f.num_states, joint + t.max_tensor)
            terms[2][step] -= _expected(q, sizes, f.num_parents + 1, joint + t.max_tensor, joint)
