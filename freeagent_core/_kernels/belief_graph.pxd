from libc.stdint cimport int32_t, uint64_t

from freeagent_core._kernels.graph_memory cimport Graph
from freeagent_core._kernels.packed_model cimport Model, Workspace
from freeagent_core._kernels.step_values cimport EFEParameters


cdef int begin_graph(const Model* model, const EFEParameters* parameters, const double* qs,
                     Workspace* work) noexcept nogil
cdef int32_t next_belief(const Model* model, const EFEParameters* parameters, Py_ssize_t factor,
                         Py_ssize_t action, const int32_t* parents, double* novelty,
                         Workspace* work) noexcept nogil
cdef double support_value_of(const Model* model, const EFEParameters* parameters, Py_ssize_t g,
                             Py_ssize_t step, const int32_t* beliefs,
                             Workspace* work) noexcept nogil
cdef double group_value_of(const Model* model, const EFEParameters* parameters, Py_ssize_t g,
                           Py_ssize_t step, const int32_t* beliefs, Workspace* work) noexcept nogil


cdef inline uint64_t mixed(uint64_t hash, uint64_t value) noexcept nogil:
    hash = (hash ^ value) * <uint64_t>0x9E3779B97F4A7C15
    return hash ^ (hash >> 32)
