from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.learning.learned_model cimport LearnedModel


cpdef begin_learning(AgentCore core, LearnedModel learned)
cpdef update_A(AgentCore core, observation, bytes to_learn, lr)
cpdef update_B(AgentCore core, qs_previous, bytes to_learn, lr)
cpdef update_D(AgentCore core, qs_first, bytes to_learn, lr)
