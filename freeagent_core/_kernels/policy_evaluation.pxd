from freeagent_core._kernels.packed_model cimport Group, Model, Workspace


cdef struct EFEParameters:
    double gamma
    bint use_utility
    bint use_states_info_gain
    bint use_param_info_gain


cdef int evaluate_policies(const Model* model, const EFEParameters* parameters, const double* qs,
                           Workspace* work) noexcept nogil
cdef int evaluate_sequences(const Model* model, const EFEParameters* parameters,
                            const double* qs, Py_ssize_t stride, Py_ssize_t num_steps,
                            const Py_ssize_t* order, const double* F, const double* average,
                            Workspace* work) noexcept nogil
cdef double inductive_value(const Model* model, const double* qs, const double* predicted,
                            Workspace* work) noexcept nogil
cdef double step_value(const Model* model, const Group* group, const double** parts,
                       Workspace* work) noexcept nogil
