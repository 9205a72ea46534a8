from freeagent_core._kernels.learning.own_arrays cimport Learned
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef void add_outcomes(const double* observation, Py_ssize_t outcome, Py_ssize_t num_obs,
                       Py_ssize_t num_joint, const double* q, const double* mask, double lr,
                       double* pA, unsigned char* columns) noexcept nogil
cdef void learn_A(Learned* own, const Model* shape, bint vectors, const double* qs,
                  const unsigned char* to_learn, double lr, Workspace* work) noexcept nogil
cdef void learn_B(Learned* own, const Model* shape, const Py_ssize_t* action, const double* qs,
                  const double* qs_previous, const unsigned char* to_learn, double lr,
                  Workspace* work) noexcept nogil
cdef void learn_D(Learned* own, const double* qs, const unsigned char* to_learn,
                  double lr) noexcept nogil
cdef void derive_A(Learned* own) noexcept nogil
cdef void derive_B(Learned* own) noexcept nogil
cdef void refresh(Learned* own, const Model* shape) noexcept nogil
cdef int refresh_weights(Learned* own) noexcept nogil
cdef int refresh_planning(Learned* own, bint weights, Workspace* work) noexcept nogil
