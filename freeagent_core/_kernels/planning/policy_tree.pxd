from freeagent_core._kernels.model.structs cimport Factor, Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef int evaluate_tree(const Model* model, const EFEParameters* parameters, const double* qs,
                       Workspace* work) noexcept nogil
cdef void evaluate_trees(const Model* model, const EFEParameters* parameters, const double** qs,
                         Workspace** works, Py_ssize_t num_agents, int* status) noexcept nogil
cdef int tree_posterior(const Model* model, const EFEParameters* parameters,
                        Workspace* work) noexcept nogil
cdef int policy_posterior(const Model* model, double gamma, const double* G,
                          double* q_pi) noexcept nogil
cdef double neg_pB_gain_of(const Model* model, const Factor* f, Py_ssize_t action,
                           const double** previous, const double* belief,
                           Workspace* work) noexcept nogil
