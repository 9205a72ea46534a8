from freeagent_core._kernels.packed_model cimport Group, PackedModel, Scratch, Workspace
from libc.stdint cimport int32_t


cdef class DirichletParameters:
    cdef list owners                         # the arrays that are written to
    cdef list _views                         # a view of each
    cdef readonly object container           # the views as callers see them
    cdef bint action_first
    cdef double** values                     # of the owners
    cdef bint _is_held(self) except -1
    cdef int detach(self) except -1


cdef class LearnedModel(PackedModel):
    cdef readonly PackedModel shared
    cdef bint _has_A, _has_B, _has_D         # whether it has its own of these
    cdef bint _stale_A, _stale_B             # whether `refresh` has work to do
    cdef list _given                         # pA, pB and pD as they were at first, or None
    cdef DirichletParameters _pA             # (num_obs, num_joint) each
    cdef DirichletParameters _pB             # (num_controls, num_previous, num_states) each
    cdef DirichletParameters _pD             # (num_states,) each
    cdef unsigned char** _stale_columns      # (num_groups,): (num_joint,)
    cdef unsigned char** _stale_transitions  # (num_factors,): (num_controls, num_previous)
    cdef object _A, _B, _D                   # what callers were given last, None when stale
    cdef void* _block(self, Py_ssize_t num_bytes) except NULL
    cdef double* _copy(self, const double* values, Py_ssize_t size) except NULL
    cdef int _own_A(self) except -1
    cdef int _own_B(self) except -1
    cdef int _own_D(self) except -1
    cdef int learn_A(self, Scratch scratch, bint vectors, const double* qs, modalities,
                     double lr) except -1
    cdef int learn_B(self, Scratch scratch, const Py_ssize_t* action, const double* qs,
                     const double* qs_previous, factors, double lr) except -1
    cdef int learn_D(self, const double* qs, factors, double lr) except -1
    cdef const double* _joint(self, const double* qs, const int32_t* factors, Py_ssize_t count,
                              Workspace* work) noexcept nogil
    cdef void refresh(self, Scratch scratch) noexcept nogil
    cdef void _refresh_column(self, Group* group, Py_ssize_t s, Workspace* work) noexcept nogil
    cdef void _refresh_transitions(self, Py_ssize_t f) noexcept nogil
