from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.inference.fixed_point_iteration cimport FPIParameters
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef struct SIParameters:          # pymdp's si_* arguments
    Py_ssize_t horizon
    double policy_prune_threshold
    double state_prune_threshold
    double prune_penalty
    double gamma


cdef Py_ssize_t search_size(const Model* model, Py_ssize_t horizon) except -1
cdef int sophisticated_search(const Model* model, const FPIParameters* fpi,
                              const SIParameters* parameters, const double* qs,
                              double* memory, Workspace* work) noexcept nogil
