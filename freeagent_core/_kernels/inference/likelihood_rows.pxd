from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.structs cimport Modality


cdef void expand_row(const Modality* modality, Py_ssize_t outcome, Py_ssize_t num_joint,
                     bint logarithm, double* out) noexcept nogil
cdef void mixed_likelihood(const Modality* modality, const double* distribution,
                           Py_ssize_t num_joint, double* out) noexcept nogil
cdef void expected_outcomes(const Modality* modality, const double* joint, Py_ssize_t num_joint,
                            double* out) noexcept nogil


# A[o, s], or log(A[o, s] + 1e-16), of all joint states s: a row of the whole array, or made in
# `scratch`, which has room for num_joint. pymdp.legacy.maths.get_joint_likelihood for one modality.
# Cost: none, or num_joint; a logarithm each where A is learned.
cdef inline const double* likelihood_row(const Modality* modality, Py_ssize_t outcome,
                                         Py_ssize_t num_joint, bint logarithm,
                                         double* scratch) noexcept nogil:
    if modality.row_start == NULL:
        if not logarithm:
            return modality.A + outcome * num_joint
        if modality.log_A != NULL:
            return modality.log_A + outcome * num_joint
        P.log_eps(modality.A + outcome * num_joint, num_joint, scratch)
        return scratch
    expand_row(modality, outcome, num_joint, logarithm, scratch)
    return scratch
