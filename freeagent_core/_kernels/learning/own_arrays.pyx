"""One agent's own arrays, which Dirichlet updates change: their memory, and their first values.

The model's structs are the agent's copy from the beginning; A, B and D are those of the shared
model until the first update of each (`adopt_A`, `adopt_B`, `own_D`).
"""

from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.aligned_memory cimport allocate_aligned
from freeagent_core._kernels.base.status cimport NO_MEMORY
from freeagent_core._kernels.model.structs cimport padded


cdef enum:
    LINE = 64                      # bytes


# `own` is an agent's that has learned nothing yet; the model and what it has are the agent's copies
# of the shared ones. Cost: constant.
cdef void begin_learned(Learned* own, Model* model, Factor* factors, Modality* modalities,
                        Group* groups, bint keeps_gains) noexcept nogil:
    memset(own, 0, sizeof(Learned))
    own.num_factors, own.num_groups = model.num_factors, model.num_groups
    own.model, own.factors, own.modalities, own.groups = model, factors, modalities, groups
    model.factors, model.modalities, model.groups = factors, modalities, groups
    own.keeps_gains = keeps_gains


# The same in memory of its own, which `free_learned` and then `free` release; NULL without memory.
# An agent of a population is no Python object: making these took half of the first tick.
# Cost: a copy of the model's structs.
cdef Learned* new_learned(const Model* shared, bint keeps_gains) noexcept nogil:
    cdef Py_ssize_t factors = shared.num_factors * sizeof(Factor)
    cdef Py_ssize_t modalities = shared.num_modalities * sizeof(Modality)
    cdef Py_ssize_t groups = shared.num_groups * sizeof(Group)
    cdef Learned* own = <Learned*>allocate_aligned(
        sizeof(Learned) + sizeof(Model) + factors + modalities + groups)
    cdef Model* model
    cdef char* here
    if own == NULL:
        return NULL
    here = <char*>(own + 1)
    model = <Model*>(here + factors + modalities + groups)
    model[0] = shared[0]
    memcpy(here, shared.factors, factors)
    memcpy(here + factors, shared.modalities, modalities)
    memcpy(here + factors + modalities, shared.groups, groups)
    begin_learned(own, model, <Factor*>here, <Modality*>(here + factors),
                  <Group*>(here + factors + modalities), keeps_gains)
    return own


# What `own` points to that is its own. Cost: constant.
cdef void free_learned(Learned* own) noexcept nogil:
    free(own.A_block)
    free(own.B_block)
    free(own.D_block)
    free(own.outcome_memory)
    free(own.weight_memory)


cdef inline Py_ssize_t _whole_lines(Py_ssize_t num_bytes) noexcept nogil:
    return (num_bytes + LINE - 1) // LINE * LINE


# Memory for pA and what adopt_A makes, unless there is some. Returns 0 or NO_MEMORY.
# Cost: num_modalities.
cdef int own_A(Learned* own, const double** first_pA) noexcept nogil:
    cdef const Group* group
    cdef unsigned char* states
    cdef double* here
    cdef Py_ssize_t g, k, size = 0, columns = 0, head
    if own.A_block != NULL:
        return 0
    for g in range(own.num_groups):
        group = &own.groups[g]
        columns += group.num_joint
        for k in range(group.num_modalities):
            size += 2 * padded(own.modalities[group.modalities[k]].num_obs * group.num_joint)
        size += padded(group.num_utility_steps * group.num_joint) + 2 * padded(group.num_joint)
    head = _whole_lines(
        (2 * own.model.num_modalities + 3 * own.num_groups) * sizeof(double*) + columns)
    own.A_bytes = head + size * sizeof(double)
    own.A_block = allocate_aligned(own.A_bytes)
    if own.A_block == NULL:
        return NO_MEMORY
    own.pA = <double**>own.A_block
    own.A = own.pA + own.model.num_modalities
    own.utility = own.A + own.model.num_modalities
    own.neg_ambiguity = own.utility + own.num_groups
    own.columns = <unsigned char**>(own.neg_ambiguity + own.num_groups)
    states = <unsigned char*>(own.columns + own.num_groups)
    here = <double*>(<char*>own.A_block + head)
    for g in range(own.num_groups):
        group = &own.groups[g]
        own.columns[g] = states
        states += group.num_joint
        for k in range(group.num_modalities):
            own.pA[group.modalities[k]] = here
            here += padded(own.modalities[group.modalities[k]].num_obs * group.num_joint)
    own.first_pA, own.A_memory = first_pA, here
    return 0


