from freeagent_core._kernels.packed_model cimport Model, Workspace
from freeagent_core._kernels.step_values cimport EFEParameters


cdef bint follow_states(const Model* model, const EFEParameters* parameters, const double* qs,
                        Workspace* work) noexcept nogil
