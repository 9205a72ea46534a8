from freeagent_core._kernels.agents.agent_core cimport AgentCore


# The core of an `Agent`, with all that callers wrote into its arrays taken over.
cdef AgentCore synchronised_core(agent)

# Whether `step` may be one call: no subclass or assignment replaces one of its parts.
cdef bint steps_whole(agent, AgentCore core) except -1

# Whether its step may be part of a `StepBatch`.
cdef bint steps_natively(agent) except -1
