"""Kernels of planning as Python functions of a packed model: `freeagent_core.kernels`.

As `inference_functions`: each reads and checks its input, then runs the kernel `repeats` times
without the GIL.
"""

from libc.string cimport memcpy, memset

from freeagent_core._kernels.base.repeats cimport check_all_ran, stops
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.python_input cimport new_array, read_action, read_beliefs
from freeagent_core._kernels.model.structs cimport MAX_FACTORS, Factor, Group, Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace, Workspace
from freeagent_core._kernels.planning.expected_free_energy cimport (
    EFEParameters, calc_inductive_cost, group_terms,
)
from freeagent_core._kernels.planning.policy_evaluation cimport (
    evaluate_policies as evaluate_packed,
)
from freeagent_core._kernels.planning.policy_tree cimport neg_pB_gain_of, policy_posterior

import numpy as np


cdef void _set_terms(EFEParameters* parameters, double gamma, bint use_utility,
                     bint use_states_info_gain, bint use_param_info_gain) noexcept:
    parameters.gamma = gamma
    parameters.use_utility = use_utility
    parameters.use_states_info_gain = use_states_info_gain
    parameters.use_param_info_gain = use_param_info_gain


# sum_g group_terms, from beliefs of all factors. Cost: that of group_terms per group.
cdef double _terms(const Model* model, const EFEParameters* parameters, Py_ssize_t step,
                   const double* qs, Workspace* work) noexcept nogil:
    cdef const double* parts[MAX_FACTORS]
    cdef const Group* group
    cdef Py_ssize_t g, f
    cdef double value = 0.0
    for g in range(model.num_groups):
        group = &model.groups[g]
        for f in range(group.num_factors):
            parts[f] = qs + model.factors[group.factors[f]].offset
        value += group_terms(model, parameters, group, step, parts, work)
    return value


def terms(PackedModel packed not None, qs, Py_ssize_t step, bint use_utility,
          bint use_states_info_gain, bint use_param_info_gain, Py_ssize_t repeats):
    """Return the sum over groups of `group_terms`, in nats: the terms that are asked for."""
    cdef OwnedWorkspace workspace
    cdef EFEParameters parameters
    cdef Py_ssize_t i, g, num_steps
    cdef double value = 0.0
    if use_param_info_gain and not packed.model.has_wA:
        raise ValueError("the information gain about A needs pA, which the model does not have")
    for g in range(packed.model.num_groups):
        num_steps = packed.model.groups[g].num_utility_steps
        if num_steps > 1 and not 0 <= step < num_steps:
            raise ValueError(f"step must be in 0 to {num_steps - 1}, the steps of C, got {step}")
    workspace = packed.acquire_workspace()
    _set_terms(&parameters, 1.0, use_utility, use_states_info_gain, use_param_info_gain)
    read_beliefs(packed, workspace, qs, "qs")
    with nogil:
        for i in range(repeats):
            value = _terms(&packed.model, &parameters, step, workspace.work.qs_new,
                           &workspace.work)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    packed.release_workspace(workspace)
    return value


# sum_f neg_pB_gain_of, from beliefs of all factors before and after an action.
# Cost: num_previous * num_states per factor.
cdef double _neg_pB_gains(const Model* model, const double* qs, const Py_ssize_t* action,
                          const double* predicted, Workspace* work) noexcept nogil:
    cdef const double* previous[MAX_FACTORS]
    cdef const Factor* factor
    cdef Py_ssize_t f, d
    cdef double value = 0.0
    for f in range(model.num_factors):
        factor = &model.factors[f]
        for d in range(factor.num_dependencies):
            previous[d] = qs + model.factors[factor.dependencies[d]].offset
        value += neg_pB_gain_of(model, factor, action[f], previous, predicted + factor.offset,
                                work)
    return value


