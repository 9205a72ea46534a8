"""Dirichlet counts from a window of beliefs, outcomes and actions."""

from libc.float cimport DBL_EPSILON

from freeagent_core._kernels.base.contractions cimport outer_product
from freeagent_core._kernels.inference.observed_evidence cimport IN_WEIGHTS, NO_EVIDENCE
from freeagent_core._kernels.model.batched_model cimport Likelihood, ParentGroup, Transition

cdef enum:
    MAX_PARENTS = 64


# counts[o, s] += rate * sum_t o_t[o] prod_k qs[parent k][t][s_k], counts (num_obs, size)
# pymdp.learning.update_obs_likelihood_dirichlet_m. qs[f] of (num_steps, num_states).
# Scratch: max_tensor. Cost: num_steps * size, of all outcomes for soft ones.
cdef void add_outcome_counts(const BatchedTables* t, Py_ssize_t modality, Py_ssize_t agent,
                             const Observed* observed, const double** qs, double rate,
                             double* counts, double* scratch) noexcept nogil:
    cdef const Likelihood* m = &t.modalities[modality]
    cdef const ParentGroup* g = &t.groups[m.group]
    cdef const double* q[MAX_PARENTS]
    cdef const double* weights
    cdef Py_ssize_t step, k, s, o, at
    cdef int32_t code
    for step in range(observed.num_steps):
        at = agent * observed.num_steps + step
        code = observed.codes[at * t.num_modalities + modality]
        if code == NO_EVIDENCE:
            continue
        for k in range(g.num_parents):
            q[k] = qs[g.parents[k]] + step * g.sizes[k]
        outer_product(q, g.sizes, g.num_parents, scratch)
        if code != IN_WEIGHTS:
            for s in range(m.size):
                counts[code * m.size + s] += rate * scratch[s]
            continue
        weights = observed.weights + at * t.num_obs_total + m.obs_offset
        for o in range(m.num_obs):
            for s in range(m.size):
                counts[o * m.size + s] += rate * (weights[o] * scratch[s])


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


# out = max(counts, 2^-52), normalised over the first of the axes (num_outcomes, size)
# pymdp.maths.dirichlet_expected_value
cdef void expected_probabilities(const double* counts, Py_ssize_t num_outcomes, Py_ssize_t size,
                                 double* out) noexcept nogil:
    cdef Py_ssize_t o, s
    cdef double total
    for s in range(size):
        total = 0.0
        for o in range(num_outcomes):
            out[o * size + s] = max(counts[o * size + s], DBL_EPSILON)
            total += out[o * size + s]
        for o in range(num_outcomes):
            out[o * size + s] /= total
