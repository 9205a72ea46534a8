"""Backward smoothing of filtered beliefs, and the joint beliefs of neighbouring steps."""

from libc.float cimport DBL_EPSILON
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.contractions cimport outer_product
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.batched_model cimport Transition, of_agent

cdef enum:
    MAX_PARENTS = 64

cdef double SMALL = 1e-290


# For one factor f, backwards from the last step T - 1:
#   joint[t][s', s] = B[s', s, u_t] prod_k filtered_k[t][s_k] / norm[s'] * smoothed[t+1][s']
#   norm[s'] = sum_s B[s', s, u_t] prod_k filtered_k[t][s_k]
#   smoothed[t][s_f] = joint[t] summed over s' and the other parents
# pymdp.inference.smoothing_ovf (which knows one parent; a factor's own past is what is smoothed
# with several) and, with `exact`, smoothing_exact, which normalises smoothed at every step; they
# differ where rounding or impossible states count. Under an unknown action (-1) nothing changes
# but states: B is the identity of the factor's own state.
# filtered[k] of (T, num_states), for each parent; smoothed (T, num_states) holds the filtered
# belief of its last step when called; joints (T - 1, num_states, size). Scratch:
# 3 * max_tensor. Cost: 3 * T * the size of B of an action.
cdef void smooth_backwards(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                           Py_ssize_t num_steps, const int32_t* actions, const double** filtered,
                           bint exact, double* smoothed, double* joints,
                           double* scratch) noexcept nogil:
    cdef const Transition* f = &t.factors[factor]
    cdef Py_ssize_t n = f.num_states, step, k, s, i, own = 0, inner = 1
    cdef const double* q[MAX_PARENTS]
    cdef const double* B
    cdef double* joint
    cdef double* joint_q = scratch
    cdef double* raw = scratch + f.size             # smoothed, before it is normalised
    cdef double* norms = raw + n
    cdef double norm, value
    cdef int32_t action
    for k in range(f.num_parents):
        if f.parents[k] == factor:
            own = k
    for k in range(own + 1, f.num_parents):
        inner *= f.sizes[k]
    memcpy(raw, smoothed + (num_steps - 1) * n, n * sizeof(double))
    if exact:
        _normalise(smoothed + (num_steps - 1) * n, n)
    for step in range(num_steps - 2, -1, -1):
        for k in range(f.num_parents):
            q[k] = filtered[k] + step * f.sizes[k]
        outer_product(q, f.sizes, f.num_parents, joint_q)
        action = actions[step * t.num_factors + factor]
        B = of_agent(&f.B, agent) + max(action, 0) * f.size * n
        joint = joints + step * n * f.size
        for s in range(n):
            smoothed[step * n + s] = 0.0
        for s in range(n):
            norms[s] = 0.0
        for i in range(f.size):
            if action < 0:
                norms[(i // inner) % n] += joint_q[i]
                continue
            for s in range(n):
                norms[s] += B[i * n + s] * joint_q[i]
        for s in range(n):
            norm = _divisor(norms[s], exact)
            # a share of norm, at most 1, first: its reciprocal may be too large
            if action < 0:
                for i in range(f.size):
                    joint[s * f.size + i] = <double>((i // inner) % n == s) * joint_q[i] / norm
            elif norm < SMALL:
                for i in range(f.size):
                    joint[s * f.size + i] = B[i * n + s] * joint_q[i] / norm
            else:
                norm = 1.0 / norm
                for i in range(f.size):
                    joint[s * f.size + i] = B[i * n + s] * joint_q[i] * norm
        if inner == 1 and f.num_parents == 1:
            for s in range(n):
                for i in range(n):
                    value = joint[s * n + i]
                    smoothed[step * n + i] += value * raw[s]
                    joint[s * n + i] = value * smoothed[(step + 1) * n + s]
        else:
            for s in range(n):
                for i in range(f.size):
                    value = joint[s * f.size + i]
                    smoothed[step * n + (i // inner) % n] += value * raw[s]
                    joint[s * f.size + i] = value * smoothed[(step + 1) * n + s]
        memcpy(raw, smoothed + step * n, n * sizeof(double))
        if exact:
            _normalise(smoothed + step * n, n)


# smooth_backwards of a factor that depends on itself alone, without its joint beliefs. Of all
# transitions whose action is known for all factors, summed for each action u, there is
#   weights[u][s, s'] = sum_t filtered[t][s] smoothed[t+1][s'] / norm[s']
# so that B weights is the sum of the joint beliefs; (num_controls, n, n), or NULL. Returns False, and
# smoothed and weights hold nothing of use, where a reciprocal would be too large. Scratch: 4 n.
# Cost: 3 T n^2 multiply-adds.
cdef bint smooth_chain(const BatchedTables* t, Py_ssize_t factor, Py_ssize_t agent,
                       Py_ssize_t num_steps, const int32_t* actions, const double* filtered,
                       bint exact, double* smoothed, double* weights,
                       double* scratch) noexcept nogil:
    cdef const Transition* f = &t.factors[factor]
    cdef Py_ssize_t n = f.num_states, step, s, k
    cdef const double* q
    cdef const double* B
    cdef const double* following
    cdef double* out = smoothed + (num_steps - 1) * n
    cdef double* raw = scratch                      # smoothed, before it is normalised
    cdef double* norms = raw + n
    cdef double* ratio = norms + n
    cdef double* raw_ratio = ratio + n
    cdef double norm
    cdef int32_t action
    cdef bint known
    if weights != NULL:
        memset(weights, 0, f.num_controls * n * n * sizeof(double))
    memcpy(raw, out, n * sizeof(double))
    if exact:
        _normalise(out, n)
    for step in range(num_steps - 2, -1, -1):
        q, following, out = filtered + step * n, out, smoothed + step * n
        action = actions[step * t.num_factors + factor]
        B = of_agent(&f.B, agent) + max(action, 0) * n * n
        if action < 0:
            memcpy(norms, q, n * sizeof(double))
        else:
            P.gemv_t(q, B, n, n, norms)
        for s in range(n):
            norm = _divisor(norms[s], exact)
            if norm < SMALL:
                return False
            raw_ratio[s] = raw[s] / norm
            ratio[s] = following[s] / norm
        if action < 0:
            memcpy(out, raw_ratio, n * sizeof(double))
        else:
            P.gemv(B, raw_ratio, n, n, out)
        for s in range(n):
            out[s] *= q[s]
        known = weights != NULL
        for k in range(t.num_factors):
            known = known and actions[step * t.num_factors + k] >= 0
        if known:
            P.add_count_rows(1.0, q, n, ratio, n, B, n, weights + action * n * n, 0, NULL)
        memcpy(raw, out, n * sizeof(double))
        if exact:
            _normalise(out, n)
    return True


# What a joint belief of this sum is divided by: at least 2^-52, or unless `exact` only not 0.
cdef inline double _divisor(double norm, bint exact) noexcept nogil:
    if exact:
        return norm if norm > DBL_EPSILON else DBL_EPSILON
    return norm if norm != 0.0 else DBL_EPSILON


cdef inline void _normalise(double* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t s
    cdef double total = 0.0
    for s in range(n):
        total += x[s]
    total = total if total > DBL_EPSILON else DBL_EPSILON
    for s in range(n):
        x[s] /= total
