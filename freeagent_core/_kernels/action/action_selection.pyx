"""Action selection: the probabilities to choose by. Random numbers are drawn elsewhere."""

from libc.math cimport fabs
from libc.stdint cimport int32_t
from libc.string cimport memset

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.structs cimport Factor, PolicyTree

# Probabilities this close to the largest are as good as it: pymdp.legacy.control.select_highest.
TIE_TOLERANCE = 1e-8


# work.p_actions[f, u] = sum over policies that begin with u in factor f of q_pi, normalised
# pymdp.legacy.control.sample_action; policy by policy, so that sums that tie there tie here.
# Cost: num_policies * num_factors additions.
cdef void action_marginals(const Model* model, const double* q_pi,
                           Workspace* work) noexcept nogil:
    cdef const PolicyTree* tree = &model.tree
    cdef const int32_t* action = tree.first_action
    cdef const Factor* f
    cdef double* p
    cdef double total
    cdef Py_ssize_t i, u, policy = 0, together = 1
    if tree.num_steps:  # policies with one first action stand together
        action, together = tree.actions, tree.policies_per_action
    memset(work.p_actions, 0, model.num_controls_total * sizeof(double))
    while policy < tree.num_policies:
        for i in range(model.num_factors):
            p = work.p_actions + model.factors[i].control_offset + action[i]
            total = p[0]
            for u in range(policy, policy + together):
                total += q_pi[u]
            p[0] = total
        policy += together
        action += model.num_factors
    for i in range(model.num_factors):
        f = &model.factors[i]
        p = work.p_actions + f.control_offset
        total = P.sum(p, f.num_controls)
        for u in range(f.num_controls):
            p[u] /= total


# Choices of equal value differ by rounding errors, here and in pymdp. They are made equal to
# the bit before a draw, so that it does not depend on such errors: a binomial draw jumps
# between p = 0.5 and p = 0.5 + 1e-16. What differs by more is left as it is.
cdef double TIE_RATIO = 1e-11
cdef Py_ssize_t MAX_PAIRWISE = 64
cdef double SPLIT = 32769.0  # 2^15 + 1


# out[i] = the first p[j] with abs(p[i] - p[j]) <= 1e-11 p[j], else p[i]. Of more than 64 entries,
# p rounded to 38 bits (Dekker 1971). Cost: n^2 / 2 comparisons up to 64 entries, then 3 n.
cdef void _tie(const double* p, Py_ssize_t n, double* out) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef double scaled
    for i in range(n):
        out[i] = p[i]
        if n > MAX_PAIRWISE:
            scaled = SPLIT * p[i]
            out[i] = scaled - (scaled - p[i])
            continue
        for j in range(i):
            if fabs(p[i] - out[j]) <= TIE_RATIO * out[j]:
                out[i] = out[j]
                break


# out = softmax(alpha * log(p + 1e-16)): the precision of stochastic selection
# pymdp.legacy.control.sample_action. Cost: a logarithm and an exponential per entry.
cdef void sharpen(const double* p, Py_ssize_t n, double alpha, double* out) noexcept nogil:
    cdef Py_ssize_t i
    _tie(p, n, out)
    P.log_eps(out, n, out)
    for i in range(n):
        out[i] *= alpha
    P.softmax(out, n, out)


# The index of the largest entry; entries within `tolerance` of it are equal to it, and one of
# them is drawn, or the first is taken. pymdp.legacy.control.select_highest (1e-8), np.argmax.
# Cost: two comparisons an entry.
cdef Py_ssize_t choose_best(const double* p, Py_ssize_t n, double tolerance, bint first_of_ties,
                            RandomSource* source) noexcept nogil:
    cdef double best = P.max(p, n)
    cdef Py_ssize_t i, count = 0, first = 0, rank
    for i in range(n - 1, -1, -1):
        if fabs(p[i] - best) <= tolerance:
            count += 1
            first = i
    if count <= 1 or first_of_ties:
        return first
    rank = source.below(source.state, count)
    for i in range(first, n):
        if fabs(p[i] - best) <= tolerance:
            if rank == 0:
                return i
            rank -= 1
    return first
