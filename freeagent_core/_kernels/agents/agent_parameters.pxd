from freeagent_core._kernels.agents.agent_step cimport AgentState


cdef class AgentParameters:
    cdef AgentState state


# The number `value`, or an error that has its name.
cdef double finite_number(object value, str name) except? -1.0
