from libc.stdint cimport int64_t

from freeagent_core._kernels.agents.helper_threads cimport Offer
from freeagent_core._kernels.model.workspace cimport Workspace


cpdef Py_ssize_t chunk_size(Py_ssize_t num_items, Py_ssize_t num_threads, double item_ns) noexcept


cdef class ThreadMemory:
    cdef list _models, _workspaces
    cdef Workspace** works         # one per model, in the order given


cdef class ParallelWork:
    cdef Py_ssize_t _next, _size, _chunk
    cdef Py_ssize_t _reached       # items executed when Ctrl-C came ...
    cdef Py_ssize_t _unfinished    # ... but for some that it interrupted
    cdef Offer* _offer             # of it to helpers, while `finish` may be needed
    cdef Py_ssize_t _busy_ns       # of all threads at work
    cdef int64_t _deadline         # on the monotonic clock in ns; 0: none
    cdef bint _considerate         # give the processor away between chunks
    cdef list _models, _memories
    cdef Py_ssize_t _num_slots
    cdef Workspace*** _works       # (num_slots, number of models)
    cdef int provide(self, Py_ssize_t num_slots, list models) except -1
    cpdef offer(self, Py_ssize_t count)
    cpdef finish(self)
    cdef void arm(self, Py_ssize_t size, Py_ssize_t chunk, int64_t deadline) noexcept
    cdef bint _work_until_interrupted(self) except -1
    cdef bint _work(self, Py_ssize_t slot) noexcept nogil
    cdef Py_ssize_t run_until_interrupted(self, Py_ssize_t start, Py_ssize_t stop,
                                          Workspace** works) noexcept nogil
    cdef void _run(self, Py_ssize_t start, Py_ssize_t stop, Workspace** works) noexcept nogil
    cdef void _run_interrupted(self, Workspace** works) noexcept nogil
    cdef void note_interrupted(self) noexcept nogil
