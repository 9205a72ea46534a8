"""A packed model with arrays of its own for what one agent learns.

It begins as the shared model's arrays. The first update of A, B or D copies those (copy on
write); updates then add to the Dirichlet parameters in place and note the columns they
touched. `refresh` recomputes what follows from these columns alone (means, logarithms,
utility, ambiguity, novelty) when the next inference or reader needs it.

Measured (benchmarks/test_algorithms.py, -k learning): packing again after each update cost
12 to 200 us, and copying the parameters for the caller was most of what was left. So
callers get read-only views; as long as somebody holds one, the next update works on a copy.
"""

cimport cython
from cpython.ref cimport PyObject
from libc.stdint cimport int32_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from freeagent_core._kernels.packed_model cimport (
    MAX_FACTORS, Factor, Group, Modality, Model, Scratch, Workspace, joint_belief,
)
from freeagent_core._kernels.primitives cimport P
from freeagent_core._kernels.python_input cimport new_array

import numpy as np


cdef extern from "<stdlib.h>":
    void* aligned_alloc(size_t alignment, size_t size) nogil

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject* object)
    PyObject* PyList_GET_ITEM(list list, Py_ssize_t i)  # borrowed, unlike Cython's own

cdef double EPS = 1e-16                    # pymdp.legacy.maths.EPS_VAL
cdef double MASK = 1.1253517471925912e-07  # exp(-16), pymdp.legacy.maths.spm_MDP_G


@cython.final
cdef class Block:
    """Memory that lives as long as the model which keeps it."""
    cdef void* memory

    def __dealloc__(self):
        free(self.memory)


