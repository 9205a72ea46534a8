"""Contractions of a tensor with one vector an axis, and the logarithm of pymdp 1.x."""

from libc.float cimport DBL_EPSILON

from freeagent_core._kernels.base.primitives cimport P


# out = q[0] x q[1] x ... , the last axis fastest. Cost: the size of out.
cdef void outer_product(const double** q, const Py_ssize_t* sizes, Py_ssize_t count,
                        double* out) noexcept nogil:
    cdef Py_ssize_t i, j, k, size = sizes[0]
    cdef double weight
    cdef const double* x
    for i in range(size):
        out[i] = q[0][i]
    for k in range(1, count):
        x = q[k]
        # from the end: what is read is not yet written over
        for i in range(size - 1, -1, -1):
            weight = out[i]
            for j in range(sizes[k]):
                out[i * sizes[k] + j] = weight * x[j]
        size *= sizes[k]


# The tensor of shape (sizes[0], ..., sizes[count - 1], tail), summed over all axes but `keep`
# and the tail with the weights q[k] of axis k:
#   result[i, j] = sum_{s: s_keep = i} tensor[s, j] prod_{k != keep} q[k][s_k]
# pymdp.maths.factor_dot_flex. One axis at a time; cost: the size of the tensor, and less for
# each further axis. Returns the tensor itself if there is nothing to sum over, else a part of
# scratch, which holds 2 * size of the tensor / min(sizes) numbers; twice the tensor is enough.
cdef const double* contract_others(const double* tensor, const Py_ssize_t* sizes,
                                   Py_ssize_t count, Py_ssize_t tail, const double** q,
                                   Py_ssize_t keep, double* scratch) noexcept nogil:
    cdef Py_ssize_t rest = tail, lead, i, k
    cdef const double* source = tensor
    cdef double* target = scratch
    cdef double* other
    for k in range(count):
        rest *= sizes[k]
    other = scratch + rest
    for k in range(keep):
        rest //= sizes[k]
        P.gemv_t(q[k], source, sizes[k], rest, target)
        source = target
        target, other = other, target
    for k in range(count - 1, keep, -1):
        lead = rest // (sizes[k] * tail)
        if tail == 1:
            P.gemv(source, q[k], lead, sizes[k], target)
        else:
            for i in range(lead):
                P.gemv_t(q[k], source + i * sizes[k] * tail, sizes[k], tail,
                              target + i * tail)
        rest = lead * tail
        source = target
        target, other = other, target
    return source


# out = log(max(x, 2^-52)): pymdp.maths.log_stable. out may be x.
cdef void log_clipped(const double* x, Py_ssize_t n, double* out) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = x[i] if x[i] > DBL_EPSILON else DBL_EPSILON
    P.log(out, n, out)
