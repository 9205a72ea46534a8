from libc.math cimport fabs
from libc.stdint cimport int32_t

from freeagent_core._kernels.model.graph_memory cimport Graph
from freeagent_core._kernels.model.structs cimport Factor, Model
from freeagent_core._kernels.model.workspace cimport Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport EFEParameters


# What is below it is left out of a belief.
cdef double weight_threshold(const Model* model, const EFEParameters* parameters) noexcept nogil


# Whether a support is one state with weight 1, up to what was left out: |w - 1| < num_states *
# threshold + 1e-15. Cost: constant.
cdef inline bint is_point_mass(const Factor* f, const double* weight, Py_ssize_t count,
                               double weight_threshold) noexcept nogil:
    return count == 1 and fabs(weight[0] - 1.0) < f.num_states * weight_threshold + 1e-15


cdef int reset_graph(const Model* model, const EFEParameters* parameters, const double* qs,
                     Workspace* work) noexcept nogil
cdef int32_t next_belief(const Model* model, const EFEParameters* parameters, Py_ssize_t factor,
                         Py_ssize_t action, const int32_t* parents, double* neg_pB_gain,
                         Workspace* work) noexcept nogil
cdef double support_terms_of(const Model* model, const EFEParameters* parameters, Py_ssize_t g,
                             Py_ssize_t step, const int32_t* beliefs,
                             Workspace* work) noexcept nogil
cdef double group_terms_of(const Model* model, const EFEParameters* parameters, Py_ssize_t g,
                           Py_ssize_t step, const int32_t* beliefs, Workspace* work) noexcept nogil


# next(u, s) of a point mass at s, if that belief has a number and no information gain about pB is
# wanted, else -1. Most edges of a graph are such, so it is inlined. Cost: three lookups.
cdef inline int32_t cached_successor(const Graph* graph, const Factor* f, int32_t belief,
                                     Py_ssize_t action) noexcept nogil:
    cdef int32_t state
    if f.deterministic_next == NULL or f.wB != NULL:
        return -1
    state = (<int32_t*>graph.point_mass_state.data)[belief]
    if state < 0:
        return -1
    state = f.deterministic_next[action * f.num_states + state]
    return (<int32_t*>graph.point_mass_belief.data)[f.offset + state] if state >= 0 else -1
