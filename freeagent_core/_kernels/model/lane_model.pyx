"""What blocks of eight agents need beside the packed model, and their memory: an array of n entries
is n rows of eight doubles, one an agent (csrc/lanes.h).

`freeagent_core._model.lane_packing` decides which models have it.
"""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free

from freeagent_core._kernels.base.growable_array cimport grow
from freeagent_core._kernels.base.primitives cimport P
from freeagent_core._kernels.base.status cimport NO_MEMORY
from freeagent_core._kernels.model.structs cimport Factor, Group, PolicyTree

import numpy as np


cdef enum:
    NUM_PARTS = 32                 # of LaneMemory
    TRANSCENDENTAL = 16            # operations of a logarithm or an exponential
    ITERATIONS = 8                 # of the fixed point, of the slowest of eight agents
    GATHERED = 8                   # operations for an entry of agents' own arrays


cdef class PackedLanes:
    """A model for blocks of agents.

    Parameters
    ----------
    packed : PackedModel
        With a policy tree, and no belief graph.
    B : list of ndarray of float64, shape (num_controls, num_previous, num_states)
        Per factor; with `own` the last axis has the packed model's stride.
    A : list of ndarray of float64, shape (num_outcomes, num_joint)
        Per group of modalities.
    own : bool
        Of agents that learn, each with arrays of its own.
    """

    def __cinit__(self):
        self._groups = NULL
        self._modalities = NULL

    def __dealloc__(self):
        free(self._groups)
        free(self._modalities)

    def __init__(self, PackedModel packed not None, list B, list A, bint own=False):
        cdef const Model* model = &packed.model
        cdef const PolicyTree* tree = &model.tree
        cdef LaneModel* lanes = &self.lanes
        cdef const Factor* factor
        cdef const Group* group
        cdef Py_ssize_t[::1] starts
        cdef Py_ssize_t f, g, i, m, outcomes
        if self._groups != NULL:
            raise TypeError("a PackedLanes cannot be initialised twice")
        if packed.uses_belief_graph or tree.num_steps or not tree.num_enumerated:
            raise ValueError("lanes need a policy tree")
        if len(B) != model.num_factors or len(A) != model.num_groups:
            raise ValueError("lanes need B of each factor and A of each group")
        self._groups = <LaneGroup*>calloc(model.num_groups, sizeof(LaneGroup))
        self._modalities = <const double**>calloc(model.num_modalities, sizeof(double*))
        if self._groups == NULL or self._modalities == NULL:
            raise MemoryError("no memory for the lanes of a model")
        self.packed, self._keep = packed, []
        lanes.model, lanes.groups, lanes.own = model, self._groups, own
        for m in range(model.num_modalities):
            self._modalities[m] = model.modalities[m].A
        lanes.A = self._modalities
        for f in range(model.num_factors):
            factor = &model.factors[f]
            lanes.B_stride[f] = factor.stride if own else factor.num_states
            lanes.B[f] = self._array(
                B[f], (factor.num_controls, factor.num_previous, lanes.B_stride[f]), f"B[{f}]")
            lanes.B_start[f] = lanes.num_B
            if own:
                lanes.num_B += factor.num_controls * factor.num_previous * factor.num_states
            lanes.state_start[f] = lanes.num_states
            lanes.num_states += factor.num_states
            lanes.max_joint = max(lanes.max_joint, factor.num_previous)
            lanes.max_entries = max(lanes.max_entries, factor.num_states)
        for g in range(model.num_groups):
            group = &model.groups[g]
            outcomes = 0
            for m in range(group.num_modalities):
                outcomes += model.modalities[group.modalities[m]].num_obs
            self._groups[g].A = self._array(A[g], (outcomes, group.num_joint), f"A of group {g}")
            self._groups[g].num_outcomes = outcomes
            self._groups[g].likelihood_start = lanes.num_likelihoods
            lanes.num_likelihoods += group.num_joint
            self._groups[g].A_start, self._groups[g].utility_start = lanes.num_A, lanes.num_utilities
            if own:
                lanes.num_A += outcomes * group.num_joint
                lanes.num_utilities += group.num_utility_steps * group.num_joint
            lanes.max_joint = max(lanes.max_joint, group.num_joint)
            lanes.max_entries = max(lanes.max_entries, group.num_joint, outcomes)
        lanes.max_choice = max(tree.num_policies, model.num_controls_total)
        lanes.max_entries = max(lanes.max_entries, lanes.max_choice)
        starts = node_starts = np.empty(tree.num_factor_nodes, dtype=np.intp)
        for i in range(tree.num_factor_nodes):
            starts[i] = lanes.num_node_states
            lanes.num_node_states += model.factors[tree.node_factor[i]].num_states
        self._keep.append(node_starts)
        lanes.node_start = &starts[0]

    @property
    def num_rows(self):
        """Rows of eight doubles that a block takes."""
        cdef LaneMemory memory
        cdef Py_ssize_t sizes[NUM_PARTS]
        cdef double** parts[NUM_PARTS]
        return _parts(&self.lanes, &memory, parts, sizes)

    @property
    def num_operations(self):
        """Estimated multiply-adds of a block, the same for all beliefs; a logarithm or an
        exponential counts as 16, an entry of agents' own arrays as 8, and the fixed point has 8
        iterations."""
        cdef const Model* model = &self.packed.model
        cdef const PolicyTree* tree = &model.tree
        cdef const Factor* factor
        cdef Py_ssize_t i, joint, outcomes, count = TRANSCENDENTAL * tree.num_policies
        for i in range(tree.num_factor_nodes):
            factor = &model.factors[tree.node_factor[i]]
            count += factor.num_previous * factor.num_states
        for i in range(tree.num_group_nodes):
            joint = model.groups[tree.group_of[i]].num_joint
            outcomes = self._groups[tree.group_of[i]].num_outcomes
            count += joint * (outcomes + 4) + TRANSCENDENTAL * outcomes
        if model.num_factors > 1:
            count += ITERATIONS * (TRANSCENDENTAL * self.lanes.num_states
                                   + 3 * self.lanes.num_likelihoods)
        return count + GATHERED * (self.lanes.num_A + self.lanes.num_B + self.lanes.num_utilities)

    @property
    def only_with_B(self):
        """Whether it does not pay for agents that have not learned B."""
        return self.lanes.only_with_B

    @only_with_B.setter
    def only_with_B(self, bint value):
        self.lanes.only_with_B = value

    cdef const double* _array(self, object array, tuple shape, str name) except NULL:
        cdef const double[::1] view = array.reshape(-1)
        if array.shape != shape:
            raise ValueError(f"{name} of lanes must have shape {shape}, got {array.shape}")
        self._keep.append(array)
        return &view[0]


