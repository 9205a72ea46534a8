# cython: boundscheck=True, wraparound=True
"""The packed form of a generative model.

`PackedModel` owns no arithmetic: `freeagent_core._model.packing` computes every array, this
module checks their sizes against each other, keeps them alive and points into them.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free

from freeagent_core._kernels.model.structs cimport (
    CONTRACTION_ROWS, MAX_FACTORS, BeliefMatrices, Factor, Group, Modality, PolicyTree, columns_size,
    padded,
)
from freeagent_core._kernels.model.workspace cimport (
    OwnedWorkspace, WorkspacePool, WorkspaceSizes, new_workspace,
)

import numpy as np


cdef Py_ssize_t MAX_FREE_ENERGY_JOINT = 1 << 22
# With at most so many values a step takes 0.3 to 16 us (grids of 25 to 100 cells, from a point
# mass to a uniform belief): it keeps the GIL.
cdef Py_ssize_t MAX_SHORT_STEP = 4096


cdef const double* _doubles(list keep, object array, Py_ssize_t size, str name) except? NULL:
    """Point to `size` doubles of `array`, which `keep` keeps alive."""
    cdef const double[::1] view = array.reshape(-1)
    if view.shape[0] != size:
        raise ValueError(f"packed {name} must have {size} entries, got {view.shape[0]}")
    keep.append(array)
    return &view[0] if size else NULL


cdef const unsigned char* _flags(list keep, object array, Py_ssize_t size, str name) except NULL:
    cdef const unsigned char[::1] view = array
    if view.shape[0] != size:
        raise ValueError(f"packed {name} must have {size} entries, got {view.shape[0]}")
    keep.append(array)
    return &view[0]


cdef const double* _optional(list keep, object array, Py_ssize_t size, str name) except? NULL:
    if array is None:
        return NULL
    return _doubles(keep, array, size, name)


cdef const int32_t* _indices(list keep, object array, Py_ssize_t size, Py_ssize_t low,
                             Py_ssize_t high, str name) except? NULL:
    """Point to `size` indices of `array`, each in [low, high)."""
    cdef const int32_t[::1] view = array.reshape(-1)
    cdef Py_ssize_t i
    if view.shape[0] != size:
        raise ValueError(f"packed {name} must have {size} entries, got {view.shape[0]}")
    for i in range(size):
        if not low <= view[i] < high:
            raise ValueError(f"packed {name}[{i}] must be in [{low}, {high}), got {view[i]}")
    keep.append(array)
    return &view[0] if size else NULL


cdef const Py_ssize_t* _positions(list keep, object array, Py_ssize_t high) except NULL:
    """Point to positions in [0, high)."""
    cdef const Py_ssize_t[::1] view = array
    cdef Py_ssize_t i
    for i in range(view.shape[0]):
        if not 0 <= view[i] < high:
            raise ValueError(f"packed position {view[i]} must be in [0, {high})")
    keep.append(array)
    return &view[0]


cdef class PackedModel:
    """A generative model as the kernels read it; immutable, shared by any number of agents.

    Parameters
    ----------
    factors, modalities, groups : list of dict
    tree : dict
    matrices : dict or None
        Policies as matrices of beliefs.
    D : ndarray of float64
    log_E, softmax_E : ndarray of float64, or None if policies are not enumerated
    uses_belief_graph : bool
        Whether policies are evaluated over a belief graph.

    Notes
    -----
    Built by `freeagent_core._model.packing.pack`, which documents the keys; the fields of
    the structs in ``structs.pxd`` have the same names.
    """

    def __cinit__(self):
        self._factors = NULL
        self._modalities = NULL
        self._groups = NULL

    def __dealloc__(self):
        free(self._factors)
        free(self._modalities)
        free(self._groups)

    def __init__(self, list factors, list modalities, list groups, dict tree, matrices, D,
                 log_E, softmax_E, bint uses_belief_graph):
        if self._factors != NULL:
            raise TypeError("a PackedModel cannot be initialised twice")
        self._keep = []
        self._pool = WorkspacePool()
        self._factors = <Factor*>calloc(len(factors), sizeof(Factor))
        self._modalities = <Modality*>calloc(len(modalities), sizeof(Modality))
        self._groups = <Group*>calloc(len(groups), sizeof(Group))
        if self._factors == NULL or self._modalities == NULL or self._groups == NULL:
            raise MemoryError("no memory for the packed model")
        if len(factors) > MAX_FACTORS:
            raise ValueError(f"at most {MAX_FACTORS} factors are supported, got {len(factors)}")
        self.model.num_factors = len(factors)
        self.model.num_modalities = len(modalities)
        self.model.num_groups = len(groups)
        self.model.factors = self._factors
        self.model.modalities = self._modalities
        self.model.groups = self._groups
        self.uses_belief_graph = uses_belief_graph
        self._pack_factors(factors)
        self._pack_groups(groups, modalities)
        if tree["num_steps"]:
            self._pack_sequences(tree)
        else:
            self._pack_tree(tree)
        if matrices is not None:
            self._pack_matrices(matrices)
        self.model.D = _doubles(self._keep, D, self.model.qs_size, "D")
        if self.model.tree.num_enumerated:
            self.model.log_E = _doubles(self._keep, log_E, self.model.tree.num_policies, "log_E")
            self.model.softmax_E = _doubles(self._keep, softmax_E, self.model.tree.num_policies,
                                            "softmax_E")
            self.short_step = self._max_values() <= MAX_SHORT_STEP

    # States times distinct prefixes of policies: the values a step may need.
    cdef Py_ssize_t _max_values(self):
        cdef const PolicyTree* tree = &self.model.tree
        cdef Py_ssize_t g, step, states = 0, prefixes = tree.num_prefixes, sequences = 1
        for g in range(self.model.num_groups):
            states += self._groups[g].num_joint
        for step in range(tree.num_steps):  # at most num_enumerated in all
            sequences *= tree.num_actions
            prefixes += sequences
        return states * prefixes

    cdef int _pack_factors(self, list factors) except -1:
        cdef Py_ssize_t f, dependency, size, num_factors = len(factors)
        cdef WorkspaceSizes* room = &self.workspace_sizes
        cdef Factor* factor
        for f in range(num_factors):
            factor = &self._factors[f]
            factor.num_states = factors[f]["num_states"]
            factor.stride = padded(factor.num_states)
            factor.offset = self.model.qs_size
            self.model.qs_size += factor.stride
            factor.num_controls = factors[f]["num_controls"]
            factor.control_offset = self.model.num_controls_total
            self.model.num_controls_total += factor.num_controls
            self.model.max_controls = max(self.model.max_controls, factor.num_controls)
        for f in range(num_factors):
            spec = factors[f]
            factor = &self._factors[f]
            factor.num_dependencies = len(spec["dependencies"])
            factor.dependencies = _indices(self._keep, spec["dependencies"],
                                           factor.num_dependencies, 0, num_factors,
                                           f"B_factor_list[{f}]")
            factor.num_previous = 1
            for dependency in range(factor.num_dependencies):
                factor.num_previous *= self._factors[factor.dependencies[dependency]].num_states
            size = factor.num_controls * factor.num_previous
            factor.is_sparse = _flags(self._keep, spec["is_sparse"], factor.num_controls, f"B[{f}]")
            factor.B = _optional(self._keep, spec["B"], size * factor.stride, f"B[{f}]")
            if spec["sparse_B"] is None or spec["B"] is None:
                if spec["is_sparse"].min() != spec["is_sparse"].max() or (
                        spec["is_sparse"].max() == (spec["sparse_B"] is None)):
                    raise ValueError(f"packed B[{f}] misses the form of an action")
            if spec["sparse_B"] is not None:
                factor.sparse_B = _doubles(self._keep, spec["sparse_B"], len(spec["sparse_B"]),
                                           f"B[{f}]")
                factor.sparse_start = _indices(self._keep, spec["sparse_start"], size + 1, 0,
                                               len(spec["sparse_B"]) + 1, f"B[{f}]")
                factor.sparse_state = _indices(self._keep, spec["sparse_state"],
                                               len(spec["sparse_B"]), 0, factor.num_states,
                                               f"B[{f}]")
                if spec["deterministic_next"] is not None:
                    factor.deterministic_next = _indices(
                        self._keep, spec["deterministic_next"], size, -1, factor.num_states,
                        f"B[{f}]")
            factor.backward = _optional(
                self._keep, spec["backward"],
                factor.num_controls * factor.num_states * padded(factor.num_previous), f"B[{f}]")
            factor.wB = _optional(self._keep, spec["wB"], size * factor.stride, f"pB[{f}]")
            self.model.has_wB |= factor.wB != NULL
            if spec["inductive_cost"] is not None:
                size = len(spec["inductive_cost"])
                factor.inductive_cost = _doubles(self._keep, spec["inductive_cost"],
                                                 size * factor.num_states, f"I[{f}]")
                factor.inductive_row = _indices(self._keep, spec["inductive_row"],
                                                factor.num_states, -1, size, f"I[{f}]")
                self.model.has_inductive = True
            room.joint = max(room.joint, factor.num_previous, factor.stride)
            room.stride = max(room.stride, factor.stride)
            if factor.backward != NULL:
                room.stride = max(room.stride, padded(factor.num_previous))
        return 0

    cdef int _pack_groups(self, list groups, list modalities) except -1:
        cdef Py_ssize_t g, f, m, size, partial
        cdef const Factor* factor
        cdef WorkspaceSizes* room = &self.workspace_sizes
        cdef Group* group
        cdef Modality* modality
        for g in range(len(groups)):
            spec = groups[g]
            group = &self._groups[g]
            group.num_factors = len(spec["factors"])
            group.factors = _indices(self._keep, spec["factors"], group.num_factors, 0,
                                     self.model.num_factors, "A_factor_list")
            group.num_joint = 1
            for f in range(group.num_factors):
                group.num_joint *= self._factors[group.factors[f]].num_states
            group.num_modalities = len(spec["modalities"])
            group.modalities = _indices(self._keep, spec["modalities"], group.num_modalities, 0,
                                        self.model.num_modalities, "modalities")
            for m in range(group.num_modalities):
                modality = &self._modalities[group.modalities[m]]
                single = modalities[group.modalities[m]]
                modality.num_obs = single["num_obs"]
                self._pack_rows(modality, single, group.num_joint)
                self.model.num_obs_total += modality.num_obs
                modality.num_C_steps = len(single["log_C"])
                modality.log_C = _doubles(self._keep, single["log_C"],
                                          modality.num_C_steps * modality.num_obs, "log_C")
                if modality.num_C_steps not in (1, spec["num_utility_steps"]):
                    raise ValueError("packed log_C has the wrong number of steps")
            group.num_utility_steps = spec["num_utility_steps"]
            self.model.time_dependent |= group.num_utility_steps > 1
            group.joint_outcomes = spec["joint_outcomes"]
            group.utility = _doubles(self._keep, spec["utility"],
                                     group.num_utility_steps * group.num_joint, "utility")
            group.num_outcomes = spec["num_outcomes"]
            group.outcome_stride = padded(group.num_outcomes + 1)
            size = group.num_joint * group.outcome_stride
            group.outcomes = _doubles(self._keep, spec["outcomes"], size, "outcomes")
            group.outcome_utility = _doubles(self._keep, spec["outcome_utility"],
                                             group.outcome_stride, "outcome_utility")
            group.complement_utility = spec["complement_utility"]
            if spec["complement_start"] is not None:
                group.num_complements = len(spec["complement_start"]) - 1
                group.complement_start = _indices(
                    self._keep, spec["complement_start"], group.num_complements + 1, 0,
                    group.num_outcomes + 1, "complement_start")
            if spec["learned_complement_start"] is not None:
                size = 1 if group.joint_outcomes else group.num_modalities
                group.learned_complement_start = _indices(
                    self._keep, spec["learned_complement_start"], size + 1, 0, 2**31 - 1,
                    "learned_complement_start")
            size = group.num_joint * group.outcome_stride
            group.contraction = _doubles(self._keep, spec["contraction"], size, "contraction")
            group.contraction_order = _indices(self._keep, spec["contraction_order"],
                                               group.num_factors, 0, group.num_factors,
                                               "contraction_order")
            group.contraction_row = _indices(self._keep, spec["contraction_row"], group.num_joint,
                                             0, group.num_joint, "contraction_row")
            if spec["next_outcomes"] is not None:
                factor = &self._factors[group.factors[0]]
                group.next_outcomes = _doubles(
                    self._keep, spec["next_outcomes"],
                    factor.num_controls * factor.num_previous * group.outcome_stride,
                    "next_outcomes")
                group.min_row_sum = _doubles(self._keep, spec["min_row_sum"],
                                             factor.num_controls, "min_row_sum")
            group.point_mass_gain = _doubles(self._keep, spec["point_mass_gain"], group.num_joint,
                                             "point_mass_gain")
            group.num_sparse_outcomes = spec["num_sparse_outcomes"]
            if spec["sparse_A"] is not None:
                size = len(spec["sparse_A"])
                group.sparse_A = _doubles(self._keep, spec["sparse_A"], size, "A")
                group.sparse_start = _indices(self._keep, spec["sparse_start"],
                                              group.num_joint + 1, 0, size + 1, "A")
                group.sparse_outcome = _indices(self._keep, spec["sparse_outcome"], size, 0,
                                                group.num_sparse_outcomes, "A")
            group.wA_stride = spec["wA_stride"]
            group.A_by_state = _optional(self._keep, spec["A_by_state"],
                                         group.num_joint * group.wA_stride, "A")
            group.wA_by_state = _optional(self._keep, spec["wA_by_state"],
                                          group.num_joint * group.wA_stride, "pA")
            self.model.has_wA |= group.wA_by_state != NULL
            room.joint = max(room.joint, group.num_joint)
            room.stride = max(room.stride, group.outcome_stride,
                                              group.wA_stride, spec["learned_stride"])
            room.sparse = max(room.sparse, group.num_sparse_outcomes)
            # of all outcomes, as a learned model has them
            size = group.num_joint * max(group.outcome_stride,
                                         <Py_ssize_t>spec["learned_stride"])
            partial = 0
            for f in range(group.num_factors - 1):
                size //= self._factors[group.factors[group.contraction_order[f]]].num_states
                partial += size * CONTRACTION_ROWS
            if group.num_factors > 1 and not self.uses_belief_graph:
                room.partial = max(room.partial, partial)
        return 0

    # A and log(A): whole, or the nonzero entries of each outcome's row.
    cdef int _pack_rows(self, Modality* modality, dict spec, Py_ssize_t num_joint) except -1:
        cdef Py_ssize_t i, size = modality.num_obs * num_joint
        if spec["row_start"] is None:
            modality.A = _doubles(self._keep, spec["A"], size, "A")
            modality.log_A = _doubles(self._keep, spec["log_A"], size, "log_A")
            return 0
        size = len(spec["row_A"])
        modality.row_start = _indices(self._keep, spec["row_start"], modality.num_obs + 1, 0,
                                      size + 1, "A")
        for i in range(modality.num_obs):
            if modality.row_start[i] > modality.row_start[i + 1]:
                raise ValueError(f"packed rows of A must not overlap, row {i} does")
        modality.row_state = _indices(self._keep, spec["row_state"], size, 0, num_joint, "A")
        modality.row_A = _doubles(self._keep, spec["row_A"], size, "A")
        modality.row_log_A = _doubles(self._keep, spec["row_log_A"], size, "log_A")
        modality.log_zero = spec["log_zero"]
        return 0

    cdef int _pack_sequences(self, dict spec) except -1:
        cdef PolicyTree* tree = &self.model.tree
        cdef Py_ssize_t i, num_factors = self.model.num_factors
        if not self.uses_belief_graph:
            raise ValueError("policies without a tree need a belief graph")
        tree.num_policies, tree.num_enumerated = spec["num_policies"], spec["num_enumerated"]
        tree.num_steps, tree.num_actions = spec["num_steps"], len(spec["actions"])
        if len(spec["actions"]) ** spec["num_steps"] != spec["num_policies"] or (
                spec["num_enumerated"] not in (0, spec["num_policies"])):
            raise ValueError("packed policies have the wrong number")
        tree.policies_per_action = spec["num_policies"] // len(spec["actions"])
        tree.actions = _indices(self._keep, spec["actions"], tree.num_actions * num_factors, 0,
                                2**31 - 1, "actions")
        for i in range(tree.num_actions * num_factors):
            if tree.actions[i] >= self._factors[i % num_factors].num_controls:
                raise ValueError(f"packed actions[{i}] is out of range")
        for i in range(self.model.num_groups):
            if 1 < self._groups[i].num_utility_steps < tree.num_steps:
                raise ValueError(f"packed utility of group {i} has too few steps")
        return 0

    cdef int _pack_tree(self, dict spec) except -1:
        cdef PolicyTree* tree = &self.model.tree
        cdef Py_ssize_t i, g, num_factors = self.model.num_factors
        cdef Py_ssize_t num_groups = self.model.num_groups
        keep = self._keep
        tree.num_policies = tree.num_enumerated = len(spec["policy_prefix"])
        tree.num_factor_nodes = len(spec["node_factor"])
        tree.num_group_nodes = len(spec["group_of"])
        tree.num_prefixes = len(spec["prefix_parent"])
        tree.beliefs_size = spec["beliefs_size"]
        tree.first_leaf = spec["first_leaf"]
        nodes = tree.num_factor_nodes
        tree.node_factor = _indices(keep, spec["node_factor"], nodes, 0, num_factors, "node_factor")
        tree.node_action = _indices(keep, spec["node_action"], nodes, 0, 2**31 - 1, "node_action")
        parents = len(spec["node_parents"])
        tree.node_parent_start = _indices(keep, spec["node_parent_start"], nodes + 1, 0,
                                          parents + 1, "node_parent_start")
        if not 0 <= tree.first_leaf <= nodes:
            raise ValueError("packed first_leaf is out of range")
        tree.node_parents = _indices(keep, spec["node_parents"], parents, 0, nodes, "node_parents")
        offsets = spec["node_offset"]
        cdef const Py_ssize_t[::1] offset_view = offsets
        if offset_view.shape[0] != tree.num_factor_nodes:
            raise ValueError("packed node_offset has the wrong length")
        keep.append(offsets)
        tree.node_offset = &offset_view[0]
        for i in range(tree.num_factor_nodes):
            f = tree.node_factor[i]
            if tree.node_action[i] >= self._factors[f].num_controls:
                raise ValueError(f"packed node_action[{i}] is out of range")
            if not 0 <= offset_view[i] <= tree.beliefs_size - self._factors[f].stride:
                raise ValueError(f"packed node_offset[{i}] is out of range")
        count = tree.num_group_nodes
        tree.group_of = _indices(keep, spec["group_of"], count, 0, num_groups, "group_of")
        tree.group_step = _indices(keep, spec["group_step"], count, 0, 2**31 - 1, "group_step")
        for g in range(num_groups):
            self._check_utility_steps(g, spec)
        members = len(spec["group_factor_nodes"])
        tree.group_start = _indices(keep, spec["group_start"], count + 1, 0, members + 1,
                                    "group_start")
        tree.group_factor_nodes = _indices(keep, spec["group_factor_nodes"], members, 0, nodes,
                                           "group_factor_nodes")
        count = tree.num_prefixes
        tree.prefix_parent = _indices(keep, spec["prefix_parent"], count, -1, count,
                                      "prefix_parent")
        tree.prefix_factor_nodes = _indices(keep, spec["prefix_factor_nodes"],
                                            count * num_factors, 0, nodes, "prefix_factor_nodes")
        tree.prefix_group_nodes = _indices(keep, spec["prefix_group_nodes"], count * num_groups, 0,
                                           tree.num_group_nodes, "prefix_group_nodes")
        tree.policy_prefix = _indices(keep, spec["policy_prefix"], tree.num_policies, 0, count,
                                      "policy_prefix")
        tree.first_action = _indices(keep, spec["first_action"], tree.num_policies * num_factors,
                                     0, 2**31 - 1, "first_action")
        for i in range(tree.num_policies * num_factors):
            if tree.first_action[i] >= self._factors[i % num_factors].num_controls:
                raise ValueError(f"packed first_action[{i}] is out of range")
        if spec["policy_actions"] is None:
            return 0
        tree.policy_len = spec["policy_actions"].shape[1]
        # MMP without gradient descent sums over the joint states of all factors
        joint = 1
        for i in range(num_factors):
            joint = min(joint * self._factors[i].num_states, MAX_FREE_ENERGY_JOINT + 1)
        if joint <= MAX_FREE_ENERGY_JOINT:
            self.workspace_sizes.joint = max(self.workspace_sizes.joint, joint)
        tree.policy_actions = _indices(keep, spec["policy_actions"],
                                       tree.num_policies * tree.policy_len * num_factors, 0,
                                       2**31 - 1, "policy_actions")
        for i in range(tree.num_policies * tree.policy_len * num_factors):
            if tree.policy_actions[i] >= self._factors[i % num_factors].num_controls:
                raise ValueError(f"packed policy_actions[{i}] is out of range")
        tree.num_families = len(spec["family_start"]) - 1
        tree.family_start = _positions(keep, spec["family_start"], tree.num_policies + 1)
        tree.family_members = _positions(keep, spec["family_members"], tree.num_policies)
        return 0

    cdef int _pack_matrices(self, dict spec) except -1:
        cdef BeliefMatrices* matrices = &self.model.matrices
        cdef const Factor* factor = &self._factors[0]
        cdef Py_ssize_t size, t
        keep = self._keep
        if (self.model.num_factors != 1 or self.model.num_groups != 1
                or self.model.tree.num_enumerated == 0):
            raise ValueError("matrices of beliefs need one factor, one group and stored policies")
        matrices.num_steps, matrices.num_actions = spec["num_steps"], factor.num_controls
        matrices.num_moves, matrices.entries = spec["next"].shape[0], spec["next"].shape[2]
        size = matrices.num_moves * factor.num_states * matrices.entries
        matrices.next = _indices(keep, spec["next"], size, 0, factor.num_states, "B")
        matrices.weight = _doubles(keep, spec["weight"], size, "B")
        matrices.first_node = _indices(keep, spec["first_node"], matrices.num_steps + 2, 0,
                                       2**31 - 1, "first_node")
        size = 1
        for t in range(matrices.num_steps + 1):
            if matrices.first_node[t + 1] - matrices.first_node[t] != padded(size):
                raise ValueError("packed first_node does not fit the number of moves")
            size *= matrices.num_moves
        matrices.num_nodes = matrices.first_node[matrices.num_steps + 1]
        size = sum(matrices.num_actions ** (t + 1) for t in range(matrices.num_steps))
        matrices.prefix_node = _indices(keep, spec["prefix_node"], size, 0, matrices.num_nodes,
                                        "prefix_node")
        if matrices.num_actions ** matrices.num_steps != self.model.tree.num_policies:
            raise ValueError("packed matrices are of other policies")
        matrices.graph_support, matrices.block = spec["graph_support"], spec["block"]
        if matrices.block < 8 or matrices.block % 8:
            raise ValueError("packed block of beliefs must be a multiple of 8")
        matrices.beliefs_size = columns_size(matrices, factor.num_states)
        size = len(spec["constant"])
        matrices.outcomes.num_rows = size
        matrices.outcomes.constant = _doubles(keep, spec["constant"], size, "A")
        matrices.outcomes.start = _indices(keep, spec["start"], size + 1, 0,
                                           len(spec["value"]) + 1, "A")
        size = len(spec["value"])
        matrices.outcomes.column = _indices(keep, spec["column"], size, 0, factor.num_states, "A")
        matrices.outcomes.value = _doubles(keep, spec["value"], size, "A")
        matrices.outcomes.neg_ambiguity = _doubles(keep, spec["neg_ambiguity"], factor.num_states,
                                                   "A")
        return 0

    cdef int _check_utility_steps(self, Py_ssize_t g, dict spec) except -1:
        cdef Py_ssize_t steps = self._groups[g].num_utility_steps
        if steps > 1:
            here = spec["group_of"] == g
            if here.any() and spec["group_step"][here].max() >= steps:
                raise ValueError(f"packed utility of group {g} has too few steps")
        return 0

    @property
    def qs_size(self):
        """Doubles in a flat belief over all factors, padded."""
        return self.model.qs_size

    @property
    def enumerates_policies(self):
        """Whether agents store G and q_pi of all policies, or enumerate them on demand."""
        return self.model.tree.num_enumerated > 0

    def graph_size(self):
        """Return how large the belief graph of a step was: the last one that ended (of several
        threads, any), or None without a belief graph.

        Returns
        -------
        size : dict of int
            ``beliefs`` (distinct, of single factors), ``entries`` (weights in them) and
            ``nodes`` (distinct joint beliefs, the present one included); all 0 after a
            deterministic rollout, no beliefs and entries where beliefs were columns of matrices.
        """
        cdef OwnedWorkspace workspace = self._pool.spare
        if not self.uses_belief_graph or workspace is None:
            return None
        return {"beliefs": workspace.work.graph.num_beliefs,
                "entries": workspace.work.graph.num_entries,
                "nodes": workspace.work.graph.num_nodes}

    cdef OwnedWorkspace acquire_workspace(self):
        """Return a workspace that no other thread uses; return it with release_workspace."""
        cdef WorkspacePool pool = self._pool
        cdef OwnedWorkspace workspace = pool.spare
        if workspace is not None:
            pool.spare = None
            return workspace
        if pool.others:
            return pool.others.pop()
        return new_workspace(&self.model, &self.workspace_sizes, self.uses_belief_graph)

    cdef void release_workspace(self, OwnedWorkspace workspace):
        if self._pool.spare is None:
            self._pool.spare = workspace
        else:
            self._pool.others.append(workspace)
