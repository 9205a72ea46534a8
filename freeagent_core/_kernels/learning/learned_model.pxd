from libc.stdint cimport uint64_t

from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.learning.own_arrays cimport Learned


cdef class DirichletParameters:
    cdef double** values           # where each array is: the agent's own.pA, pB or pD
    cdef Py_ssize_t* _sizes        # entries of each
    cdef list shapes
    cdef bint action_first
    cdef list owners               # the arrays that are written to; None before any is shown
    cdef list _views               # a view of each
    cdef object container          # the views as callers see them
    cdef uint64_t _shown           # fingerprint of what callers were shown last; 0: nothing
    cdef int own_arrays(self) except -1
    cdef int _adopt_arrays(self, list owners) except -1
    cdef uint64_t _fingerprint(self) noexcept
    cdef object show(self)
    cdef bint is_written(self) except -1
    cdef bint _is_held(self) except -1
    cdef int detach(self) except -1


cdef class FirstParameters:
    cdef tuple _given              # pA, pB and pD as they were at first, or None
    cdef list _arrays              # those as the kernels have them; None before they are needed
    cdef list _pointers
    cdef const double** values(self, PackedModel shared, Py_ssize_t which) except NULL
    cdef list shapes(self, Py_ssize_t which)


cdef class LearnedModel(PackedModel):
    cdef Learned own
    cdef readonly PackedModel shared
    cdef FirstParameters _first
    cdef DirichletParameters _pA, _pB, _pD  # the present ones; None before the first update
    cdef object _A, _B, _D         # what callers were given last, None when stale
    cdef bint is_written(self) except -1
    cdef int prepare_A(self) except -1
    cdef int prepare_B(self) except -1
    cdef int prepare_D(self) except -1
    cdef DirichletParameters _own(self, Py_ssize_t which)
    cdef int show_A(self) except -1
    cdef int show_B(self) except -1
    cdef int show_D(self) except -1


cdef int own_parameters(Learned* own, FirstParameters first, PackedModel shared,
                        Py_ssize_t which) except -1
cdef object learned_arrays(Learned* own, str name, list shapes)
