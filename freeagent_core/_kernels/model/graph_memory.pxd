"""Memory of a belief graph: arrays that grow, and tables that find equal things in them."""

from libc.stdint cimport int32_t, uint32_t, uint64_t


cdef struct Array:                 # grows by doubling; never shrinks
    void* data
    Py_ssize_t num_bytes


cdef struct Table:                 # open addressing; numbers things by their hash
    Array slots                    # of Slot
    Py_ssize_t num_slots           # a power of two, or 0
    Py_ssize_t used
    uint32_t stamp                 # slots with another one are empty


cdef struct Slot:
    uint32_t stamp
    int32_t number
    uint64_t hash


cdef struct Graph:
    double least_weight            # what is below it is left out of a belief
    # beliefs of one factor, each once
    Py_ssize_t num_beliefs, most_beliefs
    Array belief_factor            # int32_t
    Array belief_start             # Py_ssize_t, into state and weight
    Array belief_count             # int32_t
    Array sure_state               # int32_t: the state that a belief is sure of, or -1
    Array inductive                # double: inductive cost
    Array child                    # int32_t (num_beliefs, most_controls), -1: not known yet
    Array novelty                  # double, same shape: information gain about pB
    Py_ssize_t num_entries, most_entries
    Array state                    # int32_t
    Array weight                   # double
    Table beliefs
    Array certain                  # int32_t (qs_size,): the belief that is sure of a state, or -1
    # values of groups, each combination of beliefs once
    Py_ssize_t num_group_values, most_group_values
    Array group_key                # int32_t (num_group_values, key_length)
    Array group_value              # double
    Table group_values
    # joint beliefs (all factors), each once, where policies are all sequences of actions
    Py_ssize_t num_nodes, most_nodes
    Array node_beliefs             # int32_t (num_nodes, num_factors)
    Array node_step                # int32_t: where the utility depends on it
    Array node_value               # double
    Py_ssize_t most_expanded
    Array node_child               # int32_t (nodes but the last step's, num_actions)
    Array edge_value               # double, same shape: novelty; only if has_edges
    Table nodes
    Array belief_node              # int32_t (num_beliefs,), of one factor, or -1
    Array num_within               # Py_ssize_t (num_steps + 1,): nodes after so many actions
                                   # or fewer; they stand in that order
    bint has_edges
    Array future                   # double (2, num_nodes): log of the summed weight of what follows
    Array listed                   # int32_t (num_policies,): while policies are listed
    Array listed_G                 # double (num_policies,): with too many policies for Workspace
    Array listed_q_pi


cdef Graph* new_graph() noexcept nogil
cdef void free_graph(Graph* graph) noexcept nogil
cdef int reserve(Array* array, Py_ssize_t num_bytes) noexcept nogil
cdef int reserve_slot(Table* table) noexcept nogil
cdef void clear_table(Table* table) noexcept nogil
cdef Slot* first_slot(Table* table, uint64_t hash) noexcept nogil
cdef Slot* next_slot(Table* table, Slot* slot) noexcept nogil
