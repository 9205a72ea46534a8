"""Kernels of action selection as Python functions: `freeagent_core.kernels`.

As `inference.inference_functions`: input is checked, then the kernel runs `repeats` times.
"""

from freeagent_core._kernels.action.action_selection cimport (
    action_marginals, choose_best, sharpen,
)
from freeagent_core._kernels.action.numpy_generator cimport end_draws, numpy_source
from freeagent_core._kernels.base.repeats cimport check_all_ran, stops
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.python_input cimport new_array, read_probabilities
from freeagent_core._kernels.model.structs cimport Factor
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace

import numpy as np


def marginals(PackedModel packed not None, q_pi, Py_ssize_t repeats):
    """Return `action_marginals` of q_pi, an object array of one array per factor."""
    cdef OwnedWorkspace workspace
    cdef const Factor* factor
    cdef Py_ssize_t i, f
    if packed.model.tree.num_enumerated == 0:
        raise ValueError(f"the model's {packed.model.tree.num_policies} policies are too many to "
                         "enumerate")
    workspace = packed.acquire_workspace()
    read_probabilities(q_pi, packed.model.tree.num_enumerated, workspace.work.q_pi_new, "q_pi")
    with nogil:
        for i in range(repeats):
            action_marginals(&packed.model, workspace.work.q_pi_new, &workspace.work)
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)
    result = np.empty(packed.model.num_factors, object)
    for f in range(packed.model.num_factors):
        factor = &packed.model.factors[f]
        result[f] = new_array(workspace.work.p_actions + factor.control_offset,
                              factor.num_controls)
    packed.release_workspace(workspace)
    return result


def sharpened(const double[::1] p, double alpha, double[::1] out, Py_ssize_t repeats):
    """Write `sharpen` of probabilities to `out`."""
    cdef Py_ssize_t i
    if p.shape[0] == 0 or out.shape[0] != p.shape[0]:
        raise ValueError("p and out must have the same entries, at least one")
    with nogil:
        for i in range(repeats):
            sharpen(&p[0], p.shape[0], alpha, &out[0])
            if stops(i, repeats):
                break
    check_all_ran(i, repeats)


# Draws need the GIL: numpy_generator.


def best(const double[::1] p, double tolerance, bint first_of_ties, Py_ssize_t repeats):
    """Return `choose_best` of probabilities; ties are drawn `repeats` times."""
    cdef Py_ssize_t i, choice = 0
    if p.shape[0] == 0:
        raise ValueError("p must not be empty")
    for i in range(repeats):
        choice = choose_best(&p[0], p.shape[0], tolerance, first_of_ties, &numpy_source)
        if stops(i, repeats):
            break
    end_draws()
    check_all_ran(i, repeats)
    return choice


def drawn(const double[::1] p, Py_ssize_t repeats):
    """Return the last of `repeats` draws with probabilities `p`, from NumPy's generator."""
    cdef Py_ssize_t i, choice = 0
    if p.shape[0] == 0:
        raise ValueError("p must not be empty")
    for i in range(repeats):
        choice = numpy_source.categorical(numpy_source.state, &p[0], p.shape[0])
        if stops(i, repeats):
            break
    end_draws()
    check_all_ran(i, repeats)
    return choice
