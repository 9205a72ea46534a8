from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef int evaluate_graph(const Model* model, const EFEParameters* parameters, const double* qs,
                        Workspace* work) noexcept nogil
cdef int enumerate_policies(const Model* model, const EFEParameters* parameters,
                            Workspace* work) noexcept nogil
