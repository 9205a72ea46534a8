from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef void action_marginals(const Model* model, const double* q_pi, Workspace* work) noexcept nogil
cdef void sharpen(const double* p, Py_ssize_t n, double alpha, double* out) noexcept nogil
cdef Py_ssize_t count_best(const double* p, Py_ssize_t n, double tolerance,
                           Py_ssize_t* first) noexcept nogil
cdef Py_ssize_t nth_best(const double* p, Py_ssize_t n, double tolerance,
                         Py_ssize_t rank) noexcept nogil
