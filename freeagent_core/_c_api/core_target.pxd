from libc.stdint cimport int64_t

from freeagent_core._kernels.action.random_source cimport RandomSource
from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.agents.population_core cimport PopulationCore
from freeagent_core._kernels.base.state_lock cimport StateLock
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.shared_workspaces cimport SharedWorkspace, SharedWorkspaces
from freeagent_core.c_api cimport freeagent_sizes


cdef class ModelTarget:
    cdef object model              # GenerativeModel
    cdef PackedModel packed
    cdef SharedWorkspaces workspaces   # of agents made from it
    cdef freeagent_sizes sizes


cdef class CoreTarget:
    cdef PopulationCore core
    cdef StateLock lock
    cdef SharedWorkspaces workspaces   # None: the core's own
    cdef object population         # None where a Python object has the handle
    cdef object model
    cdef freeagent_sizes sizes
    # of one agent whose state has no part that a step moves: `AgentState` is filled once
    cdef bint is_at_hand
    cdef unsigned char has_action, has_policies    # the core's rows, beside what a step reads
    cdef Py_ssize_t time
    cdef const int64_t* num_obs    # (num_modalities,)
    cdef SharedWorkspace* memory   # that its last step took
    cdef Task task
    cdef AgentState state
    cdef RandomSource source
    cdef bint is_exclusive         # no Python object shows what it has learned
    cdef int prepared              # `Learning`s that need no GIL
    cdef const unsigned char* modalities_to_learn
    cdef const unsigned char* factors_to_learn
    cdef double lr_pA, lr_pB, lr_pD
    cdef bytes _modalities, _factors, _num_obs
    cdef int own(self, int operation) except -1
    cdef int put_at_hand(self) except -1
    cdef void keep_at_hand(self) noexcept nogil


cdef CoreTarget new_agent(ModelTarget source, object seed, int64_t index)
cdef CoreTarget target_of(object population, bint keeps)
