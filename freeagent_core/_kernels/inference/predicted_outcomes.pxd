from freeagent_core._kernels.model.structs cimport Group, Model


cdef void predict_outcomes(const Model* model, const Group* group, const double* joint,
                           double* out) noexcept nogil
