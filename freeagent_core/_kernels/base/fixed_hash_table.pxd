"""Hash tables of fixed capacity, in memory of the caller, that are cleared by counting up.

An entry of another epoch than the present one is free.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef struct KeyEntry:
    int64_t key
    int32_t epoch, value


cdef struct FixedHashTable:
    KeyEntry* entries
    uint64_t mask                  # the capacity, a power of two, less one


# Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4).
cdef inline uint64_t mix_key(uint64_t key) noexcept nogil:
    key ^= key >> 32
    key *= <uint64_t>0x9E3779B97F4A7C15
    return key ^ (key >> 29)


# The entry of a key: its own, or a free one where it belongs. Cost: constant.
cdef inline KeyEntry* find_entry(FixedHashTable* table, int64_t key, int32_t epoch) noexcept nogil:
    cdef uint64_t at = mix_key(<uint64_t>key) & table.mask
    while table.entries[at].epoch == epoch and table.entries[at].key != key:
        at = (at + 1) & table.mask
    return &table.entries[at]


# The capacity for so many keys: load factor <= 1 / 2.
cdef inline Py_ssize_t table_capacity(Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t size = 8
    while size < 2 * count:
        size *= 2
    return size
