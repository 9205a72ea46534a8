from cpython.ref cimport PyObject
from libc.stdint cimport int64_t

from freeagent_core._kernels.agents.agent_state cimport Task
from freeagent_core._kernels.agents.parallel_work cimport ParallelWork
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef struct Item:                  # one agent's part of a batch
    Task task
    Py_ssize_t model               # of the batch's models
    Py_ssize_t* outcomes           # (num_modalities,)
    double* distributions          # (num_obs_total,)
    double* choice                 # what is drawn from: (num_controls_total,), or (num_policies,)
    Py_ssize_t choice_size
    void* former                   # the agent's block before results were kept ...
    Py_ssize_t former_size         # ... in bytes,
    bint had_policies              # ... and what goes with it
    EFEParameters former_efe
    int64_t duration_ns
    int status                     # of the task, or of the batch


cdef class StepBatch(ParallelWork):
    cdef list _cores               # None between `results` and `load`
    cdef PyObject** _order         # the same as they are locked, of which so many are
    cdef Py_ssize_t _num_locked
    cdef list _chosen              # the action of each, with its numbers when it is drawn
    cdef list _actions             # what `results` returns ...
    cdef list _durations
    cdef Item* _items
    cdef void* _memory_block
    cdef readonly list errors      # an exception or None per agent
    cdef readonly object interruption
    cdef int _lock_all(self, list cores, bint considerate) except -1
    cdef void _unlock_all(self) noexcept
    cdef list _frame_at(self, list cores)
    cdef int _read(self, Py_ssize_t i, core, observation) except -1
    cdef bint _draw(self, Py_ssize_t i) except -1
    cdef int _take_back(self, Py_ssize_t i) except -1
    cdef int _load(self, Py_ssize_t i) except -1
