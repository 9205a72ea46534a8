from freeagent_core._kernels.packed_model cimport Model, Workspace
from freeagent_core._kernels.step_values cimport EFEParameters


cdef int evaluate_merged(const Model* model, const EFEParameters* parameters, const double* qs,
                         Workspace* work) noexcept nogil
cdef int list_policies(const Model* model, const EFEParameters* parameters,
                       Workspace* work) noexcept nogil
