"""The models of a few agents of a batch, each its own, which they change when they learn."""

cimport numpy as cnp
from libc.float cimport DBL_EPSILON
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.contractions cimport log_clipped
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.special_functions cimport log_ratio
from freeagent_core._kernels.model.batched_model cimport (
    BatchedModel, Likelihood, of_agent, ParentGroup, Transition)
from freeagent_core._kernels.planning.policy_plan cimport (
    GroupValues, OutcomeTables, TransitionTables)

import numpy as np

cnp.import_array()


cdef class LearnedParts:
    """Counts to begin with, and arrays for those of each step.

    Parameters
    ----------
    model : BatchedModel
    pA, pB : list of (batch_size, num_outcomes, width) array, or None
        None, or an entry of None, where nothing is learned.
    C : list of (agents, steps, num_obs) array
        `agents` is 1 or `batch_size`.
    utility : bool
        Whether C counts.
    num_steps : int

    Attributes
    ----------
    pA, A, pB, B : list of (batch_size, num_steps, num_outcomes, width) array, or None
    """

    def __cinit__(self, BatchedModel model, object pA, object pB, list C, bint utility,
                  Py_ssize_t num_steps):
        cdef Learning* learning = &self.learning
        cdef Py_ssize_t batch = model.tables.batch_size, i
        cdef Py_ssize_t nm = model.tables.num_modalities, nf = model.tables.num_factors
        self._kept, self._block = [], NULL
        self._block = malloc((nm + nf) * sizeof(Counts) + nm * sizeof(Preferences))
        if self._block == NULL:
            raise MemoryError("no memory for learning")
        learning.modalities = <Counts*>self._block
        learning.factors = learning.modalities + nm
        learning.preferences = <Preferences*>(learning.factors + nf)
        learning.A, learning.B, learning.utility = pA is not None, pB is not None, utility
        for i in range(nm):
            learning.preferences[i].num_steps = C[i].shape[1]
            model._set(&learning.preferences[i].C, C[i], (C[i].shape[1], model.num_obs[i]), "C")
            self._kept.append(C[i])
        widths = tuple((model.tables.modalities[i].num_obs, model.tables.modalities[i].size)
                       for i in range(nm))
        self.pA, self.A = self._read(learning.modalities, pA, widths, batch, num_steps, "pA")
        widths = tuple((model.tables.factors[i].num_states,
                        model.tables.factors[i].size * model.tables.factors[i].num_controls)
                       for i in range(nf))
        self.pB, self.B = self._read(learning.factors, pB, widths, batch, num_steps, "pB")

    cdef tuple _read(self, Counts* counts, object arrays, tuple shapes, Py_ssize_t batch_size,
                     Py_ssize_t num_steps, str name):
        cdef Py_ssize_t i
        cdef list all_counts = [], means = []
        if arrays is None:
            return None, None
        if len(arrays) != len(shapes):
            raise ValueError(f"{name} must have {len(shapes)} arrays, got {len(arrays)}")
        for i in range(len(shapes)):
            counts[i].prior.data = NULL
            prior = arrays[i]
            if prior is None:
                all_counts.append(None)
                means.append(None)
                continue
            shape = (batch_size, *shapes[i])
            if (prior.dtype != np.float64 or not prior.flags.c_contiguous
                    or prior.shape != shape):
                raise ValueError(f"{name}[{i}] must be float64 of shape {shape}, got "
                                 f"{prior.dtype} {prior.shape}")
            every, mean = (np.empty((batch_size, num_steps, *shapes[i])) for _ in range(2))
            counts[i].prior.data = <const double*>cnp.PyArray_DATA(<cnp.ndarray>prior)
            counts[i].prior.stride = shapes[i][0] * shapes[i][1]
            counts[i].counts = <double*>cnp.PyArray_DATA(<cnp.ndarray>every)
            counts[i].mean = <double*>cnp.PyArray_DATA(<cnp.ndarray>mean)
            self._kept.append(prior)
            all_counts.append(every)
            means.append(mean)
        return all_counts, means

    def __dealloc__(self):
        free(self._block)


