from freeagent_core._kernels.model_structs cimport Model
from freeagent_core._kernels.step_values cimport EFEParameters
from freeagent_core._kernels.workspace cimport Workspace


cdef int evaluate_merged(const Model* model, const EFEParameters* parameters, const double* qs,
                         Workspace* work) noexcept nogil
cdef int list_policies(const Model* model, const EFEParameters* parameters,
                       Workspace* work) noexcept nogil
