"""Memory of a belief graph: arrays that grow, and tables that find equal things in them.

A graph belongs to one thread's workspace and is filled anew at each step. How many
distinct beliefs a step meets is not known before, so its arrays grow; what they have grown to
is kept, so that after a few steps no step allocates. Tables are emptied by another stamp.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset


# One array of a graph; a step that needs more ends with an error instead of exhausting the
# machine.
cdef Py_ssize_t MAX_ARRAY_BYTES = <Py_ssize_t>1 << 28


def bound_memory(Py_ssize_t num_bytes):
    """Let one array of a belief graph take so many bytes at most; return what it was before."""
    global MAX_ARRAY_BYTES
    before, MAX_ARRAY_BYTES = MAX_ARRAY_BYTES, num_bytes
    return before


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


# Have room for so many bytes. Returns 0, or -1 if there is no memory or MAX_ARRAY_BYTES is passed.
cdef int reserve(GrowableArray* array, Py_ssize_t num_bytes) noexcept nogil:
    cdef Py_ssize_t larger
    cdef void* data
    if num_bytes <= array.num_bytes:
        return 0
    if num_bytes > MAX_ARRAY_BYTES:
        return -1
    larger = max(2 * array.num_bytes, num_bytes, 256)
    data = realloc(array.data, larger)
    if data == NULL:
        return -1
    array.data, array.num_bytes = data, larger
    return 0


cdef void clear_table(HashTable* table) noexcept nogil:
    table.used = 0
    table.stamp += 1
    if table.stamp == 0:  # after 2^32 steps
        if table.num_slots:
            memset(table.slots.data, 0, table.num_slots * sizeof(Slot))
        table.stamp = 1


# The slot where `hash` stands or would stand; walk on with next_slot.
cdef Slot* first_slot(HashTable* table, uint64_t hash) noexcept nogil:
    return <Slot*>table.slots.data + (hash & <uint64_t>(table.num_slots - 1))


cdef Slot* next_slot(HashTable* table, Slot* slot) noexcept nogil:
    slot += 1
    if slot == <Slot*>table.slots.data + table.num_slots:
        return <Slot*>table.slots.data
    return slot


# Have room for one more, before the slot is looked for. At most half of the slots are taken.
cdef int reserve_slot(HashTable* table) noexcept nogil:
    cdef GrowableArray before = table.slots
    cdef Py_ssize_t i, num_before = table.num_slots
    cdef Slot* old
    cdef Slot* slot
    if 2 * (table.used + 1) <= table.num_slots:
        return 0
    table.slots.data, table.slots.num_bytes = NULL, 0
    table.num_slots = max(2 * num_before, 64)
    if reserve(&table.slots, table.num_slots * <Py_ssize_t>sizeof(Slot)) != 0:
        table.slots, table.num_slots = before, num_before
        return -1
    memset(table.slots.data, 0, table.num_slots * sizeof(Slot))
    if table.stamp == 0:
        table.stamp = 1
    for i in range(num_before):
        old = <Slot*>before.data + i
        if old.stamp == table.stamp:
            slot = first_slot(table, old.hash)
            while slot.stamp == table.stamp:
                slot = next_slot(table, slot)
            slot[0] = old[0]
    free(before.data)
    return 0
