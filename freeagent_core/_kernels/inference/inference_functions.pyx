"""Kernels of inference as Python functions of a packed model: `freeagent_core.kernels`.

Each reads and checks its input, then runs the kernel `repeats` times without the GIL, which all
give the same: to time a kernel that takes less than a call from Python does.
"""

from libc.string cimport memcpy

from freeagent_core._kernels.base.joint_belief cimport joint_belief
from freeagent_core._kernels.base.repeats cimport check_all_ran, stops
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.inference.fixed_point_iteration cimport (
    FPIParameters, calc_free_energy, infer_posterior, predict_all,
)
from freeagent_core._kernels.inference.predicted_outcomes cimport predict_outcomes
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.python_input cimport (
    new_array, new_beliefs, read_action, read_beliefs, read_observation,
)
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Group, Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace, Workspace

import numpy as np


def predicted_states(PackedModel packed not None, qs, action, Py_ssize_t repeats):
    """Return `predict_all` of beliefs and an action, an object array of one array per factor."""
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef Workspace* work = &workspace.work
    cdef Py_ssize_t i
    read_action(packed, workspace, action)
    read_beliefs(packed, workspace, qs, "qs")
    with nogil:
        for i in range(repeats):
            predict_all(&packed.model, work.qs_new, work.action, work, work.prior)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    result = new_beliefs(&packed.model, work.prior)
    packed.release_workspace(workspace)
    return result


# predict_outcomes of every group, from beliefs of all factors. Cost: that, and the joints.
cdef void _predict_groups(const Model* model, const double* qs, Workspace* work,
                          double* out) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef Py_ssize_t sizes[MAX_FACTORS]
    cdef const Group* group
    cdef Py_ssize_t g, f
    for g in range(model.num_groups):
        group = &model.groups[g]
        for f in range(group.num_factors):
            parts[f] = qs + model.factors[group.factors[f]].offset
            sizes[f] = model.factors[group.factors[f]].num_states
        predict_outcomes(model, group, joint_belief(parts, sizes, group.num_factors, work.joint,
                                                    work.max_joint), out)


def predicted_outcomes(PackedModel packed not None, qs, Py_ssize_t repeats):
    """Return `predict_outcomes` of beliefs, an object array of one array per modality."""
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef Workspace* work = &workspace.work
    cdef double* out = work.outcome_probabilities
    cdef Py_ssize_t i, m
    read_beliefs(packed, workspace, qs, "qs")
    with nogil:
        for i in range(repeats):
            _predict_groups(&packed.model, work.qs_new, work, out)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    result = np.empty(packed.model.num_modalities, object)
    for m in range(packed.model.num_modalities):
        result[m] = new_array(out, packed.model.modalities[m].num_obs)
        out += packed.model.modalities[m].num_obs
    packed.release_workspace(workspace)
    return result


# A copy of beliefs that the caller gave, or of D; the workspace's own are overwritten.
cdef double[::1] _copied(PackedModel packed, OwnedWorkspace workspace, value, str name):
    cdef double[::1] copy = np.empty(packed.model.qs_size)
    cdef const double* source = packed.model.D
    if value is not None:
        read_beliefs(packed, workspace, value, name)
        source = workspace.work.qs_new
    memcpy(&copy[0], source, packed.model.qs_size * sizeof(double))
    return copy


def updated_beliefs(PackedModel packed not None, observation, prior, bint joint_likelihood,
                    int num_iter, double dF, double dF_tol, bint compute_vfe, Py_ssize_t repeats):
    """Return `infer_posterior` from a prior (None: D), an object array of one array per factor."""
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef Workspace* work = &workspace.work
    cdef double[::1] given = _copied(packed, workspace, prior, "prior")
    cdef FPIParameters parameters
    cdef Py_ssize_t i
    cdef int status = 0
    cdef bint vectors = read_observation(packed, workspace, observation, True)
    parameters.num_iter, parameters.dF, parameters.dF_tol = num_iter, dF, dF_tol
    parameters.compute_vfe = compute_vfe
    with nogil:
        for i in range(repeats):
            memcpy(work.prior, &given[0], packed.model.qs_size * sizeof(double))
            status = infer_posterior(&packed.model, &parameters, work.observation, vectors,
                                     joint_likelihood, work)
            if status != 0:
                break
            if stops(i, repeats):
                break
    raise_status(status, "a belief")
    check_all_ran(i, repeats)
    result = new_beliefs(&packed.model, work.qs_new)
    packed.release_workspace(workspace)
    return result


def free_energy(PackedModel packed not None, observation, qs, prior, bint joint_likelihood,
                Py_ssize_t repeats):
    """Return `calc_free_energy` of beliefs about an observation, given a prior (None: D)."""
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef Workspace* work = &workspace.work
    cdef double[::1] given = _copied(packed, workspace, prior, "prior")
    cdef double F = 0.0
    cdef Py_ssize_t i
    cdef bint vectors = read_observation(packed, workspace, observation, True)
    read_beliefs(packed, workspace, qs, "qs")
    with nogil:
        for i in range(repeats):
            F = calc_free_energy(&packed.model, work.observation, vectors, joint_likelihood,
                                 &given[0], work.qs_new, work)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    packed.release_workspace(workspace)
    return F
