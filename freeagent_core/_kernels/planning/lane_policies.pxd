from freeagent_core._kernels.model.lane_model cimport LaneMemory, LaneModel
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


cdef void evaluate_in_lanes(const LaneModel* lanes, LaneMemory* memory,
                            const EFEParameters* parameters) noexcept nogil
cdef void add_group_value(const LaneModel* lanes, LaneMemory* memory,
                          const EFEParameters* parameters, Py_ssize_t index, Py_ssize_t step,
                          const double** parts, double* value) noexcept nogil
