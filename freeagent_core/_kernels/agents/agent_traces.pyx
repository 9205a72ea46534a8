"""What upstream's tests look into: the iterations of message passing, and the probabilities that an
action is drawn from."""

from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.agents.agent_state cimport Task
from freeagent_core._kernels.agents.message_passing_step cimport infer_window_traced, lay_out_window
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.inference.message_passing cimport MMPWindow
from freeagent_core._kernels.model.python_input cimport new_array
from freeagent_core._kernels.model.structs cimport Model

import numpy as np


def infer_traces(AgentCore core not None, observation, bint distr_obs):
    """Infer the beliefs of all policies from the joint likelihood of all modalities.

    Returns
    -------
    xn, vn : ndarray of float64, shape (num_policies, num_iter, infer_len, qs_size)
        Beliefs and errors of each iteration.
    """
    cdef Task task
    cdef MMPWindow window
    cdef double[:, :, :, ::1] xn
    cdef double[:, :, :, ::1] vn
    workspace = core.begin(&task, observation, distr_obs)
    try:
        task.joint_likelihood = True
        raise_status(lay_out_window(&task, &window), "the window")
        shape = (core.state.model.tree.num_policies, core.parameters.values.mmp.num_iter,
                 window.infer_len, core.state.model.qs_size)
        xn, vn = np.zeros(shape), np.zeros(shape)
        with nogil:
            task.status = infer_window_traced(&task, &window, &xn[0, 0, 0, 0], &vn[0, 0, 0, 0])
        raise_status(task.status, "a belief or F")
        core.keep_states(&task)
    finally:
        core.lock.release()
    return np.asarray(xn), np.asarray(vn)


def action_distribution(AgentCore core not None):
    """Return what `sample_action` draws from: an array over policies ("full") or an object array
    of one array per factor ("marginal")."""
    cdef Task task
    cdef const Model* model
    cdef Py_ssize_t i
    with core.lock:
        workspace = core.begin_choice(&task)  # whose memory `choice` is in
        model = core.state.model
        if core.parameters.values.full:
            return new_array(task.choice, model.tree.num_policies)
        p_actions = np.empty(model.num_factors, object)
        for i in range(model.num_factors):
            p_actions[i] = new_array(task.choice + model.factors[i].control_offset,
                                     model.factors[i].num_controls)
        return p_actions
