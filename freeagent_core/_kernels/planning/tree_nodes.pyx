"""Nodes of a search tree: their memory, and copies of what stands below nodes of equal beliefs."""

from libc.float cimport DBL_EPSILON
from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.growable_array cimport reserve
from freeagent_core._kernels.base.hash_table cimport (
    clear_table, first_slot, mix_hash, next_slot, reserve_slot, Slot)


cdef void free_tree(Tree* tree) noexcept nogil:
    free(tree.qs)
    free(tree.neg_efe)
    free(tree.policy)
    free(tree.observation)
    free(tree.horizon)
    free(tree.used)
    free(tree.twin)
    free(tree.first_child)
    free(tree.num_children)
    free(tree.children)
    free(tree.child_probs)
    memset(tree, 0, sizeof(Tree))


cdef bint grown(void** array, Py_ssize_t size) noexcept nogil:
    cdef void* larger = realloc(array[0], size)
    if larger == NULL:
        return False
    array[0] = larger
    return True


# Room for `count` more nodes; False without memory.
cdef bint _reserve_nodes(Tree* tree, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t n
    if tree.size + count <= tree.capacity:
        return True
    n = max(2 * tree.capacity, tree.size + count, 64)
    if not (grown(<void**>&tree.qs, n * tree.num_states_total * sizeof(double))
            and grown(<void**>&tree.neg_efe, n * sizeof(double))
            and grown(<void**>&tree.policy, n * tree.num_factors * sizeof(int32_t))
            and grown(<void**>&tree.observation, n * tree.num_modalities * sizeof(int32_t))
            and grown(<void**>&tree.horizon, n * sizeof(int32_t))
            and grown(<void**>&tree.used, n)
            and grown(<void**>&tree.twin, n * sizeof(int32_t))
            and grown(<void**>&tree.first_child, n * sizeof(Py_ssize_t))
            and grown(<void**>&tree.num_children, n * sizeof(Py_ssize_t))):
        return False
    tree.capacity = n
    return True


# Room for `count` more entries; False without memory.
cdef bint _reserve_entries(Tree* tree, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t n
    if tree.num_entries + count <= tree.entry_capacity:
        return True
    n = max(2 * tree.entry_capacity, tree.num_entries + count + 64)
    if not (grown(<void**>&tree.children, n * sizeof(int32_t))
            and grown(<void**>&tree.child_probs, n * sizeof(double))):
        return False
    tree.entry_capacity = n
    return True


# A new node without children, or -1 without memory.
cdef Py_ssize_t add_node(Tree* tree, int32_t horizon) noexcept nogil:
    cdef Py_ssize_t node = tree.size, k
    if not _reserve_nodes(tree, 1):
        return -1
    tree.size += 1
    tree.neg_efe[node], tree.horizon[node], tree.used[node] = 0.0, horizon, True
    tree.twin[node] = -1
    tree.first_child[node], tree.num_children[node] = -1, 0
    for k in range(tree.num_factors):
        tree.policy[node * tree.num_factors + k] = -1
    for k in range(tree.num_modalities):
        tree.observation[node * tree.num_modalities + k] = -1
    return node


# Room for `count` children of a node, all -1; False without memory.
cdef bint add_children(Tree* tree, Py_ssize_t node, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t k
    if not _reserve_entries(tree, count):
        return False
    tree.first_child[node], tree.num_children[node] = tree.num_entries, count
    for k in range(tree.num_entries, tree.num_entries + count):
        tree.children[k], tree.child_probs[k] = -1, 0.0
    tree.num_entries += count
    return True


# --- what stands below nodes of equal beliefs -----------------------------------------------------


# The bits of a probability but for the last 8, which rounding may have changed; those below 2^-52
# are 0, as log(max(x, 2^-52)) takes them.
cdef inline uint64_t _leading_bits(double probability) noexcept nogil:
    cdef uint64_t bits
    if probability < DBL_EPSILON:
        return 0
    memcpy(&bits, &probability, sizeof(double))
    return (bits + 128) >> 8


cdef bint _equal(const double* x, const double* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(n):
        if _leading_bits(x[k]) != _leading_bits(y[k]):
            return False
    return True


# The part of a node of the same kind whose belief is the same but for rounding, or NULL; sets
# `hash`, of that belief. Cost: one multiplication for each state.
cdef const Part* find_part(Parts* parts, const Tree* tree, Py_ssize_t node,
                           uint64_t* hash) noexcept nogil:
    cdef Py_ssize_t n = tree.num_states_total, k
    cdef const double* qs = tree.qs + node * n
    cdef bint of_policy = tree.policy[node * tree.num_factors] >= 0
    cdef const Part* part
    cdef Slot* slot
    hash[0] = of_policy
    for k in range(n):
        hash[0] = mix_hash(hash[0], _leading_bits(qs[k]))
    if parts.by_belief.used == 0:
        return NULL
    slot = first_slot(&parts.by_belief, hash[0])
    while slot.stamp == parts.by_belief.stamp:
        if slot.hash == hash[0]:
            part = <Part*>parts.parts.data + slot.number
            if ((tree.policy[part.node * tree.num_factors] >= 0) == of_policy
                    and _equal(tree.qs + part.node * n, qs, n)):
                return part
        slot = next_slot(&parts.by_belief, slot)
    return NULL


# Adds a part, whose belief has this hash and is not there; without memory does nothing.
cdef void keep_part(Parts* parts, const Part* part, uint64_t hash) noexcept nogil:
    cdef Py_ssize_t count = parts.by_belief.used
    cdef Slot* slot
    if (reserve_slot(&parts.by_belief) != 0
            or reserve(&parts.parts, (count + 1) * sizeof(Part)) != 0):
        return
    slot = first_slot(&parts.by_belief, hash)
    while slot.stamp == parts.by_belief.stamp:
        slot = next_slot(&parts.by_belief, slot)
    slot.stamp, slot.number, slot.hash = parts.by_belief.stamp, <int32_t>count, hash
    (<Part*>parts.parts.data)[count] = part[0]
    parts.by_belief.used = count + 1


# Puts a copy of a part below another node; False without memory. All its nodes are in use.
# Cost: the copy.
cdef bint copy_part(Tree* tree, const Part* part, Py_ssize_t node) noexcept nogil:
    cdef Py_ssize_t nodes = part.stop - part.first, entries = part.stop_entry - part.first_entry
    cdef Py_ssize_t n = tree.num_states_total, nf = tree.num_factors, nm = tree.num_modalities
    cdef Py_ssize_t to = tree.size, to_entry = tree.num_entries, first = part.first, k
    cdef Py_ssize_t moved = to_entry - part.first_entry
    if not (_reserve_nodes(tree, nodes) and _reserve_entries(tree, entries)):
        return False
    memcpy(tree.qs + to * n, tree.qs + first * n, nodes * n * sizeof(double))
    memcpy(tree.neg_efe + to, tree.neg_efe + first, nodes * sizeof(double))
    memcpy(tree.policy + to * nf, tree.policy + first * nf, nodes * nf * sizeof(int32_t))
    memcpy(tree.observation + to * nm, tree.observation + first * nm,
           nodes * nm * sizeof(int32_t))
    memcpy(tree.horizon + to, tree.horizon + first, nodes * sizeof(int32_t))
    memset(tree.used + to, True, nodes)
    memset(tree.twin + to, 0xFF, nodes * sizeof(int32_t))
    memcpy(tree.num_children + to, tree.num_children + first, nodes * sizeof(Py_ssize_t))
    for k in range(nodes):
        tree.first_child[to + k] = tree.first_child[first + k]
        if tree.first_child[to + k] >= 0:
            tree.first_child[to + k] += moved
    memcpy(tree.child_probs + to_entry, tree.child_probs + part.first_entry,
           entries * sizeof(double))
    for k in range(entries):
        tree.children[to_entry + k] = tree.children[part.first_entry + k]
        if tree.children[to_entry + k] >= 0:
            tree.children[to_entry + k] += <int32_t>(to - first)
    tree.first_child[node] = tree.first_child[part.node] + moved
    tree.num_children[node] = tree.num_children[part.node]
    tree.size += nodes
    tree.num_entries += entries
    return True


cdef void forget_parts(Parts* parts) noexcept nogil:
    clear_table(&parts.by_belief)


cdef void free_parts(Parts* parts) noexcept nogil:
    free(parts.by_belief.slots.data)
    free(parts.parts.data)
