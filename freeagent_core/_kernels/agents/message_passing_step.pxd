from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.inference.message_passing cimport MMPWindow
from freeagent_core._kernels.model.workspace cimport Workspace


cdef int lay_out_window(Task* task, MMPWindow* window) noexcept nogil
cdef int infer_window(Task* task) noexcept nogil
cdef int infer_window_traced(Task* task, MMPWindow* window, double* xn,
                             double* vn) noexcept nogil
cdef int evaluate_window(Task* task, bint inferred) noexcept nogil
# Steps of the sequences inferred just now, or of the agent's. Cost: constant.
cdef Py_ssize_t inferred_len(Task* task, bint inferred) noexcept nogil
cdef void keep_window(Task* task, int operations) noexcept nogil
cdef void keep_latest_belief(AgentState* agent, const double* q_pi, bint average) noexcept nogil
