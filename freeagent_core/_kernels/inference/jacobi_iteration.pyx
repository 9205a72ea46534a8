"""Fixed-point iteration that updates all factors at once, from uniform marginals."""

from libc.float cimport DBL_EPSILON
from libc.math cimport fabs
from libc.string cimport memcpy

from freeagent_core._kernels.base.contractions cimport log_clipped
from freeagent_core._kernels.inference.observed_evidence cimport add_group, log_likelihoods
from freeagent_core._kernels.model.batched_model cimport ParentGroup, Transition
from freeagent_core._kernels.base.primitives cimport P


# Numbers of scratch that jacobi_iteration needs.
cdef Py_ssize_t jacobi_scratch(const BatchedTables* t) noexcept nogil:
    return t.group_total + 2 * t.max_tensor + 3 * t.num_states_total + t.num_factors + t.num_groups


# qs[f] = softmax(log prior[f] + sum_m E_{prod_{k != f} qs[k]}[log p(o_m | s)]), num_iter times
# from uniform qs, each time with the qs of the time before.
# pymdp.algos.run_factorized_fpi, without a stopping test. Iterations that would change no more
# than rounding does, 2^-52, are left out; modalities of one parent are added once. qs has one block of
# num_states_total numbers. Cost: num_iter * sum over the groups of parents * joint states.
cdef void jacobi_iteration(const BatchedTables* t, const Observed* observed, Py_ssize_t agent,
                           const double** prior, Py_ssize_t num_iter, double** qs,
                           double* scratch) noexcept nogil:
    cdef Py_ssize_t n = t.num_states_total, i, f, s, iteration
    cdef const ParentGroup* g
    cdef const Transition* factor
    cdef bint coupled = False
    cdef double largest
    cdef double* base = scratch
    cdef double* log_q = base + n
    cdef double* before = log_q + n
    cdef double* work = before + n
    cdef double** pointers = <double**>(work + t.group_total + 2 * t.max_tensor)
    cdef const double** ll = <const double**>(pointers + t.num_factors)
    log_likelihoods(t, observed, agent, observed.num_steps - 1, ll, work)
    work += t.group_total
    for f in range(t.num_factors):
        factor = &t.factors[f]
        pointers[f] = base + factor.offset
        log_clipped(prior[f], factor.num_states, pointers[f])
    for i in range(t.num_groups):
        g = &t.groups[i]
        if ll[i] == NULL:
            continue
        if g.num_parents > 1:
            coupled = True
            continue
        for s in range(g.size):
            pointers[g.parents[0]][s] += ll[i][s]
    if t.num_factors == 1:  # exact, whatever num_iter
        num_iter = 1
    if num_iter == 0 or coupled:
        for f in range(t.num_factors):
            for s in range(t.factors[f].num_states):
                qs[f][s] = 1.0 / t.factors[f].num_states
            pointers[f] = log_q + t.factors[f].offset
    if not coupled:
        num_iter = min(num_iter, 1)
        for f in range(t.num_factors):
            pointers[f] = base + t.factors[f].offset
    for iteration in range(num_iter):
        if coupled:
            memcpy(before, qs[0], n * sizeof(double))
            memcpy(log_q, base, n * sizeof(double))
            for i in range(t.num_groups):
                if ll[i] != NULL and t.groups[i].num_parents > 1:
                    add_group(t, i, ll[i], <const double**>qs, pointers, work)
        for f in range(t.num_factors):
            P.softmax(pointers[f], t.factors[f].num_states, qs[f])
        if coupled:
            largest = 0.0
            for s in range(n):
                largest = max(largest, fabs(qs[0][s] - before[s]))
            if largest <= DBL_EPSILON:
                break
