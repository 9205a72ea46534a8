from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef int evaluate_policies(const Model* model, const EFEParameters* parameters, const double* qs,
                           Workspace* work) noexcept nogil
cdef int evaluate_sequences(const Model* model, const EFEParameters* parameters,
                            const double* qs, Py_ssize_t stride, Py_ssize_t num_steps,
                            const Py_ssize_t* order, const double* F, const double* average,
                            Workspace* work) noexcept nogil