# The same of pB and adopt_B. Cost: num_factors.
cdef int own_B(Learned* own, const double** first_pB) noexcept nogil:
    cdef const Factor* factor
    cdef unsigned char* states
    cdef double* here
    cdef Py_ssize_t f, rows, size = 0, columns = 0, head
    if own.B_block != NULL:
        return 0
    for f in range(own.num_factors):
        factor = &own.factors[f]
        rows = factor.num_controls * factor.num_previous
        columns += rows
        size += padded(rows * factor.num_states) + rows * factor.stride
        size += padded(factor.num_controls)  # of flags
        if factor.backward != NULL:
            size += factor.num_controls * factor.num_states * padded(factor.num_previous)
    head = _whole_lines(3 * own.num_factors * sizeof(double*) + columns)
    own.B_bytes = head + size * sizeof(double)
    own.B_block = allocate_aligned(own.B_bytes)
    if own.B_block == NULL:
        return NO_MEMORY
    own.pB = <double**>own.B_block
    own.B = own.pB + own.num_factors
    own.transitions = <unsigned char**>(own.B + own.num_factors)
    states = <unsigned char*>(own.transitions + own.num_factors)
    here = <double*>(<char*>own.B_block + head)
    for f in range(own.num_factors):
        factor = &own.factors[f]
        rows = factor.num_controls * factor.num_previous
        own.transitions[f] = states
        states += rows
        own.pB[f] = here
        here += padded(rows * factor.num_states)
    own.first_pB, own.B_memory = first_pB, here
    return 0


# pD and D as they are at first, unless they are the agent's own. Returns 0 or NO_MEMORY.
# Cost: qs_size.
cdef int own_D(Learned* own, const double** first_pD) noexcept nogil:
    cdef Py_ssize_t f, size = own.model.qs_size
    cdef double* here
    if own.D_block != NULL:
        return 0
    here = <double*>allocate_aligned(
        2 * size * sizeof(double) + own.num_factors * sizeof(double*))
    if here == NULL:
        return NO_MEMORY
    own.D_block, own.D = here, here
    own.pD = <double**>(here + 2 * size)
    memcpy(here, own.model.D, size * sizeof(double))
    own.model.D = here
    for f in range(own.num_factors):
        own.pD[f] = here + size + own.factors[f].offset
        memcpy(own.pD[f], first_pD[f], own.factors[f].num_states * sizeof(double))
    return 0


# A copy of `count` doubles at `here`, which moves on. Cost: count.
cdef double* adopt(const double* values, Py_ssize_t count, double** here) noexcept nogil:
    cdef double* copy = here[0]
    memcpy(copy, values, count * sizeof(double))
    here[0] = copy + padded(count)
    return copy


# The agent's own A and what depends on it alone, copied from the shared model, and pA as it is at
# first. Logarithms of A are no more kept: `likelihood_row` makes those that it needs.
# Cost: the sizes of A and pA.
cdef void adopt_A(Learned* own) noexcept nogil:
    cdef double* here = own.A_memory
    cdef Group* group
    cdef Modality* modality
    cdef Py_ssize_t g, k, m, s
    if own.has_A:
        return
    own.model.matrices.num_steps = 0  # made when a model is packed
    for g in range(own.num_groups):
        group = &own.groups[g]
        for k in range(group.num_modalities):
            m = group.modalities[k]
            modality = &own.modalities[m]
            own.A[m] = adopt(modality.A, modality.num_obs * group.num_joint, &here)
            modality.A = own.A[m]
            modality.log_A = NULL
            memcpy(own.pA[m], own.first_pA[m],
                   modality.num_obs * group.num_joint * sizeof(double))
        own.utility[g] = adopt(group.utility, group.num_utility_steps * group.num_joint, &here)
        group.utility = own.utility[g]
        own.neg_ambiguity[g] = here
        for s in range(group.num_joint):
            here[s] = group.outcomes[s * group.outcome_stride + group.num_outcomes]
        here += padded(group.num_joint)
        group.point_mass_gain = (adopt(group.point_mass_gain, group.num_joint, &here)
                                 if own.keeps_gains else NULL)
        group.next_outcomes = NULL
        memset(own.columns[g], STALE, group.num_joint)
    own.has_A = own.first_A = True


