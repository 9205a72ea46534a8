from freeagent_core._kernels.action.random_source cimport RandomSource
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


# Probabilities that differ by this share at most are equal but for rounding.
cdef double TIE_RATIO
cdef Py_ssize_t MAX_PAIRWISE       # entries that are compared pair by pair


cdef void action_marginals(const Model* model, const double* q_pi, Workspace* work) noexcept nogil
cdef void sharpen(const double* p, Py_ssize_t n, double alpha, double* out) noexcept nogil
cdef Py_ssize_t choose_best(const double* p, Py_ssize_t n, double tolerance, bint first_of_ties,
                            RandomSource* source) noexcept nogil
