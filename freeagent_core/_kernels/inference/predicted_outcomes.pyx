"""The outcomes that a belief leads to expect."""

from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.model.structs cimport Modality


# out_m[o] = sum_s A_m[o, s] q(s) for the modalities m of one group, from the joint belief q of its
# factors; `out` has the outcomes of all modalities one after the other.
# pymdp.legacy.control.get_expected_obs_factorized. Cost: num_obs * num_joint per modality.
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
        P.gemv(modality.A, joint, modality.num_obs, group.num_joint, q)
