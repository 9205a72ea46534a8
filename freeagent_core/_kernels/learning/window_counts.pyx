"""Dirichlet counts from a window of beliefs, outcomes and actions."""

from libc.float cimport DBL_EPSILON
from libc.string cimport memset

from freeagent_core._kernels.base.contractions cimport outer_product
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.inference.observed_evidence cimport IN_WEIGHTS, NO_EVIDENCE
from freeagent_core._kernels.model.batched_model cimport (
    Likelihood, of_agent, ParentGroup, Transition)

cdef enum:
    MAX_PARENTS = 64


# counts_m[o, s] += rate * sum_t o_m,t[o] prod_k qs[parent k][t][s_k], counts_m (num_obs, size), of the
# modalities of a group whose counts[m] is not NULL.
# pymdp.learning.update_obs_likelihood_dirichlet_m. qs[f] of (num_steps, num_states).
# Scratch: max_tensor. Cost: num_steps * size, of all outcomes for soft ones.
cdef void add_outcome_counts(const BatchedTables* t, Py_ssize_t group, Py_ssize_t agent,
                             const Observed* observed, const double** qs, double rate,
                             double** counts, double* scratch) noexcept nogil:
    cdef const ParentGroup* g = &t.groups[group]
    cdef const Likelihood* m
    cdef const double* q[MAX_PARENTS]
    cdef const double* joint
    cdef const double* weights
    cdef Py_ssize_t step, i, k, o, at
    cdef int32_t code
    for step in range(observed.num_steps):
        at = agent * observed.num_steps + step
        joint = NULL
        for i in range(g.num_modalities):
            m = &t.modalities[g.modalities[i]]
            code = observed.codes[at * t.num_modalities + g.modalities[i]]
            if code == NO_EVIDENCE or counts[g.modalities[i]] == NULL:
                continue
            if joint == NULL:
                for k in range(g.num_parents):
                    q[k] = qs[g.parents[k]] + step * g.sizes[k]
                joint = q[0]
                if g.num_parents > 1:
                    outer_product(q, g.sizes, g.num_parents, scratch)
                    joint = scratch
            if code != IN_WEIGHTS:
                P.axpy(rate, joint, counts[g.modalities[i]] + code * m.size, m.size)
                continue
            weights = observed.weights + at * t.num_obs_total + m.obs_offset
            for o in range(m.num_obs):
                P.axpy(rate * weights[o], joint, counts[g.modalities[i]] + o * m.size, m.size)


# counts[s', s, u] += rate * sum_t [u == u_t] joint_t[s', s], counts (num_states, size, num_controls)
# pymdp.learning.update_state_transition_dirichlet_f; steps without a known action do not count.
# joints of (num_steps - 1, num_states, size), or NULL: after[t + 1] x prod_k before[k][t].
# Scratch: max_tensor. Cost: num_steps * size * num_states.
cdef void add_transition_counts(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                                Py_ssize_t num_steps, const int32_t* actions,
                                const double** before, const double* after,
                                const double* joints, double rate, double* counts,
                                double* scratch) noexcept nogil:
    cdef const Transition* f = &t.factors[factor]
    cdef Py_ssize_t n = f.num_states, step, k, s, i
    cdef const double* q[MAX_PARENTS]
    cdef const int32_t* action
    cdef const double* source
    cdef double* column
    cdef double weight
    cdef bint valid
    for step in range(num_steps - 1):
        action = actions + step * t.num_factors
        valid = True
        for k in range(t.num_factors):
            valid = valid and action[k] >= 0
        if not valid:
            continue
        if joints == NULL:
            for k in range(f.num_parents):
                q[k] = before[k] + step * f.sizes[k]
            outer_product(q, f.sizes, f.num_parents, scratch)
        column = counts + action[factor]
        for s in range(n):
            # the joint of this next state and of those before
            source = scratch if joints == NULL else joints + (step * n + s) * f.size
            weight = rate if joints != NULL else rate * after[(step + 1) * n + s]
            for i in range(f.size):
                column[i * f.num_controls] += weight * source[i]
            column += f.size * f.num_controls


# counts[s', s, u] += B[s', s, u] weights[u][s, s'], of backward_smoothing.smooth_chain: the sum of
# the joint beliefs at all steps. Cost: the size of B.
cdef void add_chain_counts(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                           const double* weights, double* counts) noexcept nogil:
    cdef const Transition* f = &t.factors[factor]
    cdef Py_ssize_t n = f.num_states, u, i, s
    cdef const double* B = of_agent(&f.B, agent)
    for u in range(f.num_controls):
        for i in range(n):
            for s in range(n):
                counts[(s * n + i) * f.num_controls + u] += B[s] * weights[s]
            B += n
            weights += n


# out = max(counts, 2^-52), normalised over the first of the axes (num_outcomes, size)
# pymdp.maths.dirichlet_expected_value. Scratch: size. Cost: a division for each count.
cdef void expected_probabilities(const double* counts, Py_ssize_t num_outcomes, Py_ssize_t size,
                                 double* out, double* scratch) noexcept nogil:
    cdef Py_ssize_t o, s
    cdef double value
    memset(scratch, 0, size * sizeof(double))
    for o in range(num_outcomes):
        for s in range(size):
            value = counts[o * size + s] if counts[o * size + s] > DBL_EPSILON else DBL_EPSILON
            out[o * size + s] = value
            scratch[s] += value
    for o in range(num_outcomes):
        for s in range(size):
            out[o * size + s] /= scratch[s]
