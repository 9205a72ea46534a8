from freeagent_core._kernels.packed_model cimport Factor, Group, Modality, PackedModel, Workspace


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
    bint first_A                   # A is still as it was given
    bint first_B
    bint stale_A                   # `refresh` has work to do
    bint stale_B


cdef void learn_A(Learned* own, bint vectors, const double* qs, const unsigned char* to_learn,
                  double lr, Workspace* work) noexcept nogil
cdef void learn_B(Learned* own, const Py_ssize_t* action, const double* qs,
                  const double* qs_previous, const unsigned char* to_learn, double lr,
                  Workspace* work) noexcept nogil
cdef void learn_D(Learned* own, const double* qs, const unsigned char* to_learn,
                  double lr) noexcept nogil
cdef void refresh(Learned* own, Workspace* work) noexcept nogil


cdef class DirichletParameters:
    cdef list owners               # the arrays that are written to
    cdef list _views               # a view of each
    cdef readonly object container # the views as callers see them
    cdef bint action_first
    cdef double** values           # of the owners
    cdef bint _is_held(self) except -1
    cdef int detach(self) except -1


cdef class LearnedModel(PackedModel):
    cdef Learned own
    cdef readonly PackedModel shared
    cdef list _given               # pA, pB and pD as they were at first, or None
    cdef DirichletParameters _pA, _pB, _pD  # the present ones; None before the first update
    cdef object _A, _B, _D         # what callers were given last, None when stale
    cdef void* _block(self, Py_ssize_t num_bytes) except NULL
    cdef double* _copy(self, const double* values, Py_ssize_t size) except NULL
    cdef int _own_A(self) except -1
    cdef int _own_B(self) except -1
    cdef int _own_D(self) except -1
    cdef int prepare_A(self) except -1
    cdef int prepare_B(self) except -1
    cdef int prepare_D(self) except -1
