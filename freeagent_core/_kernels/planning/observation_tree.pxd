from libc.stdint cimport int32_t

from freeagent_core._kernels.model.batched_model cimport BatchedTables
from freeagent_core._kernels.planning.shared_prefixes cimport SharedPolicies


ctypedef struct TreeSettings:
    Py_ssize_t horizon, max_nodes, max_branching, topk, num_iter
    double policy_prune_threshold, observation_prune_threshold, entropy_stop_threshold
    double neg_efe_stop_threshold, kl_threshold, prune_penalty, gamma


# Nodes of beliefs after an observation, whose children are policies' nodes, whose children are
# observations' nodes. Arrays grow; nodes are never more than max_nodes - 1.
ctypedef struct Tree:
    Py_ssize_t size, capacity, num_states_total, num_factors, num_modalities
    double* qs                     # (capacity, num_states_total)
    double* neg_efe                # (capacity,)
    int32_t* policy                # (capacity, num_factors), -1 at observations' nodes
    int32_t* observation           # (capacity, num_modalities), -1 at policies' nodes
    int32_t* horizon               # (capacity,)
    unsigned char* used            # (capacity,)
    Py_ssize_t* first_child        # (capacity,): into children; -1 without
    Py_ssize_t* num_children       # (capacity,): entries, -1 among them
    int32_t* children
    double* child_probs
    Py_ssize_t num_entries, entry_capacity


cdef void free_tree(Tree* tree) noexcept nogil
cdef Py_ssize_t add_node(Tree* tree, int32_t horizon) noexcept nogil
cdef bint add_children(Tree* tree, Py_ssize_t node, Py_ssize_t count) noexcept nogil
cdef int search_tree(const BatchedTables* t, const SharedPolicies* p, const TreeSettings* settings,
                     Py_ssize_t agent, Tree* tree, double* q_pi) noexcept nogil
