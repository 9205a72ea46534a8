"""A packed model with arrays of its own for what one agent learns.

It starts with the shared model's arrays. The first update of A, B or D copies those (copy on
write); updates then add to the Dirichlet parameters in place and mark the columns they
touched. `refresh` recomputes what depends on these columns (means, logarithms, utility,
ambiguity, w arrays) when the next inference or reader needs it.

Measured (benchmarks/test_algorithms.py, -k learning): packing again after each update cost
12 to 200 us, and copying the parameters for the caller was most of what was left. So
callers get views; as long as somebody holds one, the next update works on a copy. Callers may
write into them: a fingerprint tells the next call that they did.
"""

cimport cython
from cpython.ref cimport PyObject
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from freeagent_core._kernels.model.python_input cimport new_array
from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model, padded
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace
from freeagent_core._kernels.learning.dirichlet_updates cimport learn_D, refresh

import numpy as np


cdef extern from "<stdlib.h>":
    void* aligned_alloc(size_t alignment, size_t size) nogil

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject* object)
    PyObject* PyList_GET_ITEM(list list, Py_ssize_t i)  # borrowed, unlike Cython's own


@cython.final
cdef class Block:
    """Memory that lives as long as the model which keeps it."""
    cdef void* memory

    def __dealloc__(self):
        free(self.memory)


