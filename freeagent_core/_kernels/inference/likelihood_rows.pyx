"""A of one modality as the belief update reads it: whole, or the nonzero entries of its rows."""

from libc.string cimport memset

from freeagent_core._kernels.base.primitives cimport P


# out[s] = A[o, s], or log(A[o, s] + 1e-16), from the nonzero entries. Cost: num_joint.
cdef void expand_row(const Modality* modality, Py_ssize_t outcome, Py_ssize_t num_joint,
                     bint logarithm, double* out) noexcept nogil:
    cdef const double* value = modality.row_log_A if logarithm else modality.row_A
    cdef double other = modality.log_zero if logarithm else 0.0
    cdef Py_ssize_t k, s
    for s in range(num_joint):
        out[s] = other
    for k in range(modality.row_start[outcome], modality.row_start[outcome + 1]):
        out[modality.row_state[k]] = value[k]


# out[s] = sum_o distribution[o] A[o, s]. pymdp.legacy.maths.dot_likelihood.
# Cost: num_obs * num_joint, or num_joint and the nonzero entries.
cdef void mixed_likelihood(const Modality* modality, const double* distribution,
                           Py_ssize_t num_joint, double* out) noexcept nogil:
    cdef Py_ssize_t k, o
    if modality.row_start == NULL:
        P.gemv_t(distribution, modality.A, modality.num_obs, num_joint, out)
        return
    memset(out, 0, num_joint * sizeof(double))
    for o in range(modality.num_obs):
        for k in range(modality.row_start[o], modality.row_start[o + 1]):
            out[modality.row_state[k]] += distribution[o] * modality.row_A[k]


# out[o] = sum_s A[o, s] joint[s]. pymdp.legacy.control.get_expected_obs_factorized.
# Cost: num_obs * num_joint, or the nonzero entries.
cdef void expected_outcomes(const Modality* modality, const double* joint, Py_ssize_t num_joint,
                            double* out) noexcept nogil:
    cdef Py_ssize_t k, o
    cdef double total
    if modality.row_start == NULL:
        P.gemv(modality.A, joint, modality.num_obs, num_joint, out)
        return
    for o in range(modality.num_obs):
        total = 0.0
        for k in range(modality.row_start[o], modality.row_start[o + 1]):
            total += modality.row_A[k] * joint[modality.row_state[k]]
        out[o] = total