cdef class DirichletParameters:
    """pA, pB or pD: arrays that are changed in place, and the read-only views callers get.

    Parameters
    ----------
    arrays : list of ndarray
        Each contiguous, belonging to no one else.
    action_first : bool
        The arrays have the axes of B the other way round: (action, previous, next).
    """

    def __init__(self, list arrays, bint action_first):
        self.owners = arrays
        self.action_first = action_first
        self.values = <double**>aligned_alloc(64, (len(arrays) * sizeof(double*) + 64) // 64 * 64)
        if self.values == NULL:
            raise MemoryError("no memory for the Dirichlet parameters")
        self._show()

    def __dealloc__(self):
        free(self.values)

    def _show(self):
        cdef double[::1] flat
        cdef Py_ssize_t i
        for i in range(len(self.owners)):
            flat = self.owners[i].reshape(-1)
            self.values[i] = &flat[0]
        self._views = [_ends_exchanged(owner) if self.action_first else owner.view()
                       for owner in self.owners]
        self.container = _read_only(self._views)

    # An owner is referred to by its list and as the base of one view, a view by its list and
    # the container; more references are somebody else's.
    cdef bint _is_held(self) except -1:
        cdef Py_ssize_t i
        if Py_REFCNT(<PyObject*>self.container) > 1:
            return True
        for i in range(len(self.owners)):
            if (Py_REFCNT(PyList_GET_ITEM(self.owners, i)) > 2
                    or Py_REFCNT(PyList_GET_ITEM(self._views, i)) > 2):
                return True
        return False

    # Call before writing: what callers hold does not change.
    cdef int detach(self) except -1:
        if self._is_held():
            self.owners = [owner.copy() for owner in self.owners]
            self._show()
        return 0


def _ends_exchanged(array):
    """Return a view with the first and the last axis exchanged."""
    return np.swapaxes(array, 0, -1)


def _read_only(arrays):
    """Return the arrays, made read-only, in an object array."""
    container = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        array.flags.writeable = False
        container[i] = array
    return container


cdef class LearnedModel(PackedModel):
    """The packed model of one agent that learns.

    Parameters
    ----------
    shared : PackedModel
        What it begins as; it takes its scratch memory too.
    pA, pB, pD : object array or None
        Dirichlet parameters of the shapes of A, B and D, not negative.
    """

    def __init__(self, PackedModel shared not None, pA, pB, pD):
        cdef Py_ssize_t num_factors = shared.model.num_factors
        if self._factors != NULL:
            raise TypeError("a LearnedModel cannot be initialised twice")
        self.shared = shared
        self.model = shared.model
        self._keep = []
        self._pool = shared._pool
        self.largest_joint = shared.largest_joint
        self.largest_stride = shared.largest_stride
        self._given = [pA, pB, pD]
        # freed by PackedModel
        self._factors = <Factor*>_copied(shared._factors, num_factors * sizeof(Factor))
        self._modalities = <Modality*>_copied(
            shared._modalities, self.model.num_modalities * sizeof(Modality))
        self._groups = <Group*>_copied(shared._groups, self.model.num_groups * sizeof(Group))
        self.model.factors = self._factors
        self.model.modalities = self._modalities
        self.model.groups = self._groups
        self.own.num_factors, self.own.num_groups = num_factors, self.model.num_groups
        self.own.factors, self.own.modalities, self.own.groups = (
            self._factors, self._modalities, self._groups)

    cdef void* _block(self, Py_ssize_t num_bytes) except NULL:
        cdef Block block = Block()
        block.memory = aligned_alloc(64, (num_bytes + 64) // 64 * 64)
        if block.memory == NULL:
            raise MemoryError(f"no memory for {num_bytes} bytes of learned parameters")
        memset(block.memory, 0, num_bytes)
        self._keep.append(block)
        return block.memory

    cdef double* _copy(self, const double* values, Py_ssize_t size) except NULL:
        cdef double* copy = <double*>self._block(size * sizeof(double))
        memcpy(copy, values, size * sizeof(double))
        return copy

    # --- the first update ----------------------------------------------------------------

    cdef int _own_A(self) except -1:
        cdef Model* model = &self.model
        cdef Group* group
        cdef Modality* modality
        cdef Py_ssize_t g, m
        pA = [np.array(p, dtype=np.float64, order="C") for p in self._given[0]]
        self.own.stale_columns = <unsigned char**>self._block(model.num_groups * sizeof(void*))
        for g in range(model.num_groups):
            group = &self._groups[g]
            for m in range(group.num_modalities):
                modality = &self._modalities[group.modalities[m]]
                if pA[group.modalities[m]].size != modality.num_obs * group.num_joint:
                    raise ValueError(f"pA[{group.modalities[m]}] must have the shape of A")
                modality.A = self._copy(modality.A, modality.num_obs * group.num_joint)
                modality.log_A = self._copy(modality.log_A, modality.num_obs * group.num_joint)
            group.utility = self._copy(group.utility, group.num_utility_steps * group.num_joint)
            group.outcomes = self._copy(group.outcomes, group.num_joint * group.outcome_stride)
            if group.novelty_A != NULL:
                group.novelty_A = self._copy(group.novelty_A,
                                             group.num_joint * group.novelty_stride)
                group.novelty_wA = self._copy(group.novelty_wA,
                                              group.num_joint * group.novelty_stride)
            self.own.stale_columns[g] = <unsigned char*>self._block(group.num_joint)
        self._pA = DirichletParameters(pA, False)
        self.own.pA = self._pA.values
        self.own.first_A = True
        return 0

    cdef int _own_B(self) except -1:
        cdef Model* model = &self.model
        cdef Factor* factor
        cdef double* B
        cdef Py_ssize_t f, i, k, size
        pB = [np.array(_ends_exchanged(p), dtype=np.float64, order="C") for p in self._given[1]]
        self.own.stale_transitions = <unsigned char**>self._block(model.num_factors * sizeof(void*))
        for f in range(model.num_factors):
            factor = &self._factors[f]
            size = factor.num_controls * factor.num_previous
            if pB[f].size != size * factor.num_states:
                raise ValueError(f"pB[{f}] must have the shape of B")
            if factor.B != NULL:
                factor.B = self._copy(factor.B, size * factor.stride)
            else:
                B = <double*>self._block(size * factor.stride * sizeof(double))
                for i in range(size):
                    for k in range(factor.sparse_start[i], factor.sparse_start[i + 1]):
                        B[i * factor.stride + factor.sparse_state[k]] = factor.sparse_B[k]
                factor.B = B
                factor.sparse_start = NULL
            if factor.wB != NULL:
                factor.wB = self._copy(factor.wB, size * factor.stride)
            if factor.backward != NULL:
                factor.backward = self._copy(factor.backward, factor.num_controls
                                             * factor.num_states * _padded(factor.num_previous))
            self.own.stale_transitions[f] = <unsigned char*>self._block(size)
        self._pB = DirichletParameters(pB, True)
        self.own.pB = self._pB.values
        self.own.first_B = True
        return 0

    cdef int _own_D(self) except -1:
        cdef Py_ssize_t f
        pD = [np.array(p, dtype=np.float64, order="C") for p in self._given[2]]
        for f in range(self.model.num_factors):
            if pD[f].size != self._factors[f].num_states:
                raise ValueError(f"pD[{f}] must have the shape of D")
        self.own.D = self._copy(self.model.D, self.model.qs_size)
        self.model.D = self.own.D
        self._pD = DirichletParameters(pD, False)
        self.own.pD = self._pD.values
        return 0

    # --- updates ---------------------------------------------------------------------------

    # Call with the GIL before the kernel of the same name.
    cdef int prepare_A(self) except -1:
        if self._pA is None:
            if self._given[0] is None:
                raise ValueError("update_A needs pA, the Dirichlet parameters of A")
            self._own_A()
        self._pA.detach()
        self._A = None
        return 0

    cdef int prepare_B(self) except -1:
        if self._pB is None:
            if self._given[1] is None:
                raise ValueError("update_B needs pB, the Dirichlet parameters of B")
            self._own_B()
        self._pB.detach()
        self._B = None
        return 0

    cdef int prepare_D(self) except -1:
        if self._pD is None:
            if self._given[2] is None:
                raise ValueError("update_D needs pD, the Dirichlet parameters of D")
            self._own_D()
        self._pD.detach()
        self._D = None
        return 0

    def restore(self, str name, list values):
        """Take over parameters ("pA", "pB" or "pD") that another agent of the model learned."""
        cdef Py_ssize_t g, f
        cdef bytes nothing
        self._given[("pA", "pB", "pD").index(name)] = values
        if name == "pA":
            self.prepare_A()
            for g in range(self.model.num_groups):
                memset(self.own.stale_columns[g], 1, self._groups[g].num_joint)
            self.own.first_A, self.own.stale_A = False, True
        elif name == "pB":
            self.prepare_B()
            for f in range(self.model.num_factors):
                memset(self.own.stale_transitions[f], 1,
                       self._factors[f].num_controls * self._factors[f].num_previous)
            self.own.first_B, self.own.stale_B = False, True
        else:
            self.prepare_D()
            nothing = bytes(self.model.num_factors)
            learn_D(&self.own, NULL, nothing, 0.0)
        self.bring_up_to_date()

    # --- what callers see ----------------------------------------------------------------

    def bring_up_to_date(self):
        """Do the work that updates have put off."""
        cdef Scratch scratch
        if self.own.stale_A or self.own.stale_B:
            scratch = self.take_scratch()
            with nogil:
                refresh(&self.own, &scratch.work)
            self.give_scratch(scratch)

    @property
    def pA(self):
        """Dirichlet parameters of A, read-only, or None before the first update."""
        return None if self._pA is None else self._pA.container

    @property
    def pB(self):
        """Dirichlet parameters of B, read-only, or None before the first update."""
        return None if self._pB is None else self._pB.container

    @property
    def pD(self):
        """Dirichlet parameters of D, read-only, or None before the first update."""
        return None if self._pD is None else self._pD.container

    @property
    def A(self):
        """The mean of pA, an object array, or None before the first update."""
        cdef Py_ssize_t m
        if self._A is None and self._pA is not None:
            self.bring_up_to_date()
            self._A = _read_only([
                new_array(self._modalities[m].A, owner.size).reshape(owner.shape)
                for m, owner in enumerate(self._pA.owners)])
        return self._A

    @property
    def B(self):
        """The mean of pB, an object array, or None before the first update."""
        cdef Py_ssize_t f
        cdef Factor* factor
        if self._B is None and self._pB is not None:
            self.bring_up_to_date()
            arrays = []
            for f in range(self.model.num_factors):
                factor = &self._factors[f]
                rows = new_array(factor.B,
                                 factor.num_controls * factor.num_previous * factor.stride)
                rows = rows.reshape(-1, factor.stride)[:, :factor.num_states]
                rows = rows.reshape(self._pB.owners[f].shape)
                arrays.append(np.ascontiguousarray(_ends_exchanged(rows)))
            self._B = _read_only(arrays)
        return self._B

    @property
    def D(self):
        """The mean of pD, an object array, or None before the first update."""
        cdef Py_ssize_t f
        if self._D is None and self._pD is not None:
            self._D = _read_only([
                new_array(self.model.D + self._factors[f].offset, self._factors[f].num_states)
                for f in range(self.model.num_factors)])
        return self._D


cdef Py_ssize_t _padded(Py_ssize_t size) noexcept nogil:
    return (size + 7) // 8 * 8


cdef void* _copied(const void* values, Py_ssize_t num_bytes) except NULL:
    cdef void* copy = aligned_alloc(64, (num_bytes + 64) // 64 * 64)
    if copy == NULL:
        raise MemoryError("no memory for the learned model")
    memcpy(copy, values, num_bytes)
    return copy


# --- kernels ---------------------------------------------------------------------------------

cdef const double* _joint(Learned* own, const double* qs, const int32_t* factors,
                          Py_ssize_t count, Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef Py_ssize_t i
    for i in range(count):
        parts[i] = qs + own.factors[factors[i]].offset
        sizes[i] = own.factors[factors[i]].num_states
    return joint_belief(parts, sizes, count, work.joint, work.largest_joint)


# pA[o, s] += lr * observation[o] * q(s) where A[o, s] > 0, in each modality to learn
# pymdp.legacy.learning.update_obs_likelihood_dirichlet_factorized. Cost: a row per outcome
# of positive probability.
cdef void learn_A(Learned* own, bint vectors, const double* qs, const unsigned char* to_learn,
                  double lr, Workspace* work) noexcept nogil:
    cdef Group* group
    cdef Modality* modality
    cdef const double* q
    cdef const double* mask
    cdef double weight
    cdef Py_ssize_t g, k, m, o, s, row
    for g in range(own.num_groups):
        group = &own.groups[g]
        q = _joint(own, qs, group.factors, group.num_factors, work)
        if own.first_A:  # A need not have been the mean of pA
            memset(own.stale_columns[g], 1, group.num_joint)
        else:
            for s in range(group.num_joint):
                own.stale_columns[g][s] |= q[s] != 0.0
        for k in range(group.num_modalities):
            m = group.modalities[k]
            if not to_learn[m]:
                continue
            modality = &own.modalities[m]
            # A > 0 where its parameters are, once it is their mean
            mask = modality.A if own.first_A else own.pA[m]
            for o in range(modality.num_obs):
                weight = work.distributions[m][o] if vectors else 1.0 * (
                    o == work.observation[m])
                if weight != 0.0:
                    row = o * group.num_joint
                    P.add_counts(lr, weight, q, mask + row, own.pA[m] + row, group.num_joint)
    own.first_A = False
    own.stale_A = True


# pB[s, p, u] += lr * q(s) q(p) where B[s, p, u] > 0, for the action u taken
# pymdp.legacy.learning.update_state_likelihood_dirichlet_interactions. Cost: a column per
# previous state of positive probability.
cdef void learn_B(Learned* own, const Py_ssize_t* action, const double* qs,
                  const double* qs_previous, const unsigned char* to_learn, double lr,
                  Workspace* work) noexcept nogil:
    cdef Factor* factor
    cdef const double* q
    cdef const double* mask
    cdef Py_ssize_t f, p, row, mask_stride
    for f in range(own.num_factors):
        factor = &own.factors[f]
        if own.first_B:
            memset(own.stale_transitions[f], 1, factor.num_controls * factor.num_previous)
        if not to_learn[f]:
            continue
        q = _joint(own, qs_previous, factor.dependencies, factor.num_dependencies, work)
        row = action[f] * factor.num_previous
        mask = factor.B if own.first_B else own.pB[f]
        mask_stride = factor.stride if own.first_B else factor.num_states
        for p in range(factor.num_previous):
            if q[p] != 0.0:
                own.stale_transitions[f][row + p] = 1
                P.add_counts(lr, q[p], qs + factor.offset, mask + (row + p) * mask_stride,
                             own.pB[f] + (row + p) * factor.num_states, factor.num_states)
    own.first_B = False
    own.stale_B = True


# pD[s] += lr * q(s) where pD[s] > 0; D = pD / sum(pD)
# pymdp.legacy.learning.update_state_prior_dirichlet
cdef void learn_D(Learned* own, const double* qs, const unsigned char* to_learn,
                  double lr) noexcept nogil:
    cdef Factor* factor
    cdef Py_ssize_t f, s
    cdef double total
    for f in range(own.num_factors):
        factor = &own.factors[f]
        if to_learn[f]:
            P.add_counts(lr, 1.0, qs + factor.offset, own.pD[f], own.pD[f], factor.num_states)
        total = P.sum(own.pD[f], factor.num_states)
        for s in range(factor.num_states):
            own.D[factor.offset + s] = own.pD[f][s] / total


# Bring A, B and all that depends on them up to date.
cdef void refresh(Learned* own, Workspace* work) noexcept nogil:
    cdef Py_ssize_t g, f, s
    if own.stale_A:
        for g in range(own.num_groups):
            for s in range(own.groups[g].num_joint):
                if own.stale_columns[g][s]:
                    _refresh_column(own, &own.groups[g], s, work)
            memset(own.stale_columns[g], 0, own.groups[g].num_joint)
        own.stale_A = False
    if own.stale_B:
        for f in range(own.num_factors):
            _refresh_transitions(own, f)
        own.stale_B = False


# One joint state of a group: A = pA / sum(pA), and what `_packing._pack_group` makes of
# it. Cost: two logarithms an outcome.
cdef void _refresh_column(Learned* own, Group* group, Py_ssize_t s,
                          Workspace* work) noexcept nogil:
    cdef Modality* modality
    cdef double* column = work.row                  # room for two padded columns
    cdef double* outcomes = <double*>group.outcomes + s * group.outcome_stride
    cdef double* novelty_A = <double*>group.novelty_A + s * group.novelty_stride
    cdef double* novelty_wA = <double*>group.novelty_wA + s * group.novelty_stride
    cdef double total, raised, neg_ambiguity = 0.0
    cdef Py_ssize_t k, m, o, step, filled = 1, before = 0
    for step in range(group.num_utility_steps):
        (<double*>group.utility)[step * group.num_joint + s] = 0.0
    outcomes[0] = 1.0
    for k in range(group.num_modalities):
        m = group.modalities[k]
        modality = &own.modalities[m]
        for o in range(modality.num_obs):
            column[o] = own.pA[m][o * group.num_joint + s]
        total = P.sum(column, modality.num_obs)
        if group.novelty_wA != NULL:
            raised = 0.0
            for o in range(modality.num_obs):
                raised += column[o] + EPS
            for o in range(modality.num_obs):
                novelty_wA[before + o] = (
                    1.0 / raised - 1.0 / (column[o] + EPS)) * (column[o] > 0.0)
        for o in range(modality.num_obs):
            column[o] /= total
            (<double*>modality.A)[o * group.num_joint + s] = column[o]
        if group.novelty_A != NULL:
            memcpy(novelty_A + before, column, modality.num_obs * sizeof(double))
        for step in range(group.num_utility_steps):
            (<double*>group.utility)[step * group.num_joint + s] += P.dot(
                modality.log_C + (step if modality.num_C_steps > 1 else 0) * modality.num_obs,
                column, modality.num_obs)
        if group.joint_outcomes:  # outcomes = outer(outcomes, column), from its end
            for step in range(filled - 1, -1, -1):
                total = outcomes[step]
                for o in range(modality.num_obs):
                    outcomes[step * modality.num_obs + o] = total * column[o]
            filled *= modality.num_obs
        else:
            memcpy(outcomes + before, column, modality.num_obs * sizeof(double))
        before += modality.num_obs
        P.log_eps(column, modality.num_obs, column)
        for o in range(modality.num_obs):
            (<double*>modality.log_A)[o * group.num_joint + s] = column[o]
    for o in range(group.num_outcomes):
        column[o] = outcomes[o] + MASK
    P.log(column, group.num_outcomes, column)
    outcomes[group.num_outcomes] = P.dot(outcomes, column, group.num_outcomes)

# B = pB / sum(pB) over the next state, and what `_packing._pack_factor` makes of it.
cdef void _refresh_transitions(Learned* own, Py_ssize_t f) noexcept nogil:
    cdef Factor* factor = &own.factors[f]
    cdef Py_ssize_t u, p, s, column, padded = _padded(factor.num_previous)
    cdef double total, raised
    cdef const double* pB
    cdef double* B
    cdef double* wB
    cdef double* backward
    cdef bint changed
    for u in range(factor.num_controls):
        changed = False
        for p in range(factor.num_previous):
            column = u * factor.num_previous + p
            if not own.stale_transitions[f][column]:
                continue
            changed = True
            pB = own.pB[f] + column * factor.num_states
            B = <double*>factor.B + column * factor.stride
            total = P.sum(pB, factor.num_states)
            for s in range(factor.num_states):
                B[s] = pB[s] / total
            if factor.wB != NULL:
                wB = <double*>factor.wB + column * factor.stride
                raised = 0.0
                for s in range(factor.num_states):
                    raised += pB[s] + EPS
                for s in range(factor.num_states):
                    wB[s] = (1.0 / raised - 1.0 / (pB[s] + EPS)) * (pB[s] > 0.0)
        if changed and factor.backward != NULL:
            B = <double*>factor.B + u * factor.num_previous * factor.stride
            for s in range(factor.num_states):
                backward = <double*>factor.backward + (u * factor.num_states + s) * padded
                total = 0.0
                for p in range(factor.num_previous):
                    backward[p] = B[p * factor.stride + s] + EPS
                    total += backward[p]
                for p in range(factor.num_previous):
                    backward[p] /= total
    memset(own.stale_transitions[f], 0, factor.num_controls * factor.num_previous)
