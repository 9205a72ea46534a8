from freeagent_core._kernels.agents.agent_history cimport Histories
from freeagent_core._kernels.agents.agent_state cimport AgentState
from freeagent_core._kernels.agents.message_passing_window cimport Window
from freeagent_core._kernels.agents.parameters cimport Parameters


cdef class NextPrior:
    cdef object edge_handling_params
    cdef bint averages             # over policies ...
    cdef object weights            # ... by these, or by q_pi if None
    cdef int read_edges(self, Parameters parameters) except -1
    cdef int prepare(self, AgentState* state, Window window, Histories histories,
                     Py_ssize_t time) except -1
    cdef int weigh(self, object past, Py_ssize_t n, Py_ssize_t step) except -1
    cdef void keep(self, AgentState* state, Window window, const double* q_pi) noexcept
