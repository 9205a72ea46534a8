from freeagent_core._kernels.agents.agent_state cimport AgentState, Task
from freeagent_core._kernels.agents.parameters cimport StepParameters
from freeagent_core._kernels.inference.lane_message_passing cimport LaneWindow
from freeagent_core._kernels.model.lane_model cimport LaneMemory
from freeagent_core._kernels.model.message_lanes cimport MessageLanes


# Whether agents with these parameters may pass messages in lanes; and whether one may at this step.
cdef bint fit_window_lanes(const StepParameters* parameters) noexcept nogil
cdef bint fits_window_lanes(const Task* task) noexcept nogil
cdef int infer_windows_in_lanes(const MessageLanes* m, Task* tasks, Py_ssize_t count,
                                int operations, LaneWindow* window,
                                LaneMemory* memory) noexcept nogil
cdef void keep_window_lanes(const MessageLanes* m, Task* tasks, Py_ssize_t count, int operations,
                            const LaneWindow* window, LaneMemory* memory) noexcept nogil
