# cython: boundscheck=True, wraparound=True
"""A packed model with arrays of its own for what one agent learns.

It starts with the shared model's arrays. The first update of A, B or D allocates the agent's own,
one block each, which the kernel fills; updates then add to the Dirichlet parameters in place and
mark the columns that they changed. `dirichlet_updates` recomputes what depends on these columns
when the next inference or reader needs it. Agents of a population have the same without the Python
objects; callers get copies of theirs, by the functions below.

Measured (benchmarks/test_algorithms.py, -k learning): packing again after each update cost
12 to 200 us, and copying the parameters for the caller was most of what was left. So
callers get views; as long as somebody holds one, the next update works on a copy. Callers may
write into them: a fingerprint tells the next call that they did.
"""

cimport cython
from cpython.ref cimport PyObject
from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.aligned_memory cimport allocate_aligned
from freeagent_core._kernels.model.python_input cimport new_array
from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model
from freeagent_core._kernels.learning.dirichlet_updates cimport refresh
from freeagent_core._kernels.learning.own_arrays cimport (
    adopt_A, adopt_B, begin_learned, free_learned, own_A, own_B, own_D,
)

import math

import numpy as np


cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject* object)
    PyObject* PyList_GET_ITEM(list list, Py_ssize_t i)  # borrowed, unlike Cython's own


@cython.final
cdef class Block:
    """Memory that lives as long as what keeps it."""
    cdef void* memory

    def __dealloc__(self):
        free(self.memory)


cdef Block _new_block(Py_ssize_t num_bytes):
    cdef Block block = Block()
    block.memory = allocate_aligned(num_bytes)
    if block.memory == NULL:
        raise MemoryError(f"no memory for {num_bytes} bytes of learned parameters")
    return block


cdef class DirichletParameters:
    """pA, pB or pD: arrays that are changed in place, and the views that callers get.

    Parameters
    ----------
    shapes : list of tuple of int
        Of the arrays, which `values` points to.
    action_first : bool
        The arrays have the axes of B reversed: (action, previous, next).
    """

    def __cinit__(self, list shapes, bint action_first):
        cdef Py_ssize_t i
        self.shapes, self.action_first = shapes, action_first
        self._sizes = <Py_ssize_t*>allocate_aligned(len(shapes) * sizeof(Py_ssize_t))
        if self._sizes == NULL:
            raise MemoryError("no memory for the Dirichlet parameters")
        for i, shape in enumerate(shapes):
            self._sizes[i] = math.prod(shape)

    def __dealloc__(self):
        free(self._sizes)

    # Before callers are shown anything: NumPy arrays in the place of that memory.
    cdef int own_arrays(self) except -1:
        cdef Py_ssize_t i
        if self.owners is None:
            # copies that own their data: views that callers make of them count as references
            self._adopt_arrays(_copies(self.values, self.shapes))
        return 0

    # All of it, or nothing where memory runs out.
    cdef int _adopt_arrays(self, list owners) except -1:
        cdef double[::1] flat
        cdef Py_ssize_t i
        addresses = []
        for owner in owners:
            flat = owner.reshape(-1)
            addresses.append(<uintptr_t>&flat[0])
        views = [_ends_exchanged(owner) if self.action_first else owner.view() for owner in owners]
        container = _as_object_array(views)
        for i in range(len(owners)):
            self.values[i] = <double*><uintptr_t>addresses[i]
        self.owners, self._views, self.container, self._shown = owners, views, container, 0
        return 0

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
        if self.owners is None:
            return 0
        if self._is_held():
            self._adopt_arrays([owner.copy() for owner in self.owners])
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


