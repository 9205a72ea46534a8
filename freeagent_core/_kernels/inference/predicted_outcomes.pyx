"""The outcomes that a belief leads to expect."""

from freeagent_core._kernels.model.structs cimport Modality
from freeagent_core._kernels.inference.likelihood_rows cimport expected_outcomes


# out_m[o] = sum_s A_m[o, s] q(s) for the modalities m of one group, from the joint belief q of its
# factors; `out` has the outcomes of all modalities one after the other.
# pymdp.legacy.control.get_expected_obs_factorized. Cost: that of expected_outcomes per modality.
cdef void predict_outcomes(const Model* model, const Group* group, const double* joint,
                           double* out) noexcept nogil:
    cdef const Modality* modality
    cdef Py_ssize_t k, m
    cdef double* q
    for k in range(group.num_modalities):
        modality = &model.modalities[group.modalities[k]]
        q = out
        for m in range(group.modalities[k]):
            q += model.modalities[m].num_obs
        expected_outcomes(modality, joint, group.num_joint, q)