# The agent's own B, all actions dense, and pB as it is at first. Cost: the sizes of B and pB.
cdef void adopt_B(Learned* own) noexcept nogil:
    cdef double* here = own.B_memory
    cdef double* B
    cdef Factor* factor
    cdef Py_ssize_t f, i, k, size
    if own.has_B:
        return
    own.model.matrices.num_steps = 0
    for f in range(own.num_factors):
        factor = &own.factors[f]
        size = factor.num_controls * factor.num_previous
        B = here
        here += size * factor.stride
        for i in range(size):
            if factor.is_sparse[i // factor.num_previous]:
                memset(B + i * factor.stride, 0, factor.stride * sizeof(double))
                for k in range(factor.sparse_start[i], factor.sparse_start[i + 1]):
                    B[i * factor.stride + factor.sparse_state[k]] = factor.sparse_B[k]
            else:
                memcpy(B + i * factor.stride, factor.B + i * factor.stride,
                       factor.stride * sizeof(double))
        factor.B = own.B[f] = B
        factor.is_sparse = <unsigned char*>memset(here, 0, factor.num_controls)
        here += padded(factor.num_controls)
        factor.deterministic_next = NULL
        if factor.backward != NULL:
            factor.backward = adopt(
                factor.backward,
                factor.num_controls * factor.num_states * padded(factor.num_previous), &here)
        memcpy(own.pB[f], own.first_pB[f], size * factor.num_states * sizeof(double))
        memset(own.transitions[f], STALE, size)
    for i in range(own.num_groups):
        own.groups[i].next_outcomes = NULL  # it depends on B
    own.has_B = own.first_B = True


# --- prefetching -------------------------------------------------------------------------------
#
# Agents that learn do little with much memory, that of one after the other, so what the next ones
# need is asked for before: a tick of 3,000 bandits of 314 numbers took 11.2 ms, and 12.0 without.

cdef extern from *:
    """
    /* At most 4 KiB: from there on the processor sees where reading goes. */
    static inline void fc_fetch(const void *memory, Py_ssize_t num_bytes)
    {
    #if defined(__GNUC__)
        const char *line = (const char *)memory;
        if (num_bytes > 4096) num_bytes = 4096;
        for (Py_ssize_t i = 0; i < num_bytes; i += 64) __builtin_prefetch(line + i);
    #else
        (void)memory, (void)num_bytes;
    #endif
    }
    """
    void fc_fetch(const void* memory, Py_ssize_t num_bytes) nogil


cdef void fetch_learned(const Learned* own) noexcept nogil:
    fc_fetch(own, 2 * LINE)


# After fetch_learned of the same agent, a while later: the heads of what it has learned.
cdef void fetch_heads(const Learned* own) noexcept nogil:
    if own.pA != NULL:
        fc_fetch(own.pA, LINE)
    if own.pB != NULL:
        fc_fetch(own.pB, LINE)


# After fetch_heads: the counts that an update adds to.
cdef void fetch_counts_A(const Learned* own, const Model* shape,
                         const Py_ssize_t* outcomes) noexcept nogil:
    cdef Py_ssize_t g, k, m, n
    for g in range(shape.num_groups if own.pA != NULL else 0):
        n = shape.groups[g].num_joint
        for k in range(shape.groups[g].num_modalities):
            m = shape.groups[g].modalities[k]
            fc_fetch(own.pA[m] + outcomes[m] * n, n * sizeof(double))


cdef void fetch_counts_B(const Learned* own, const Model* shape,
                         const Py_ssize_t* action) noexcept nogil:
    cdef const Factor* factor
    cdef Py_ssize_t f, size
    for f in range(shape.num_factors if own.pB != NULL else 0):
        factor = &shape.factors[f]
        size = factor.num_previous * factor.num_states
        fc_fetch(own.pB[f] + action[f] * size, size * sizeof(double))


# After fetch_learned: what the evaluation of policies in lanes reads, and `refresh` before it.
cdef void fetch_all(const Learned* own) noexcept nogil:
    fc_fetch(own.pA, own.A_bytes)
    fc_fetch(own.pB, own.B_bytes)


# After fetch_heads: what belief updates read.
cdef void fetch_rows(const Learned* own, const Model* shape, const Py_ssize_t* outcomes,
                     const Py_ssize_t* action) noexcept nogil:
    cdef const Factor* factor
    cdef Py_ssize_t g, k, m, n, f
    for g in range(shape.num_groups if own.has_A else 0):
        n = shape.groups[g].num_joint
        for k in range(shape.groups[g].num_modalities):
            m = shape.groups[g].modalities[k]
            fc_fetch(own.A[m] + outcomes[m] * n, n * sizeof(double))
    for f in range(shape.num_factors if own.has_B else 0):
        factor = &shape.factors[f]
        n = factor.num_previous * factor.stride
        fc_fetch(own.B[f] + action[f] * n, n * sizeof(double))