cdef class FirstParameters:
    """Dirichlet parameters that agents of one model begin with, as the kernels have them: made when
    the first agent learns, for all.

    Parameters
    ----------
    pA, pB, pD : object array or None
        Of the shapes of A, B and D, not negative.
    """

    def __init__(self, pA, pB, pD):
        self._given = pA, pB, pD
        self._arrays = [None, None, None]
        self._pointers = [None, None, None]

    # Where pA, pB or pD (0, 1, 2) are, of the shapes of `shared`; the arrays are in _arrays[which].
    cdef const double** values(self, PackedModel shared, Py_ssize_t which) except NULL:
        cdef const Model* model = &shared.model
        cdef const double[::1] flat
        cdef const double** pointers
        cdef Block block
        cdef Py_ssize_t i, size, count = model.num_modalities if which == 0 else model.num_factors
        if self._pointers[which] is None:
            if self._given[which] is None:
                name = "ABD"[which]
                raise ValueError(
                    f"update_{name} needs p{name}, the Dirichlet parameters of {name}")
            for i in range(model.num_modalities if which == 0 else 0):
                if model.modalities[i].A == NULL:  # packing keeps A whole where there is pA
                    raise ValueError(f"A[{i}] is too large to be learned")
            arrays = [np.ascontiguousarray(_ends_exchanged(p) if which == 1 else p, np.float64)
                      for p in self._given[which]]
            block = _new_block(count * sizeof(double*))
            pointers = <const double**>block.memory
            for i in range(count):
                if which == 0:
                    size = model.modalities[i].num_obs * _num_joint(model, i)
                else:
                    size = model.factors[i].num_states
                    if which == 1:
                        size *= model.factors[i].num_controls * model.factors[i].num_previous
                if arrays[i].size != size:
                    raise ValueError(f"p{'ABD'[which]}[{i}] must have the shape of {'ABD'[which]}")
                flat = arrays[i].reshape(-1)
                pointers[i] = &flat[0]
            self._arrays[which], self._pointers[which] = arrays, block
        block = self._pointers[which]
        return <const double**>block.memory

    # The shapes of the arrays of pA, pB or pD (0, 1, 2), once `values` has made them.
    cdef list shapes(self, Py_ssize_t which):
        return [array.shape for array in self._arrays[which]]


# Joint states of the factors that a modality depends on. Cost: num_groups.
cdef Py_ssize_t _num_joint(const Model* model, Py_ssize_t modality) except -1:
    cdef Py_ssize_t g, k
    for g in range(model.num_groups):
        for k in range(model.groups[g].num_modalities):
            if model.groups[g].modalities[k] == modality:
                return model.groups[g].num_joint
    raise ValueError(f"modality {modality} is in no group")