# Fill in where the pointers of `memory` stand and how many rows each has; returns the sum.
cdef Py_ssize_t _parts(const LaneModel* lanes, LaneMemory* memory, double*** parts,
                       Py_ssize_t* sizes) noexcept nogil:
    cdef const Model* model = lanes.model
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t i, rows = 0
    parts[0], sizes[0] = &memory.before, lanes.num_states
    parts[1], sizes[1] = &memory.prior, lanes.num_states
    parts[2], sizes[2] = &memory.qs, lanes.num_states
    parts[3], sizes[3] = &memory.message, lanes.num_states
    parts[4], sizes[4] = &memory.inductive_cost, lanes.num_states
    parts[5], sizes[5] = &memory.log_likelihood, lanes.num_likelihoods
    parts[6], sizes[6] = &memory.joint, 2 * lanes.max_joint
    parts[7], sizes[7] = &memory.trailing, 2 * lanes.max_joint
    parts[8], sizes[8] = &memory.contraction, 2 * lanes.max_joint
    parts[9], sizes[9] = &memory.row, lanes.max_entries
    parts[10], sizes[10] = &memory.other_row, lanes.max_entries
    parts[11], sizes[11] = &memory.beliefs, lanes.num_node_states
    parts[12], sizes[12] = &memory.factor_value, tree.num_factor_nodes
    parts[13], sizes[13] = &memory.group_value, tree.num_group_nodes
    parts[14], sizes[14] = &memory.prefix_value, tree.num_prefixes
    parts[15], sizes[15] = &memory.other_prefix_value, tree.num_prefixes
    parts[16], sizes[16] = &memory.G, tree.num_policies
    parts[17], sizes[17] = &memory.q_pi, tree.num_policies
    parts[18], sizes[18] = &memory.marginals, model.num_controls_total
    parts[19], sizes[19] = &memory.sharpened, lanes.max_choice
    parts[20], sizes[20] = &memory.value, 1
    parts[21], sizes[21] = &memory.norm, 1
    parts[22], sizes[22] = &memory.accuracy, 1
    parts[23], sizes[23] = <double**>&memory.active, 1
    parts[24], sizes[24] = &memory.choice, lanes.max_choice
    parts[25], sizes[25] = &memory.discarded, lanes.max_entries
    parts[26], sizes[26] = &memory.A, lanes.num_A
    parts[27], sizes[27] = &memory.B, lanes.num_B
    parts[28], sizes[28] = &memory.wA, lanes.num_A if model.has_wA else 0
    parts[29], sizes[29] = &memory.wB, lanes.num_B if model.has_wB else 0
    parts[30], sizes[30] = &memory.utility, lanes.num_utilities
    parts[31], sizes[31] = &memory.neg_ambiguity, lanes.num_likelihoods if lanes.own else 0
    for i in range(NUM_PARTS):
        rows += sizes[i]
    return rows


# Points into work.extra, which grows at the first call. Returns 0 or NO_MEMORY. Cost: constant.
cdef int lane_memory(const LaneModel* lanes, Workspace* work, LaneMemory* memory,
                     Py_ssize_t more_rows) noexcept nogil:
    cdef Py_ssize_t sizes[NUM_PARTS]
    cdef double** parts[NUM_PARTS]
    cdef Py_ssize_t i, rows = _parts(lanes, memory, parts, sizes)
    cdef double* here
    if grow(&work.extra, (rows + more_rows + 1) * LANES * <Py_ssize_t>sizeof(double)) != 0:
        return NO_MEMORY
    here = <double*>((<uintptr_t>work.extra.data + 63) // 64 * 64)
    for i in range(NUM_PARTS):
        parts[i][0] = here
        here += LANES * sizes[i]
    memory.more = here
    return 0


# The joint belief of independent parts, as base.joint_belief: x_0 (x_1 (x_2 ...)); one part is
# returned as it is. `out` has two joints of max_joint rows. Cost: the size of the joint.
cdef const double* joint_in_lanes(const double** parts, const Py_ssize_t* sizes, Py_ssize_t count,
                                  Py_ssize_t max_joint, double* out) noexcept nogil:
    cdef const double* joint = parts[count - 1]
    cdef double* target
    cdef Py_ssize_t size = sizes[count - 1], k
    for k in range(count - 2, -1, -1):
        target = out + (LANES * max_joint if k % 2 else 0)
        P.lanes.outer(parts[k], sizes[k], joint, size, target)
        joint = target
        size *= sizes[k]
    return joint
