from freeagent_core._kernels.inference.fixed_point_iteration cimport FPIParameters
from freeagent_core._kernels.model.lane_model cimport LaneMemory, LaneModel


cdef void predict_in_lanes(const LaneModel* lanes, LaneMemory* memory, const Py_ssize_t** action,
                           const bint* has_action) noexcept nogil
cdef void infer_posterior_in_lanes(const LaneModel* lanes, LaneMemory* memory,
                                   const FPIParameters* parameters, const Py_ssize_t** outcomes,
                                   bint* failed) noexcept nogil
