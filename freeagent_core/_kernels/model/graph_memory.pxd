from freeagent_core._kernels.base.growable_array cimport GrowableArray
from freeagent_core._kernels.base.hash_table cimport HashTable


cdef struct Graph:
    double weight_threshold        # weights at or below it are left out
    # hash-consed beliefs of one factor each
    Py_ssize_t num_beliefs, belief_capacity
    GrowableArray belief_factor    # int32_t
    GrowableArray belief_start     # Py_ssize_t, into state and weight
    GrowableArray belief_count     # int32_t
    GrowableArray point_mass_state   # int32_t: the state of a point mass, or -1
    GrowableArray inductive        # double: inductive cost
    GrowableArray child            # int32_t (num_beliefs, max_controls), -1: unknown yet
    GrowableArray neg_pB_gain      # double, same shape: minus the information gain about pB
    Py_ssize_t num_entries, entry_capacity
    GrowableArray state            # int32_t
    GrowableArray weight           # double
    HashTable beliefs
    GrowableArray point_mass_belief  # int32_t (qs_size,): the point mass at a state, or -1
    # terms of G of groups, memoised by combination of beliefs
    Py_ssize_t num_group_values, group_value_capacity
    GrowableArray group_key        # int32_t (num_group_values, key_length)
    GrowableArray group_value      # double
    HashTable group_values
    # transposition table: joint beliefs (all factors), where policies are all action sequences
    Py_ssize_t num_nodes, node_capacity
    GrowableArray node_beliefs     # int32_t (num_nodes, num_factors)
    GrowableArray node_step        # int32_t: where the utility depends on it
    GrowableArray node_value       # double
    Py_ssize_t expanded_capacity
    GrowableArray node_child       # int32_t (nodes but the last step's, num_actions)
    GrowableArray edge_value       # double, same shape: information gain about pB; if has_edges
    HashTable nodes
    GrowableArray belief_node      # int32_t (num_beliefs,), of one factor, or -1
    GrowableArray num_within       # Py_ssize_t (num_steps + 1,): nodes after so many actions
                                   # or fewer; they stand in that order
    bint has_edges
    GrowableArray soft_value       # double (2, num_nodes): log-partition of what follows a node
    GrowableArray path_node        # int32_t (num_policies,): the node each has reached
    GrowableArray enumerated_G     # double (num_policies,): if too many for Workspace
    GrowableArray enumerated_q_pi


cdef Graph* new_graph() noexcept nogil
cdef void free_graph(Graph* graph) noexcept nogil
