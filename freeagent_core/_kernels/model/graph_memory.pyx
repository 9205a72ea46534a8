"""Memory of a belief graph.

A graph belongs to one thread's workspace and is rebuilt at each step. How many distinct beliefs
a step meets is not known in advance, so its arrays grow; they keep their size, so that after a
few steps no step allocates.
"""

from libc.stdlib cimport calloc, free


cdef Graph* new_graph() noexcept nogil:
    return <Graph*>calloc(1, sizeof(Graph))


cdef void free_graph(Graph* graph) noexcept nogil:
    if graph == NULL:
        return
    free(graph.belief_factor.data)
    free(graph.belief_start.data)
    free(graph.belief_count.data)
    free(graph.point_mass_state.data)
    free(graph.inductive.data)
    free(graph.child.data)
    free(graph.neg_pB_gain.data)
    free(graph.state.data)
    free(graph.weight.data)
    free(graph.beliefs.slots.data)
    free(graph.point_mass_belief.data)
    free(graph.group_key.data)
    free(graph.group_value.data)
    free(graph.group_values.slots.data)
    free(graph.node_beliefs.data)
    free(graph.node_value.data)
    free(graph.node_child.data)
    free(graph.edge_value.data)
    free(graph.nodes.slots.data)
    free(graph.node_step.data)
    free(graph.belief_node.data)
    free(graph.num_within.data)
    free(graph.soft_value.data)
    free(graph.path_node.data)
    free(graph.enumerated_G.data)
    free(graph.enumerated_q_pi.data)
    free(graph)
