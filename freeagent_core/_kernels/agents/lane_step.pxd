from freeagent_core._kernels.agents.agent_state cimport Task
from freeagent_core._kernels.agents.parameters cimport StepParameters
from freeagent_core._kernels.model.lane_model cimport LaneMemory, LaneModel


# Whether agents with these parameters may be stepped in lanes.
cdef bint fit_lanes(const StepParameters* parameters) noexcept nogil
cdef int infer_in_lanes(const LaneModel* lanes, Task* tasks, Py_ssize_t count, int operations,
                        LaneMemory* memory) noexcept nogil
cdef void keep_lanes(const LaneModel* lanes, Task* tasks, Py_ssize_t count, int operations,
                     LaneMemory* memory) noexcept nogil
cdef void prepare_choices(const LaneModel* lanes, Task** task, Py_ssize_t count, int operations,
                          LaneMemory* memory) noexcept nogil