cdef class DirichletParameters:
    """pA, pB or pD: arrays that are changed in place, and the views that callers get.

    Parameters
    ----------
    arrays : list of ndarray
        Each contiguous, belonging to no one else.
    action_first : bool
        The arrays have the axes of B reversed: (action, previous, next).
    """

    def __init__(self, list arrays, bint action_first):
        self.owners = arrays
        self.action_first = action_first
        self.values = <double**>aligned_alloc(
            64, (len(arrays) * (sizeof(double*) + sizeof(Py_ssize_t)) + 64) // 64 * 64)
        if self.values == NULL:
            raise MemoryError("no memory for the Dirichlet parameters")
        self._sizes = <Py_ssize_t*>(self.values + len(arrays))
        self._make_views()

    def __dealloc__(self):
        free(self.values)

    def _make_views(self):
        cdef double[::1] flat
        cdef Py_ssize_t i
        for i in range(len(self.owners)):
            flat = self.owners[i].reshape(-1)
            self.values[i], self._sizes[i] = &flat[0], flat.shape[0]
        self._views = [_ends_exchanged(owner) if self.action_first else owner.view()
                       for owner in self.owners]
        self.container = _as_object_array(self._views)
        self._shown = 0

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
            self._make_views()
        self._shown = 0
        return 0


    # Sums of bits and sums of their sums, in eight lanes (J. Fletcher, "An Arithmetic Checksum for
    # Serial Transmissions", IEEE Trans. Comm. 30, 1982): one change of an entry always shows.
    # Cost: two additions an entry, vectorised.
    cdef uint64_t _fingerprint(self) noexcept:
        cdef uint64_t first[8]
        cdef uint64_t second[8]
        cdef const uint64_t* bits
        cdef uint64_t result = 1
        cdef Py_ssize_t i, k, j, n
        memset(first, 0, sizeof(first))
        memset(second, 0, sizeof(second))
        for i in range(len(self.owners)):
            bits, n = <uint64_t*>self.values[i], self._sizes[i]
            for k in range(n // 8):
                for j in range(8):
                    first[j] += bits[8 * k + j]
                    second[j] += first[j]
            for k in range(n - n % 8, n):
                first[k % 8] += bits[k]
                second[k % 8] += first[k % 8]
        for j in range(8):
            result = (result ^ first[j]) * <uint64_t>0x9E3779B97F4A7C15
            result = (result ^ second[j]) * <uint64_t>0x9E3779B97F4A7C15
        return result | 1

    cdef object show(self):
        if self._shown == 0:
            self._shown = self._fingerprint()
        return self.container

    # Whether a caller has written into what was shown, or put another array in its place.
    cdef bint is_written(self) except -1:
        cdef Py_ssize_t i
        if self._shown == 0:
            return False
        if self._fingerprint() != self._shown:
            return True
        for i in range(len(self._views)):
            if self.container[i] is not self._views[i]:
                return True
        if not self._is_held():
            self._shown = 0
        return False


def _ends_exchanged(array):
    """Return a view with the first and the last axis exchanged."""
    return np.swapaxes(array, 0, -1)


def _as_object_array(arrays):
    container = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        container[i] = array
    return container


cdef class LearnedModel(PackedModel):
    """The packed model of one agent that learns.

    Parameters
    ----------
    shared : PackedModel
        The model it starts as; both share one pool of workspaces.
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
        self.uses_belief_graph = shared.uses_belief_graph
        self.short_step = shared.short_step
        self.workspace_sizes = shared.workspace_sizes
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
        model.matrices.num_steps = 0  # made when a model is packed
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
                if modality.A == NULL:  # packing keeps A whole where there is pA
                    raise ValueError(f"A[{group.modalities[m]}] is too large to be learned")
                modality.A = self._copy(modality.A, modality.num_obs * group.num_joint)
                modality.log_A = self._copy(modality.log_A, modality.num_obs * group.num_joint)
            group.utility = self._copy(group.utility, group.num_utility_steps * group.num_joint)
            self._own_outcomes(group)
            if group.A_by_state != NULL:
                group.A_by_state = self._copy(group.A_by_state,
                                              group.num_joint * group.wA_stride)
                group.wA_by_state = self._copy(group.wA_by_state,
                                               group.num_joint * group.wA_stride)
            self.own.stale_columns[g] = <unsigned char*>self._block(group.num_joint)
        self._pA = DirichletParameters(pA, False)
        self.own.pA = self._pA.values
        self.own.first_A = True
        return 0

    # All outcomes dense: the first refresh fills them, for all states.
    cdef int _own_outcomes(self, Group* group) except -1:
        cdef bint in_order = group.contraction == group.outcomes
        cdef Py_ssize_t size
        if group.learned_complement_start != NULL:
            group.complement_start = group.learned_complement_start
            group.num_complements = 1 if group.joint_outcomes else group.num_modalities
            group.num_outcomes = group.complement_start[group.num_complements]
        else:  # only dense modalities have complements
            group.num_outcomes += group.num_complements + group.num_sparse_outcomes
            group.num_complements = 0
        group.outcome_stride = padded(group.num_outcomes + 1)
        group.num_sparse_outcomes = 0
        group.sparse_start = NULL
        size = group.num_joint * group.outcome_stride * <Py_ssize_t>sizeof(double)
        group.outcomes = <double*>self._block(size)
        group.contraction = group.outcomes if in_order else <double*>self._block(size)
        group.point_mass_gain = self._copy(group.point_mass_gain, group.num_joint)
        group.next_outcomes = NULL
        return 0

    cdef int _own_B(self) except -1:
        cdef Model* model = &self.model
        model.matrices.num_steps = 0  # made when a model is packed
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
            # all actions dense
            B = <double*>self._block(size * factor.stride * sizeof(double))
            for i in range(size):
                if factor.is_sparse[i // factor.num_previous]:
                    for k in range(factor.sparse_start[i], factor.sparse_start[i + 1]):
                        B[i * factor.stride + factor.sparse_state[k]] = factor.sparse_B[k]
                else:
                    memcpy(B + i * factor.stride, factor.B + i * factor.stride,
                           factor.stride * sizeof(double))
            factor.B = B
            factor.is_sparse = <unsigned char*>self._block(factor.num_controls)
            factor.deterministic_next = NULL
        for i in range(model.num_groups):
            self._groups[i].next_outcomes = NULL  # it depends on B
        for f in range(model.num_factors):
            factor = &self._factors[f]
            size = factor.num_controls * factor.num_previous
            if factor.wB != NULL:
                factor.wB = self._copy(factor.wB, size * factor.stride)
            if factor.backward != NULL:
                factor.backward = self._copy(factor.backward, factor.num_controls
                                             * factor.num_states * padded(factor.num_previous))
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

    cdef int _require_given(self, str name) except -1:
        if self._given["ABD".index(name)] is None:
            raise ValueError(f"update_{name} needs p{name}, the Dirichlet parameters of {name}")
        return 0

    # Call with the GIL before the kernel of the same name.
    cdef int prepare_A(self) except -1:
        if self._pA is None:
            self._require_given("A")
            self._own_A()
        self._pA.detach()
        self._A = None
        return 0

    cdef int prepare_B(self) except -1:
        if self._pB is None:
            self._require_given("B")
            self._own_B()
        self._pB.detach()
        self._B = None
        return 0

    cdef int prepare_D(self) except -1:
        if self._pD is None:
            self._require_given("D")
            self._own_D()
        self._pD.detach()
        self._D = None
        return 0

    def restore(self, str name, list values):
        """Adopt parameters ("pA", "pB" or "pD") that another agent of the model learned."""
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

    def written(self):
        """Return which of pA, pB and pD callers have written into since they were shown."""
        return [name for name, parameters in
                (("pA", self._pA), ("pB", self._pB), ("pD", self._pD))
                if parameters is not None and (<DirichletParameters>parameters).is_written()]

    cdef bint is_written(self) except -1:
        return ((self._pA is not None and self._pA.is_written())
                or (self._pB is not None and self._pB.is_written())
                or (self._pD is not None and self._pD.is_written()))

    def bring_up_to_date(self):
        """Do the work that updates have deferred."""
        cdef OwnedWorkspace workspace
        if self.own.stale_A or self.own.stale_B:
            workspace = self.acquire_workspace()
            with nogil:
                refresh(&self.own, &workspace.work)
            self.release_workspace(workspace)

    @property
    def pA(self):
        """Dirichlet parameters of A, or None before the first update."""
        return None if self._pA is None else self._pA.show()

    @property
    def pB(self):
        """Dirichlet parameters of B, or None before the first update."""
        return None if self._pB is None else self._pB.show()

    @property
    def pD(self):
        """Dirichlet parameters of D, or None before the first update."""
        return None if self._pD is None else self._pD.show()

    @property
    def A(self):
        """The mean of pA, an object array, or None before the first update."""
        cdef Py_ssize_t m
        if self._A is None and self._pA is not None:
            self.bring_up_to_date()
            self._A = _as_object_array([
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
            self._B = _as_object_array(arrays)
        return self._B

    @property
    def D(self):
        """The mean of pD, an object array, or None before the first update."""
        cdef Py_ssize_t f
        if self._D is None and self._pD is not None:
            self._D = _as_object_array([
                new_array(self.model.D + self._factors[f].offset, self._factors[f].num_states)
                for f in range(self.model.num_factors)])
        return self._D


cdef void* _copied(const void* values, Py_ssize_t num_bytes) except NULL:
    cdef void* copy = aligned_alloc(64, (num_bytes + 64) // 64 * 64)
    if copy == NULL:
        raise MemoryError("no memory for the learned model")
    memcpy(copy, values, num_bytes)
    return copy
