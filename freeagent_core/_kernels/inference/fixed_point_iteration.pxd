from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport Workspace


cdef struct FPIParameters:        # pymdp's inference_params of the VANILLA algorithm
    int num_iter
    double dF
    double dF_tol
    bint compute_vfe


# Below this sum the factors of a product may have lost digits to underflow.
cdef double MIN_PRODUCT


cdef void predict(const Model* model, Py_ssize_t factor, Py_ssize_t action,
                  const double** previous, Workspace* work, double* out) noexcept nogil
cdef void predict_all(const Model* model, const double* qs, const Py_ssize_t* action,
                      Workspace* work, double* out) noexcept nogil
cdef int infer_posterior(const Model* model, const FPIParameters* parameters,
                         const Py_ssize_t* observation, bint vectors, bint joint_likelihood,
                         Workspace* work) noexcept nogil
cdef double calc_free_energy(const Model* model, const Py_ssize_t* observation, bint vectors,
                             bint joint_likelihood, const double* prior, const double* qs,
                             Workspace* work) noexcept nogil
