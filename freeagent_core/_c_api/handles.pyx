"""Handles: numbers that stand for objects, so that no value of a caller is read as an address.

A handle is a kind (8 bits), a generation (24 bits) and an index (32 bits) into a table of slots,
which are never moved or given back. A slot has the handle that is valid for it now: one
comparison tells handles of another kind, freed ones and whatever else was passed. (A handle freed
2^24 uses of its slot ago would pass.)
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc

from freeagent_core._c_api.errors cimport fail
from freeagent_core.c_api cimport FREEAGENT_BAD_HANDLE


cdef extern from *:
    """
    typedef char fc_handles_need_64_bits[sizeof(void *) == 8 ? 1 : -1];
    """


cdef enum:
    MAX_BLOCKS = 65536


cdef Slot* _blocks[MAX_BLOCKS]
cdef uint32_t _first_free = 0      # index + 1
# of a slot that is free: its index is that of no slot
cdef uint64_t NO_HANDLE = <uint64_t>-1

table.blocks = _blocks


cdef Slot* _slot(uint64_t index) noexcept nogil:
    return &table.blocks[index // <uint64_t>BLOCK][index % <uint64_t>BLOCK]


cdef PyObject* find(const void* handle, Kind kind) noexcept nogil:
    cdef PyObject* target = look_up(handle, kind)
    if target == NULL:
        _fail(<uint64_t><uintptr_t>handle, kind)
    return target


cdef int _fail(uint64_t value, Kind kind) noexcept nogil:
    if value == 0:
        return fail(FREEAGENT_BAD_HANDLE, b"the handle is NULL")
    if kind == MODEL:
        return fail(FREEAGENT_BAD_HANDLE, b"not the handle of a model, or it has been freed")
    if kind == AGENT:
        return fail(FREEAGENT_BAD_HANDLE, b"not the handle of an agent, or it has been freed")
    return fail(FREEAGENT_BAD_HANDLE, b"not the handle of a population, or it has been freed")


cdef void* new_handle(Kind kind, object target, void* at_hand=NULL) except NULL:
    global _first_free
    cdef Slot* slot
    cdef Slot* block
    cdef uint64_t index, i
    if _first_free == 0:
        index = table.num_slots
        if index // BLOCK == MAX_BLOCKS:
            raise MemoryError("too many handles")
        block = <Slot*>calloc(BLOCK, sizeof(Slot))
        if block == NULL:
            raise MemoryError("no memory for handles")
        for i in range(<uint64_t>BLOCK):
            block[i].handle = NO_HANDLE
            block[i].next_free = <uint32_t>(index + i + 2) if i + 1 < BLOCK else 0
        _blocks[index // BLOCK] = block
        _first_free = <uint32_t>(index + 1)
        fc_write_handle(&table.num_slots, index + BLOCK)
    index = _first_free - 1
    slot = _slot(index)
    _first_free = slot.next_free
    slot.generation = (slot.generation + 1) & 0xFFFFFF
    Py_INCREF(target)
    slot.target, slot.at_hand = <PyObject*>target, at_hand
    fc_write_handle(&slot.handle, <uint64_t>kind << 56 | <uint64_t>slot.generation << 32 | index)
    return <void*><uintptr_t>slot.handle


cdef int free_handle(const void* handle, Kind kind) noexcept:
    global _first_free
    cdef Slot* slot
    cdef uint64_t index
    cdef PyObject* target = find(handle, kind)
    if target == NULL:
        return FREEAGENT_BAD_HANDLE
    index = <uint64_t><uintptr_t>handle & <uint64_t>0xFFFFFFFF
    slot = _slot(index)
    fc_write_handle(&slot.handle, NO_HANDLE)
    slot.target = slot.at_hand = NULL
    slot.next_free = _first_free
    _first_free = <uint32_t>(index + 1)
    Py_DECREF(<object>target)
    return 0
