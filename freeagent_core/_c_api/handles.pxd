from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t, uintptr_t


cdef extern from *:
    """
    #ifndef FREEAGENT_HANDLES
    #define FREEAGENT_HANDLES
    static inline uint64_t fc_read_handle(const uint64_t *value)
    {
        return __atomic_load_n(value, __ATOMIC_ACQUIRE);
    }
    static inline void fc_write_handle(uint64_t *value, uint64_t new_value)
    {
        __atomic_store_n(value, new_value, __ATOMIC_RELEASE);
    }
    #endif
    """
    uint64_t fc_read_handle(const uint64_t* value) nogil
    void fc_write_handle(uint64_t* value, uint64_t new_value) nogil


cdef enum Kind:
    MODEL = 1
    AGENT = 2
    POPULATION = 3


cdef enum:
    BLOCK = 1024                   # slots that are allocated at once


cdef struct Slot:
    uint64_t handle                # valid now, or NO_HANDLE
    PyObject* target               # owned
    void* at_hand                  # a `CoreTarget` that a step need not look for, or NULL
    uint32_t generation
    uint32_t next_free             # index + 1; 0: none


cdef struct Table:
    Slot** blocks
    uint64_t num_slots


cdef Table table


# Where a handle is valid now, or NULL.
cdef inline Slot* slot_of(const void* handle) noexcept nogil:
    cdef uint64_t value = <uint64_t><uintptr_t>handle, index = value & <uint64_t>0xFFFFFFFF
    cdef Slot* slot
    if index < fc_read_handle(&table.num_slots):
        slot = &table.blocks[index // <uint64_t>BLOCK][index % <uint64_t>BLOCK]
        if fc_read_handle(&slot.handle) == value:
            return slot
    return NULL

# The object that a handle stands for (borrowed), or NULL.
cdef inline PyObject* look_up(const void* handle, Kind kind) noexcept nogil:
    cdef Slot* slot = slot_of(handle)
    if slot != NULL and <uint64_t><uintptr_t>handle >> 56 == <uint64_t>kind:
        return slot.target
    return NULL

# The same, or NULL with an error.
cdef PyObject* find(const void* handle, Kind kind) noexcept nogil

# With the GIL:
cdef void* new_handle(Kind kind, object target, void* at_hand=*) except NULL
cdef int free_handle(const void* handle, Kind kind) noexcept
