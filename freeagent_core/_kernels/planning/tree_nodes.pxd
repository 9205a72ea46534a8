from libc.stdint cimport int32_t, uint64_t

from freeagent_core._kernels.base.growable_array cimport GrowableArray
from freeagent_core._kernels.base.hash_table cimport HashTable


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
    int32_t* twin                  # (capacity,): an earlier node, expanded alike; or -1
    Py_ssize_t* first_child        # (capacity,): into children; -1 without
    Py_ssize_t* num_children       # (capacity,): entries, -1 among them
    int32_t* children
    double* child_probs
    Py_ssize_t num_entries, entry_capacity


# What stands below a node: nodes and entries that follow each other.
ctypedef struct Part:
    Py_ssize_t node, first, stop, first_entry, stop_entry
    Py_ssize_t counted             # nodes that the search has counted


# Parts of one level by the belief of their node.
ctypedef struct Parts:
    HashTable by_belief
    GrowableArray parts            # of Part


cdef void free_tree(Tree* tree) noexcept nogil
cdef Py_ssize_t add_node(Tree* tree, int32_t horizon) noexcept nogil
cdef bint add_children(Tree* tree, Py_ssize_t node, Py_ssize_t count) noexcept nogil
cdef bint grown(void** array, Py_ssize_t size) noexcept nogil
cdef const Part* find_part(Parts* parts, const Tree* tree, Py_ssize_t node,
                           uint64_t* hash) noexcept nogil
cdef void keep_part(Parts* parts, const Part* part, uint64_t hash) noexcept nogil
cdef bint copy_part(Tree* tree, const Part* part, Py_ssize_t node) noexcept nogil
cdef void forget_parts(Parts* parts) noexcept nogil
cdef void free_parts(Parts* parts) noexcept nogil
