from libc.stdint cimport int32_t, uint32_t, uint64_t

from freeagent_core._kernels.base.growable_array cimport GrowableArray


cdef struct HashTable:             # open addressing: a number per hash
    GrowableArray slots            # of Slot
    Py_ssize_t num_slots           # a power of two, or 0
    Py_ssize_t used
    uint32_t stamp                 # slots with another stamp are empty


cdef struct Slot:
    uint32_t stamp
    int32_t number
    uint64_t hash


cdef int reserve_slot(HashTable* table) noexcept nogil
cdef void clear_table(HashTable* table) noexcept nogil
cdef Slot* first_slot(HashTable* table, uint64_t hash) noexcept nogil
cdef Slot* next_slot(HashTable* table, Slot* slot) noexcept nogil


# h' = ((h ^ value) * 2^64 / golden ratio), folded: multiplicative hashing (Knuth, The Art of
# Computer Programming 3, 6.4). Cost: one multiplication.
cdef inline uint64_t mix_hash(uint64_t hash, uint64_t value) noexcept nogil:
    hash = (hash ^ value) * <uint64_t>0x9E3779B97F4A7C15
    return hash ^ (hash >> 32)