# Beliefs of all factors, copied: the workspace holds one at a time.
cdef double[::1] _read(PackedModel packed, OwnedWorkspace workspace, value, str name):
    cdef double[::1] copy = np.empty(packed.model.qs_size)
    read_beliefs(packed, workspace, value, name)
    memcpy(&copy[0], workspace.work.qs_new, packed.model.qs_size * sizeof(double))
    return copy


def pB_info_gain(PackedModel packed not None, qs, action, predicted, Py_ssize_t repeats):
    """Return minus the sum over factors of `neg_pB_gain_of`, in nats."""
    if not packed.model.has_wB:
        raise ValueError("the information gain about B needs pB, which the model does not have")
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef Workspace* work = &workspace.work
    cdef double[::1] before = _read(packed, workspace, qs, "qs")
    cdef double value = 0.0
    cdef Py_ssize_t i
    read_action(packed, workspace, action)
    read_beliefs(packed, workspace, predicted, "predicted")
    with nogil:
        for i in range(repeats):
            value = _neg_pB_gains(&packed.model, &before[0], work.action, work.qs_new, work)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    packed.release_workspace(workspace)
    return -value


def inductive_cost(PackedModel packed not None, qs, predicted, Py_ssize_t repeats):
    """Return `calc_inductive_cost` of present and predicted beliefs, in nats."""
    if not packed.model.has_inductive:
        raise ValueError("the inductive cost needs H, which the model does not have")
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef Workspace* work = &workspace.work
    cdef double[::1] present = _read(packed, workspace, qs, "qs")
    cdef double value = 0.0
    cdef Py_ssize_t i
    read_beliefs(packed, workspace, predicted, "predicted")
    with nogil:
        for i in range(repeats):
            value = calc_inductive_cost(&packed.model, &present[0], work.qs_new, work)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    packed.release_workspace(workspace)
    return value


def policy_probabilities(const double[::1] G, const double[::1] log_E, double gamma,
                         double[::1] out, Py_ssize_t repeats):
    """Write `policy_posterior` of G and log(E + 1e-16) (None: a constant) to `out`."""
    cdef Model model
    cdef Py_ssize_t i, n = G.shape[0]
    cdef int status = 0
    if n == 0 or out.shape[0] != n or (log_E is not None and log_E.shape[0] != n):
        raise ValueError("G, E and out must have one entry per policy")
    memset(&model, 0, sizeof(Model))  # the kernel reads these three
    model.tree.num_policies = n
    if log_E is not None:
        model.tree.num_enumerated, model.log_E = n, &log_E[0]
    with nogil:
        for i in range(repeats):
            status = policy_posterior(&model, gamma, &G[0], &out[0])
            if stops(i, repeats):
                break
    raise_status(status, "q_pi")
    check_all_ran(i, repeats)


def evaluate_policies(PackedModel packed not None, qs, double gamma, bint use_utility,
                      bint use_states_info_gain, bint use_param_info_gain, Py_ssize_t repeats):
    """Return q_pi and G of all policies, by the kernel that the model was packed for."""
    cdef OwnedWorkspace workspace
    cdef EFEParameters parameters
    cdef Py_ssize_t i
    cdef int status = 0
    if packed.model.tree.num_enumerated == 0:
        raise ValueError(f"the model's {packed.model.tree.num_policies} policies are too many to "
                         "enumerate here: an Agent's q_pi and G enumerate them")
    workspace = packed.acquire_workspace()
    _set_terms(&parameters, gamma, use_utility, use_states_info_gain, use_param_info_gain)
    read_beliefs(packed, workspace, qs, "qs")
    with nogil:
        for i in range(repeats):
            status = evaluate_packed(&packed.model, &parameters, workspace.work.qs_new,
                                     &workspace.work)
            if status != 0:
                break
            if stops(i, repeats):
                break
    raise_status(status, "G")
    check_all_ran(i, repeats)
    q_pi = new_array(workspace.work.q_pi_new, packed.model.tree.num_enumerated)
    G = new_array(workspace.work.G_new, packed.model.tree.num_enumerated)
    packed.release_workspace(workspace)
    return q_pi, G