# --- memory ---------------------------------------------------------------------------------------

# Cuts the arrays of a table of `count` agents off `numbers`; with NULL only counts. Returns how
# many there are.
cdef Py_ssize_t _cut(OwnTable* own, double* numbers, Py_ssize_t count, Py_ssize_t size,
                     Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t all = count * size
    if numbers != NULL:
        own.size = size
        own.counts, own.mean, own.p = numbers, numbers + all, numbers + 2 * all
        own.log_p, own.novelty = numbers + 3 * all, numbers + 4 * all
        own.changed, own.sum = numbers + 5 * all, numbers + 5 * all + width
    return 5 * all + 2 * width


cdef Py_ssize_t _lay_out(OwnModels* own, const BatchedTables* t, const SharedPolicies* p,
                         const Learning* learning, Py_ssize_t count,
                         double* numbers) noexcept nogil:
    cdef Py_ssize_t i, used = 0, size
    for i in range(t.num_modalities):
        if learning.A and learning.modalities[i].prior.data != NULL:
            size = t.modalities[i].num_obs * t.modalities[i].size
            used += _cut(&own.modalities[i], numbers + used if numbers != NULL else NULL, count,
                         size, t.modalities[i].size)
    for i in range(t.num_groups):
        size = count * p.groups[i].num_steps * t.groups[i].size
        if numbers != NULL:
            own.linear[i], own.certain[i] = numbers + used, numbers + used + size
        used += 2 * size
    for i in range(t.num_factors):
        if learning.B:
            size = t.factors[i].size * t.factors[i].num_controls
            used += _cut(&own.factors[i], numbers + used if numbers != NULL else NULL, count,
                         size * t.factors[i].num_states, size)
    return used


# Room for the models of `count` agents; 0, or -1 without memory. `own.block` is to be freed.
# learning: NULL if nothing is learned.
cdef int allocate_own(OwnModels* own, const BatchedTables* t, const SharedPolicies* p,
                      const Learning* learning, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t nm = t.num_modalities, nf = t.num_factors, ng = t.num_groups
    cdef Py_ssize_t structs = (
        nm * (sizeof(Likelihood) + sizeof(OutcomeTables) + sizeof(OwnTable))
        + nf * (sizeof(Transition) + sizeof(TransitionTables) + sizeof(OwnTable))
        + ng * (sizeof(GroupValues) + 2 * sizeof(double*)))
    cdef Py_ssize_t numbers = 0
    if learning != NULL:
        numbers = _lay_out(own, t, p, learning, count, NULL)
    own.block = malloc(structs + numbers * sizeof(double))
    if own.block == NULL:
        return -1
    own.t, own.p = t[0], p[0]
    own.t.batch_size = count
    own.t.modalities = <Likelihood*>own.block
    own.t.factors = <Transition*>(own.t.modalities + nm)
    own.p.groups = <GroupValues*>(own.t.factors + nf)
    own.p.modalities = <OutcomeTables*>(own.p.groups + ng)
    own.p.factors = <TransitionTables*>(own.p.modalities + nm)
    own.modalities = <OwnTable*>(own.p.factors + nf)
    own.factors = own.modalities + nm
    own.linear = <double**>(own.factors + nf)
    own.certain = own.linear + ng
    if learning != NULL:
        _lay_out(own, t, p, learning, count, <double*>(own.certain + ng))
    return 0


# --- the agents' tables ---------------------------------------------------------------------------

cdef inline void _from(Table* table, Py_ssize_t first) noexcept nogil:
    if table.data != NULL:
        table.data += first * table.stride


# Makes `own` the models, policies and first counts of `count` agents from `first` on. Cost: one
# copy of the counts.
cdef void look_at(OwnModels* own, const BatchedTables* t, const SharedPolicies* p,
                  const Learning* learning, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef const Counts* counts
    cdef TransitionTables* f
    memcpy(own.t.modalities, t.modalities, t.num_modalities * sizeof(Likelihood))
    memcpy(own.t.factors, t.factors, t.num_factors * sizeof(Transition))
    memcpy(own.p.groups, p.groups, t.num_groups * sizeof(GroupValues))
    memcpy(own.p.modalities, p.modalities, t.num_modalities * sizeof(OutcomeTables))
    memcpy(own.p.factors, p.factors, t.num_factors * sizeof(TransitionTables))
    own.p.log_E, own.p.gamma, own.p.log_epsilon = p.log_E, p.gamma, p.log_epsilon
    own.learns_A = own.learns_B = False  # so far
    _from(&own.p.log_E, first)
    _from(&own.p.gamma, first)
    _from(&own.p.log_epsilon, first)
    for i in range(t.num_groups):
        _from(&own.p.groups[i].linear, first)
        _from(&own.p.groups[i].certain, first)
    for i in range(t.num_modalities):
        _from(&own.t.modalities[i].log_A, first)
        _from(&own.p.modalities[i].A, first)
        _from(&own.p.modalities[i].novelty, first)
        if learning == NULL or not learning.A or learning.modalities[i].prior.data == NULL:
            continue
        counts = &learning.modalities[i]
        for k in range(count):
            memcpy(own.modalities[i].counts + k * own.modalities[i].size,
                   of_agent(&counts.prior, first + k), counts.prior.stride * sizeof(double))
    for i in range(t.num_factors):
        _from(&own.t.factors[i].B, first)
        _from(&own.t.factors[i].log_B, first)
        f = &own.p.factors[i]
        _from(&f.novelty, first)
        _from(&f.inductive, first)
        if f.next_state != NULL:
            f.next_state += first * f.next_state_stride
        if learning != NULL and learning.B:
            counts = &learning.factors[i]
            for k in range(count):
                memcpy(own.factors[i].counts + k * own.factors[i].size,
                       of_agent(&counts.prior, first + k), counts.prior.stride * sizeof(double))


# Marks the columns of counts (n, width) that are not what they were; all, without `before`.
# What is derived of the others stays as it is. Cost: n * width comparisons.
cdef void _mark(double* changed, const double* now, const double* before, Py_ssize_t n,
                Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t s, i
    for i in range(width):
        changed[i] = before == NULL
    if before == NULL:
        return
    for s in range(n):
        for i in range(width):
            changed[i] += now[i] != before[i]
        now += width
        before += width


# Of the columns that have changed, the mean of counts (n, size, controls), with the outcomes last
# (controls, size, n) too. `pymdp.maths.dirichlet_expected_value`. Cost: a division for each count
# of these.
cdef void _adopt_transitions(const OwnTable* own, Py_ssize_t agent, Py_ssize_t n, Py_ssize_t size,
                             Py_ssize_t controls) noexcept nogil:
    cdef Py_ssize_t width = size * controls, i, u, s, column, at = agent * own.size
    cdef double total
    cdef double* out
    for i in range(size):
        for u in range(controls):
            column = i * controls + u
            if own.changed[column] == 0.0:
                continue
            out = own.p + at + (u * size + i) * n
            total = 0.0
            for s in range(n):
                out[s] = max(own.counts[at + s * width + column], DBL_EPSILON)
                total += out[s]
            for s in range(n):
                out[s] /= total
                own.mean[at + s * width + column] = out[s]


# Of the columns that have changed, the weights of the information gain about them,
# `pymdp_v1._tables.novelty`, outcomes last. Cost: a digamma for each count of these.
cdef void _adopt_novelty(const OwnTable* own, Py_ssize_t agent, Py_ssize_t n, Py_ssize_t size,
                         Py_ssize_t controls) noexcept nogil:
    cdef Py_ssize_t width = size * controls, i, u, s, column, at = agent * own.size
    cdef double total, ratio, value
    cdef double* out
    for i in range(size):
        for u in range(controls):
            column = i * controls + u
            if own.changed[column] == 0.0:
                continue
            out = own.novelty + at + (u * size + i) * n
            total = 0.0
            for s in range(n):
                total += max(own.counts[at + s * width + column], DBL_EPSILON)
            ratio = log_ratio(total)
            for s in range(n):
                value = own.counts[at + s * width + column]
                out[s] = ratio - log_ratio(max(value, DBL_EPSILON)) if value > 0.0 else 0.0


# The mean of an agent's counts (n, size), also with the outcomes last, its logarithm, and own.sum,
# of each column of the mean times its logarithm. Cost: a division and a logarithm for each count.
cdef void _adopt_likelihood(const OwnTable* own, Py_ssize_t agent, Py_ssize_t n,
                            Py_ssize_t size) noexcept nogil:
    cdef double* mean = own.mean + agent * own.size
    cdef double* p = own.p + agent * own.size
    cdef Py_ssize_t i, o
    P.clipped_means(own.counts + agent * own.size, n, size, mean, own.log_p + agent * own.size,
                    own.sum)
    for o in range(n):
        for i in range(size):
            p[i * n + o] = mean[o * size + i]


# What joint states of a group's parents are worth to an agent: `pymdp_v1._tables.group_values`,
# and less the novelty where the state is certain; of modalities that it learns, whose likelihoods
# it has just adopted, and of others. Cost: the sizes of A, for each step.
cdef void _value_group(OwnModels* own, const Learning* learning, Py_ssize_t group,
                       Py_ssize_t agent, Py_ssize_t index) noexcept nogil:
    cdef const ParentGroup* g = &own.t.groups[group]
    cdef GroupValues* values = &own.p.groups[group]
    cdef const Preferences* preferences
    cdef const OwnTable* table
    cdef const double* A
    cdef const double* log_A
    cdef const double* C
    cdef const double* novelty
    cdef double* linear
    cdef double* certain
    cdef Py_ssize_t step, i, k, m, o, n
    cdef bint learns
    for step in range(values.num_steps):
        linear = own.linear[group] + (index * values.num_steps + step) * g.size
        certain = own.certain[group] + (index * values.num_steps + step) * g.size
        memset(certain, 0, g.size * sizeof(double))
        for k in range(g.num_modalities if learning.utility else 0):
            m = g.modalities[k]
            n = own.t.modalities[m].num_obs
            preferences = &learning.preferences[m]
            C = of_agent(&preferences.C, agent) + min(step, preferences.num_steps - 1) * n
            learns = learning.modalities[m].prior.data != NULL
            A = of_agent(&own.p.modalities[m].A, index)
            for o in range(n):
                if C[o] == 0.0:
                    continue
                if learns:
                    P.axpy(C[o], own.modalities[m].mean + index * own.modalities[m].size
                           + o * g.size, certain, g.size)
                    continue
                for i in range(g.size):
                    certain[i] += C[o] * A[i * n + o]
        memcpy(linear, certain, g.size * sizeof(double))
        for k in range(g.num_modalities):
            m = g.modalities[k]
            n = own.t.modalities[m].num_obs
            table = &own.modalities[m]
            learns = learning.modalities[m].prior.data != NULL
            A = of_agent(&own.p.modalities[m].A, index)
            if learns:
                A = table.p + index * table.size
            if own.p.states_info_gain and learns:
                P.axpy(1.0, table.sum, linear, g.size)
            elif own.p.states_info_gain:
                log_A = of_agent(&own.t.modalities[m].log_A, index)
                for i in range(g.size):
                    for o in range(n):
                        linear[i] += A[i * n + o] * log_A[o * g.size + i]
            if own.p.modalities[m].novelty.data == NULL:
                continue
            novelty = of_agent(&own.p.modalities[m].novelty, index)
            if learns:
                novelty = table.novelty + index * table.size
            for i in range(g.size):
                for o in range(n):
                    certain[i] -= A[i * n + o] * novelty[i * n + o]


cdef inline void _use(Table* table, const double* own, Py_ssize_t size) noexcept nogil:
    table.data, table.stride = own, size


# Use the likelihoods that the counts of the agents from `first` on now give, at a step before
# which they were written down.
cdef void adopt_A(OwnModels* own, const Learning* learning, Py_ssize_t first, Py_ssize_t count,
                  Py_ssize_t step, Py_ssize_t num_steps) noexcept nogil:
    cdef Py_ssize_t i, k, n, size, index
    cdef int64_t place
    cdef OwnTable* table
    cdef const double* before
    cdef bint changed
    for index in range(count):
        place = (first + index) * num_steps + step
        for i in range(own.t.num_modalities):
            if learning.modalities[i].prior.data == NULL:
                continue
            table = &own.modalities[i]
            n, size = own.t.modalities[i].num_obs, own.t.modalities[i].size
            _adopt_likelihood(table, index, n, size)
            if own.p.modalities[i].novelty.data == NULL:
                continue
            before = NULL
            if own.learns_A:  # there was a step before
                before = learning.modalities[i].counts + (place - 1) * n * size
            _mark(table.changed, table.counts + index * table.size, before, n, size)
            _adopt_novelty(table, index, n, size, 1)
        for i in range(own.t.num_groups):
            changed = False
            for k in range(own.t.groups[i].num_modalities):
                changed |= learning.modalities[own.t.groups[i].modalities[k]].prior.data != NULL
            if changed:
                _value_group(own, learning, i, first + index, index)
                if index == count - 1:
                    size = own.p.groups[i].num_steps * own.t.groups[i].size
                    _use(&own.p.groups[i].linear, own.linear[i], size)
                    _use(&own.p.groups[i].certain, own.certain[i], size)
    own.learns_A = True
    for i in range(own.t.num_modalities):
        if learning.modalities[i].prior.data == NULL:
            continue
        table = &own.modalities[i]
        _use(&own.t.modalities[i].log_A, table.log_p, table.size)
        _use(&own.p.modalities[i].A, table.p, table.size)
        if own.p.modalities[i].novelty.data != NULL:
            _use(&own.p.modalities[i].novelty, table.novelty, table.size)


# Use the transitions that the counts now give: none is certain, as no probability is 0.
cdef void adopt_B(OwnModels* own, const Learning* learning, Py_ssize_t first, Py_ssize_t count,
                  Py_ssize_t step, Py_ssize_t num_steps) noexcept nogil:
    cdef Py_ssize_t i, k, u, n, width, index, column
    cdef int64_t place
    cdef Transition* f
    cdef OwnTable* table
    cdef const double* before
    for i in range(own.t.num_factors):
        f = &own.t.factors[i]
        table = &own.factors[i]
        n, width = f.num_states, f.size * f.num_controls
        for index in range(count):
            place = (first + index) * num_steps + step
            before = NULL
            if own.learns_B:
                before = learning.factors[i].counts + (place - 1) * n * width
            _mark(table.changed, table.counts + index * table.size, before, n, width)
            _adopt_transitions(table, index, n, f.size, f.num_controls)
            if own.p.factors[i].novelty.data != NULL:
                _adopt_novelty(table, index, n, f.size, f.num_controls)
            if f.log_B.data == NULL:
                continue
            for k in range(f.size):
                for u in range(f.num_controls):
                    if table.changed[k * f.num_controls + u] != 0.0:
                        column = index * table.size + (u * f.size + k) * n
                        log_clipped(table.p + column, n, table.log_p + column)
        _use(&f.B, table.p, table.size)
        if f.log_B.data != NULL:
            _use(&f.log_B, table.log_p, table.size)
        if own.p.factors[i].novelty.data != NULL:
            _use(&own.p.factors[i].novelty, table.novelty, table.size)
        own.p.factors[i].next_state = NULL
    own.learns_B = True
