from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef bint rollout_with_tail(const Model* model, const EFEParameters* parameters, const double* qs,
                            Workspace* work) noexcept nogil
cdef bint rollout_states(const Model* model, const EFEParameters* parameters, const double* qs,
                         Workspace* work) noexcept nogil
