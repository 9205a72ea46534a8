"""The distinct beliefs of a factor that have occurred: equal ones are found by hash, to the bit."""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy, memset

from freeagent_core._kernels.base.fixed_hash_table cimport KeyEntry, find_entry
from freeagent_core._kernels.base.primitives cimport P


# Adds a belief whose values stand behind the last one, unless it has occurred; returns its index.
# Cost: num_states, and a comparison with each belief of the same hash.
cdef int32_t add_belief(FactorBeliefs* f, Py_ssize_t n, int32_t epoch) noexcept nogil:
    cdef double* q = f.values + f.count * n
    cdef int32_t* support = f.support + f.count * n
    cdef Py_ssize_t i, size = 0
    cdef uint64_t bits, h = 0
    cdef KeyEntry* entry
    for i in range(n):
        support[size] = <int32_t>i
        size += q[i] != 0.0
        memcpy(&bits, &q[i], 8)
        h = (h ^ bits) * <uint64_t>0x9E3779B97F4A7C15
        h ^= h >> 31
    f.certain_state[f.count] = -1
    if size == 1 and q[support[0]] == 1.0:
        if f.of_state[support[0]] >= 0:
            return f.of_state[support[0]]
        f.of_state[support[0]] = <int32_t>f.count
        f.certain_state[f.count] = support[0]
    else:
        h &= ~(<uint64_t>1 << 63)
        while True:
            entry = find_entry(&f.by_value, <int64_t>h, epoch)
            if entry.epoch != epoch:
                break
            if memcmp(f.values + entry.value * n, q, n * sizeof(double)) == 0:
                return entry.value
            h += 1
        entry.key, entry.epoch, entry.value = <int64_t>h, epoch, <int32_t>f.count
    f.support_size[f.count] = <int32_t>size
    if f.inductive_row != NULL:
        f.inductive[f.count] = P.dot(f.inductive_row, q, n)
    f.count += 1
    return <int32_t>(f.count - 1)


# The belief that is certain of a state, added unless it has occurred. Cost: num_states then.
cdef int32_t add_certain(FactorBeliefs* f, Py_ssize_t n, Py_ssize_t state,
                          int32_t epoch) noexcept nogil:
    if f.of_state[state] >= 0:
        return f.of_state[state]
    memset(f.values + f.count * n, 0, n * sizeof(double))
    f.values[f.count * n + state] = 1.0
    return add_belief(f, n, epoch)
