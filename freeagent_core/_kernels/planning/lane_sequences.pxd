from freeagent_core._kernels.inference.lane_message_passing cimport LaneWindow
from freeagent_core._kernels.model.lane_model cimport LaneMemory
from freeagent_core._kernels.model.message_lanes cimport MessageLanes
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef void evaluate_sequences_in_lanes(const MessageLanes* m, const LaneWindow* window,
                                      const EFEParameters* parameters, Py_ssize_t num_steps,
                                      LaneMemory* memory) noexcept nogil
