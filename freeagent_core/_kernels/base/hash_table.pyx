"""Hash tables with open addressing: numbers by hash. The caller compares entries of equal hash.

Slots carry a stamp, so that a table is cleared in constant time.
"""

from libc.stdlib cimport free
from libc.string cimport memset

from freeagent_core._kernels.base.growable_array cimport reserve


# Empties the table: slots of another stamp are free. Cost: constant, but once in 2^32 calls.
cdef void clear_table(HashTable* table) noexcept nogil:
    table.used = 0
    table.stamp += 1
    if table.stamp == 0:  # after 2^32 steps
        if table.num_slots:
            memset(table.slots.data, 0, table.num_slots * sizeof(Slot))
        table.stamp = 1


# slots[hash mod num_slots]: where `hash` stands or would stand; walk on with next_slot.
# Linear probing (Knuth, The Art of Computer Programming 3, 6.4). Cost: constant.
cdef Slot* first_slot(HashTable* table, uint64_t hash) noexcept nogil:
    return <Slot*>table.slots.data + (hash & <uint64_t>(table.num_slots - 1))


# slots[(i + 1) mod num_slots]. Cost: constant.
cdef Slot* next_slot(HashTable* table, Slot* slot) noexcept nogil:
    slot += 1
    if slot == <Slot*>table.slots.data + table.num_slots:
        return <Slot*>table.slots.data
    return slot


# Makes room for one more entry, before its slot is looked up: load factor <= 1 / 2. Returns 0,
# or -1 without memory. Cost: constant, amortised (a table that is full doubles).
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
