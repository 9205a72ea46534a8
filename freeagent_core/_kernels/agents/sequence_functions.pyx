# cython: boundscheck=True, wraparound=True
"""Message passing and its evaluation on arrays, for pymdp's functions: no agent keeps anything."""

from freeagent_core._kernels.agents.agent_state cimport (
    INFER_POLICIES, AgentState, Task,
)
from freeagent_core._kernels.agents.agent_step cimport infer
from freeagent_core._kernels.agents.message_passing_step cimport (
    infer_window_traced, lay_out_window,
)
from freeagent_core._kernels.agents.message_passing_window cimport Window
from freeagent_core._kernels.agents.parameters cimport Parameters
from freeagent_core._kernels.base.repeats cimport check_all_ran, stops
from freeagent_core._kernels.base.status cimport raise_status
from freeagent_core._kernels.inference.message_passing cimport MMPWindow
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.python_input cimport new_array, read_observation
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace

import numpy as np


def infer_sequences(PackedModel packed not None, Parameters parameters not None,
                    list observations, list actions, prior, bint factorized, bint traces,
                    bint last_timestep, Py_ssize_t repeats=1):
    """Infer the beliefs of all policies over a window.

    Parameters
    ----------
    packed : PackedModel
    parameters : Parameters
    observations : list
        Of the observed steps, at least one: tuples of outcomes or of one-hot vectors, lists also of
        distributions.
    actions : list of array_like
        Between them, one less at least.
    prior : object array
        Beliefs before the first step.
    factorized : bool
        pymdp.legacy's scheme, else that of pymdp 0.0.7.1.
    traces : bool
        Return each iteration's beliefs and errors.
    last_timestep : bool
        Leave out the step after the policy's last action.
    repeats : int
        Run the kernel so often, which all give the same.

    Returns
    -------
    sequences : object array
        [policy][step][factor].
    F : ndarray of float64, shape (num_policies,)
    traces : tuple of ndarray, shape (num_policies, num_iter, infer_len, qs_size), or None
    """
    cdef AgentState state
    cdef Task task
    cdef MMPWindow mmp
    cdef Window window = Window()
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    cdef double[:, :, :, ::1] xn
    cdef double[:, :, :, ::1] vn
    cdef double* x = NULL
    cdef double* v = NULL
    cdef Py_ssize_t i, num_steps = len(observations) - 1
    if num_steps < 0:
        raise ValueError("lh_seq must have a likelihood per observed step, got none")
    parameters.set_window(len(observations), packed.model.tree.policy_len + 1)
    state.model, state.parameters, state.learned = &packed.model, &parameters.values, NULL
    state.search_size = 0
    window.begin_episode(&state)
    window.latest_belief = prior
    window.load_prior(packed, workspace, &state)
    task.agent, task.work, task.history = &state, &workspace.work, &window.history
    task.joint_likelihood = not factorized
    last = observations[num_steps]
    task.observation.vectors = read_observation(packed, workspace, last,
                                                not isinstance(last, tuple), "observations",
                                               num_steps)
    task.observation.outcomes = workspace.work.observation
    task.observation.distributions = workspace.work.outcome_probabilities
    window.load_history(packed, workspace, &state, observations[:num_steps], actions,
                        &task.observation, "observations", "actions")
    raise_status(lay_out_window(&task, &mmp), "the window")
    if last_timestep:
        mmp.infer_len -= 1
    if traces:
        shape = (packed.model.tree.num_policies, parameters.values.mmp.num_iter, mmp.infer_len,
                 packed.model.qs_size)
        xn, vn = np.zeros(shape), np.zeros(shape)
        x, v = &xn[0, 0, 0, 0], &vn[0, 0, 0, 0]
    with nogil:
        for i in range(repeats):
            task.status = infer_window_traced(&task, &mmp, x, v)
            if task.status != 0:
                break
            if stops(i, repeats):
                break
    raise_status(task.status, "a belief or F")
    check_all_ran(i, repeats)
    state.infer_len = mmp.infer_len
    state.sequences = <double*>workspace.work.extra.data
    state.F = state.sequences + (
        packed.model.tree.num_policies * mmp.infer_len * packed.model.qs_size)
    return (window.nested_sequences(state.model, state.sequences, state.infer_len),
            window.free_energies(&state),
            (np.asarray(xn), np.asarray(vn)) if traces else None)


def evaluate_sequences(PackedModel packed not None, Parameters parameters not None, qs, F):
    """Return q_pi and G of policies whose beliefs are given.

    Parameters
    ----------
    packed : PackedModel
    parameters : Parameters
    qs : object array
        [policy][step][factor].
    F : array_like, shape (num_policies,)

    Returns
    -------
    q_pi, G : ndarray of float64, shape (num_policies,)
    """
    cdef AgentState state
    cdef Task task
    cdef Window window = Window()
    cdef OwnedWorkspace workspace = packed.acquire_workspace()
    parameters.set_window(1, len(qs[0]))
    state.model, state.parameters, state.learned = &packed.model, &parameters.values, NULL
    state.search_size = 0
    state.infer_len = len(qs[0])
    window.reserve_sequences(&state, state.infer_len)
    window.qs, window.F = qs, F
    window.load_sequences(packed, workspace, &state)
    task.agent, task.work, task.history = &state, &workspace.work, NULL
    with nogil:
        infer(&task, 1, INFER_POLICIES)
    raise_status(task.status, "q_pi")
    n = packed.model.tree.num_policies
    return new_array(workspace.work.q_pi_new, n), new_array(workspace.work.G_new, n)
