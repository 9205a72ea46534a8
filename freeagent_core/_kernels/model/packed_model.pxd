from freeagent_core._kernels.model.structs cimport Factor, Group, Modality, Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace, WorkspacePool, WorkspaceSizes


cdef class PackedModel:
    cdef Model model
    cdef readonly bint uses_belief_graph  # equal predicted beliefs are one
    cdef readonly bint short_step  # a step takes microseconds: it keeps the GIL
    cdef readonly list _keep       # the arrays that the pointers point into
    cdef Factor* _factors
    cdef Modality* _modalities
    cdef Group* _groups
    cdef WorkspacePool _pool
    cdef WorkspaceSizes workspace_sizes
    cdef int _pack_factors(self, list factors) except -1
    cdef int _pack_groups(self, list groups, list modalities) except -1
    cdef int _pack_rows(self, Modality* modality, dict spec, Py_ssize_t num_joint) except -1
    cdef int _pack_tree(self, dict spec) except -1
    cdef int _pack_sequences(self, dict spec) except -1
    cdef int _pack_matrices(self, dict spec) except -1
    cdef int _check_utility_steps(self, Py_ssize_t g, dict spec) except -1
    cdef Py_ssize_t _max_values(self)
    cdef OwnedWorkspace acquire_workspace(self)
    cdef void release_workspace(self, OwnedWorkspace workspace)
