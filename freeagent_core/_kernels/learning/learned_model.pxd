from libc.stdint cimport uint64_t

from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.structs cimport Group
from freeagent_core._kernels.learning.dirichlet_updates cimport Learned


cdef class DirichletParameters:
    cdef list owners               # the arrays that are written to
    cdef list _views               # a view of each
    cdef object container          # the views as callers see them
    cdef uint64_t _shown           # fingerprint of what callers were shown last; 0: nothing
    cdef bint action_first
    cdef double** values           # of the owners
    cdef Py_ssize_t* _sizes        # entries of each
    cdef uint64_t _fingerprint(self) noexcept
    cdef object show(self)
    cdef bint is_written(self) except -1
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
    cdef int _own_outcomes(self, Group* group) except -1
    cdef int _own_B(self) except -1
    cdef int _own_D(self) except -1
    cdef bint is_written(self) except -1
    cdef int _require_given(self, str name) except -1
    cdef int prepare_A(self) except -1
    cdef int prepare_B(self) except -1
    cdef int prepare_D(self) except -1
