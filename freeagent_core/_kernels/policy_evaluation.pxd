from freeagent_core._kernels.packed_model cimport Model, Workspace


cdef struct EFEParameters:
    double gamma
    bint use_utility
    bint use_states_info_gain
    bint use_param_info_gain


cdef int evaluate_policies(const Model* model, const EFEParameters* parameters, const double* qs,
                           Workspace* work) noexcept nogil
