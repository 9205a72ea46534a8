from freeagent_core._kernels.model.structs cimport Factor, Group, Modality
from freeagent_core._kernels.model.workspace cimport Workspace


cdef struct Learned:               # one agent's own arrays, as the kernels write them
    Py_ssize_t num_factors
    Py_ssize_t num_groups
    Factor* factors
    Modality* modalities
    Group* groups
    double* D                      # (qs_size,)
    double** pA                    # (num_modalities,): (num_obs, num_joint); NULL before the first
    double** pB                    # (num_factors,): (num_controls, num_previous, num_states)
    double** pD                    # (num_factors,): (num_states,)
    unsigned char** stale_columns      # (num_groups,): (num_joint,)
    unsigned char** stale_transitions  # (num_factors,): (num_controls, num_previous)
    bint first_A                   # A is still that of the shared model
    bint first_B
    bint stale_A                   # `refresh` has work to do
    bint stale_B


cdef void add_outcomes(const double* observation, Py_ssize_t outcome, Py_ssize_t num_obs,
                       Py_ssize_t num_joint, const double* q, const double* mask, double lr,
                       double* pA) noexcept nogil
cdef void add_transitions(const double* q_previous, Py_ssize_t num_previous, const double* q,
                          Py_ssize_t num_states, const double* mask, Py_ssize_t stride, double lr,
                          double* pB) noexcept nogil
cdef void learn_A(Learned* own, bint vectors, const double* qs, const unsigned char* to_learn,
                  double lr, Workspace* work) noexcept nogil
cdef void learn_B(Learned* own, const Py_ssize_t* action, const double* qs,
                  const double* qs_previous, const unsigned char* to_learn, double lr,
                  Workspace* work) noexcept nogil
cdef void learn_D(Learned* own, const double* qs, const unsigned char* to_learn,
                  double lr) noexcept nogil
cdef void refresh(Learned* own, Workspace* work) noexcept nogil
