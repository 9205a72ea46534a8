from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.base.state_lock cimport StateLock
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cdef class HeldPolicies:
    # Callers write into these, so they are read again before each use. None where the agent's
    # state is all there is.
    cdef object q_pi, G

    cdef int enumerate(self, PackedModel packed, AgentState* agent, StateLock lock) except -1
    cdef const double* load(self, AgentState* agent, OwnedWorkspace workspace) except? NULL


cdef bint can_enumerate(const AgentState* agent) noexcept
cdef tuple enumerated_policies(PackedModel packed, AgentState* agent)
cdef const double* read_q_pi(AgentState* agent, OwnedWorkspace workspace,
                             object value) except NULL
cdef object new_q_pi(Task* task)
cdef object new_G(Task* task)
