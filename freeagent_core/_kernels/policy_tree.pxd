from freeagent_core._kernels.packed_model cimport Model, Workspace
from freeagent_core._kernels.step_values cimport EFEParameters


cdef int evaluate_tree(const Model* model, const EFEParameters* parameters, const double* qs,
                       Workspace* work) noexcept nogil
cdef int tree_posterior(const Model* model, const EFEParameters* parameters,
                        Workspace* work) noexcept nogil