cdef class LearnedModel(PackedModel):
    """The packed model of one agent that learns.

    Parameters
    ----------
    shared : PackedModel
        The model it starts as; both share one pool of workspaces.
    first : FirstParameters
        Of that model.
    """

    def __dealloc__(self):
        free_learned(&self.own)

    def __init__(self, PackedModel shared not None, FirstParameters first not None):
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
        self._first = first
        # freed by PackedModel
        self._factors = <Factor*>_copied(shared._factors, num_factors * sizeof(Factor))
        self._modalities = <Modality*>_copied(
            shared._modalities, self.model.num_modalities * sizeof(Modality))
        self._groups = <Group*>_copied(shared._groups, self.model.num_groups * sizeof(Group))
        begin_learned(&self.own, &self.model, self._factors, self._modalities, self._groups,
                      shared.uses_belief_graph)

    # --- updates ---------------------------------------------------------------------------

    # Call with the GIL before the kernel of the same name.
    cdef int prepare_A(self) except -1:
        if self._pA is None:
            self._pA = self._own(0)
        self._pA.detach()
        self._A = None
        return 0

    cdef int prepare_B(self) except -1:
        if self._pB is None:
            self._pB = self._own(1)
        self._pB.detach()
        self._B = None
        return 0

    cdef int prepare_D(self) except -1:
        if self._pD is None:
            self._pD = self._own(2)
        self._pD.detach()
        self._D = None
        return 0

    cdef DirichletParameters _own(self, Py_ssize_t which):
        cdef DirichletParameters parameters
        own_parameters(&self.own, self._first, self.shared, which)
        parameters = DirichletParameters(self._first.shapes(which), which == 1)
        if which == 0:
            parameters.values = self.own.pA
        else:
            parameters.values = self.own.pB if which == 1 else self.own.pD
        return parameters

    # Call, while nobody else can, before callers are shown pA, pB or pD.
    cdef int show_A(self) except -1:
        adopt_A(&self.own)
        return self._pA.own_arrays()

    cdef int show_B(self) except -1:
        adopt_B(&self.own)
        return self._pB.own_arrays()

    cdef int show_D(self) except -1:
        return self._pD.own_arrays()

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

    @property
    def pA(self):
        """Dirichlet parameters of A, or None before the first update."""
        if self._pA is None:
            return None
        self.show_A()
        return self._pA.show()

    @property
    def pB(self):
        """Dirichlet parameters of B, or None before the first update."""
        if self._pB is None:
            return None
        self.show_B()
        return self._pB.show()

    @property
    def pD(self):
        """Dirichlet parameters of D, or None before the first update."""
        if self._pD is None:
            return None
        self.show_D()
        return self._pD.show()

    @property
    def A(self):
        """The mean of pA, an object array, or None before the first update."""
        if self._A is None and self._pA is not None:
            self.show_A()
            self._A = learned_arrays(&self.own, "A", self._pA.shapes)
        return self._A

    @property
    def B(self):
        """The mean of pB, an object array, or None before the first update."""
        if self._B is None and self._pB is not None:
            self.show_B()
            self._B = learned_arrays(&self.own, "B", self._pB.shapes)
        return self._B

    @property
    def D(self):
        """The mean of pD, an object array, or None before the first update."""
        if self._D is None and self._pD is not None:
            self._D = learned_arrays(&self.own, "D", self._pD.shapes)
        return self._D


# Before pA, pB or pD (0, 1, 2) is learned: the agent's own, of which the first ones are `first`.
cdef int own_parameters(Learned* own, FirstParameters first, PackedModel shared,
                        Py_ssize_t which) except -1:
    cdef const double** values = first.values(shared, which)
    cdef int status
    if which == 0:
        status = own_A(own, values)
    elif which == 1:
        status = own_B(own, values)
    else:
        status = own_D(own, values)
    if status != 0:
        raise MemoryError("no memory for what an agent learns")
    return 0


# Copies of A, B, D, pA, pB or pD of an agent that has learned it, of the `shapes` that the kernels
# have, as callers know them.
cdef object learned_arrays(Learned* own, str name, list shapes):
    cdef const Factor* factor
    cdef Py_ssize_t i
    if name == "pA":
        return _as_object_array(_copies(own.pA, shapes))
    if name == "pB":
        return _as_object_array([_ends_exchanged(p) for p in _copies(own.pB, shapes)])
    if name == "pD":
        return _as_object_array(_copies(own.pD, shapes))
    refresh(own, own.model)
    arrays = []
    for i, shape in enumerate(shapes):
        if name == "A":
            array = new_array(own.modalities[i].A, math.prod(shape)).reshape(shape)
        elif name == "D":
            array = new_array(own.D + own.factors[i].offset, own.factors[i].num_states)
        else:
            factor = &own.factors[i]
            rows = new_array(factor.B, factor.num_controls * factor.num_previous * factor.stride)
            rows = rows.reshape(-1, factor.stride)[:, :factor.num_states].reshape(shape)
            array = np.ascontiguousarray(_ends_exchanged(rows))
        arrays.append(array)
    return _as_object_array(arrays)


# Arrays that own their data: views that callers make of them count as references.
cdef list _copies(double** values, list shapes):
    cdef Py_ssize_t i
    return [new_array(values[i], math.prod(shape)).reshape(shape).copy()
            for i, shape in enumerate(shapes)]


cdef void* _copied(const void* values, Py_ssize_t num_bytes) except NULL:
    cdef void* copy = allocate_aligned(num_bytes)
    if copy == NULL:
        raise MemoryError("no memory for the learned model")
    memcpy(copy, values, num_bytes)
    return copy
