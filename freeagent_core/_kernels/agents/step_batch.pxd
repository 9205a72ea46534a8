from libc.stdint cimport int64_t

from freeagent_core._kernels.agents.agent_state cimport Task
from freeagent_core._kernels.agents.parallel_work cimport ParallelWork


cdef struct Item:                  # one agent's part of a batch
    Task task
    Py_ssize_t model               # of the batch's models
    Py_ssize_t* outcomes           # (num_modalities,)
    double* distributions          # (num_obs_total,)
    double* choice                 # what is drawn from: (num_controls_total,), or (num_policies,)
    Py_ssize_t choice_size
    int64_t duration_ns
    int status                     # of the task, or of the batch


cdef class StepBatch(ParallelWork):
    cdef list _cores               # locked
    cdef list _observations
    cdef Item* _items
    cdef void* _memory_block
    cdef readonly list errors      # an exception or None per agent
    cdef int _lock_all(self, list cores, bint considerate) except -1
    cdef list _frame_at(self, list cores)
    cdef int _read(self, Py_ssize_t i, core, observation) except -1
    cdef object _draw(self, Py_ssize_t i)
    cdef int _load(self, Py_ssize_t i) except -1
