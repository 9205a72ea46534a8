"""Log-likelihoods of joint states given what was observed, and their marginals per factor."""

from libc.string cimport memset

from freeagent_core._kernels.base.contractions cimport contract_others
from freeagent_core._kernels.model.batched_model cimport Likelihood, ParentGroup, of_agent
from freeagent_core._kernels.base.primitives cimport P


# out[g][s] = sum over the modalities m of group g of sum_o observed_m[o] log(max(A_m[o, s], eps))
# pymdp.maths.compute_log_likelihood_per_modality, summed over modalities with the same parents.
# out[g] is NULL without evidence, a row of log_A if one outcome of one modality was observed,
# else a part of scratch, which holds group_total + max_tensor numbers.
# Cost: the sizes of the groups; of log_A for soft observations.
cdef void log_likelihoods(const BatchedTables* t, const Observed* observed, Py_ssize_t agent,
                          Py_ssize_t step, const double** out, double* scratch) noexcept nogil:
    cdef Py_ssize_t at = agent * observed.num_steps + step
    cdef const int32_t* codes = observed.codes + at * t.num_modalities
    cdef const ParentGroup* g
    cdef const Likelihood* m
    cdef const double* row
    cdef double* sums = scratch
    cdef double* soft = scratch + t.group_total
    cdef Py_ssize_t i, k, s
    for i in range(t.num_groups):
        g = &t.groups[i]
        out[i] = NULL
        for k in range(g.num_modalities):
            if codes[g.modalities[k]] == NO_EVIDENCE:
                continue
            m = &t.modalities[g.modalities[k]]
            row = of_agent(&m.log_A, agent)
            if codes[g.modalities[k]] == IN_WEIGHTS:
                P.gemv_t(observed.weights + at * t.num_obs_total + m.obs_offset, row,
                              m.num_obs, m.size, soft)
                row = soft
            else:
                row += codes[g.modalities[k]] * m.size
            if out[i] == NULL and row != soft:
                out[i] = row
                continue
            if out[i] == NULL:
                memset(sums, 0, g.size * sizeof(double))
                out[i] = sums
            if out[i] != sums:
                for s in range(g.size):
                    sums[s] = out[i][s]
                out[i] = sums
            for s in range(g.size):
                sums[s] += row[s]
        sums += g.size


# log_q[f] += the log-likelihood ll of the group's joint states, averaged over the other parents
# with their marginals q: pymdp.algos.all_marginal_log_likelihood.
# Scratch: 2 * max_tensor. Cost: parents * joint states.
cdef void add_group(const BatchedTables* t, Py_ssize_t group, const double* ll, const double** q,
                    double** log_q, double* scratch) noexcept nogil:
    cdef const ParentGroup* g = &t.groups[group]
    cdef const double* part
    cdef double* target
    cdef Py_ssize_t k, s
    cdef const double* parents[64]
    for k in range(g.num_parents):
        parents[k] = q[g.parents[k]]
    for k in range(g.num_parents):
        part = contract_others(ll, g.sizes, g.num_parents, 1, parents, k, scratch)
        target = log_q[g.parents[k]]
        for s in range(g.sizes[k]):
            target[s] += part[s]
