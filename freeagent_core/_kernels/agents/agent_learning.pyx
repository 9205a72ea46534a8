"""Learning of one agent: Dirichlet updates of its own copy of the model.

Each function reads its input, takes the agent's lock and updates; the arithmetic stands in
`learning/dirichlet_updates`. A, B and D are the means of pA, pB and pD at once, because callers
may write into what these return.
"""

from libc.string cimport memcpy

from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.agents.agent_policies cimport can_enumerate
from freeagent_core._kernels.agents.agent_step cimport are_enumerated
from freeagent_core._kernels.agents.parameters cimport finite_number
from freeagent_core._kernels.learning.dirichlet_updates cimport learn_A, learn_B, learn_D, refresh
from freeagent_core._kernels.learning.learned_model cimport LearnedModel
from freeagent_core._kernels.model.python_input cimport (
    read_action, read_beliefs, read_observation,
)
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace


cpdef begin_learning(AgentCore core, LearnedModel learned):
    """Give the agent a copy of its present model, which updates write to."""
    with core.lock:
        if learned.shared is not core.packed:
            raise ValueError("the learned model must be one of this agent's model")
        core.learned = core.packed = learned
        core.state.learned = &learned.own
        core.state.model = &learned.model


# The agent's copy, and a workspace. Policies that are not enumerated yet could not be any more
# once the model has changed.
cdef LearnedModel _learner(AgentCore core, bytes to_learn, str of):
    cdef LearnedModel learned = core.learned
    cdef Py_ssize_t expected
    if learned is None:
        raise ValueError("call begin_learning before an update")
    expected = learned.model.num_modalities if of == "A" else learned.model.num_factors
    if len(to_learn) != expected:
        raise ValueError(f"to_learn must have {expected} entries, got {len(to_learn)}")
    if core.state.has_policies and not are_enumerated(&core.state):
        if can_enumerate(&core.state):
            core.policies.enumerate(core.packed, &core.state, core.lock)
        else:
            core.state.has_policies = False
    return learned


# Read the evidence, take the lock and learn from it: an observation for A, the beliefs before the
# last action for B, those at the first step for D.
cdef LearnedModel _update(AgentCore core, str of, object evidence, bytes to_learn, object lr):
    cdef LearnedModel learned = _learner(core, to_learn, of)
    cdef OwnedWorkspace workspace = learned.acquire_workspace()
    cdef double rate = finite_number(lr, f"lr_p{of}")
    cdef const unsigned char* wanted = to_learn
    cdef bint vectors = False
    if of == "A":
        vectors = read_observation(learned, workspace, evidence, True)
    elif of == "B":
        read_beliefs(learned, workspace, evidence, "qs_prev")
        memcpy(workspace.work.prior, workspace.work.qs_new,
               learned.model.qs_size * sizeof(double))
        read_action(learned, workspace, core.action)
    else:
        read_beliefs(learned, workspace, evidence, "qs_t0")
    with core.lock:
        if of == "A":
            core.load_beliefs(workspace)
            learned.prepare_A()
            learned.show_A()  # what is returned below, and whenever callers ask
            learn_A(&learned.own, &learned.model, vectors, core.state.qs, wanted, rate,
                    &workspace.work)
            refresh(&learned.own, &learned.model)
        elif of == "B":
            core.load_beliefs(workspace)
            learned.prepare_B()
            learned.show_B()
            learn_B(&learned.own, &learned.model, workspace.work.action, core.state.qs,
                    workspace.work.prior, wanted, rate, &workspace.work)
            refresh(&learned.own, &learned.model)
        else:
            learned.prepare_D()
            learned.show_D()
            learn_D(&learned.own, workspace.work.qs_new, wanted, rate)
    learned.release_workspace(workspace)
    return learned


cpdef update_A(AgentCore core, observation, bytes to_learn, lr):
    """Learn from an observation and the beliefs.

    Parameters
    ----------
    core : AgentCore
    observation
        As `infer_states` takes it.
    to_learn : bytes
        Per modality, 1 to learn it.
    lr : float

    Returns
    -------
    pA : ndarray of object
    """
    return _update(core, "A", observation, to_learn, lr).pA


cpdef update_B(AgentCore core, qs_previous, bytes to_learn, lr):
    """Learn from the beliefs before and after the last action. Return pB."""
    return _update(core, "B", qs_previous, to_learn, lr).pB


cpdef update_D(AgentCore core, qs_first, bytes to_learn, lr):
    """Learn from the beliefs at the first step. Return pD."""
    return _update(core, "D", qs_first, to_learn, lr).pD
