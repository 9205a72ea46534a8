from libc.stdint cimport int64_t

from freeagent_core._kernels.agents.agent_step cimport AgentState
from freeagent_core._kernels.agents.parallel_work cimport ParallelWork


cdef struct Item:                  # one agent's part of a batch
    AgentState* agent
    Py_ssize_t model               # of the batch's models
    bint vectors
    bint has_action
    Py_ssize_t* observation        # (num_modalities,)
    double* distributions          # (num_obs_total,)
    Py_ssize_t* action             # (num_factors,)
    double* choice                 # what is drawn from: (num_controls_total,), or (num_policies,)
    int64_t duration_ns
    int status


cdef class StepBatch(ParallelWork):
    cdef list _cores
    cdef Item* _items
    cdef void* _memory_block
    cdef readonly list errors      # an exception or None per agent
    cdef int _lock_all(self, list cores, bint considerate) except -1
    cdef list _frame_at(self)
    cdef int _read(self, Py_ssize_t i, observation) except -1
