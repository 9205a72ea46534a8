# cython: boundscheck=True, wraparound=True
"""What of an agent goes to another model (`adopt`) or to another agent (copies and pickles)."""

from libc.stdlib cimport free
from libc.string cimport memcpy

from freeagent_core._kernels.agents.agent_core cimport AgentCore
from freeagent_core._kernels.agents.agent_policies cimport can_enumerate
from freeagent_core._kernels.agents.agent_state cimport AgentState
from freeagent_core._kernels.agents.agent_step cimport are_enumerated, set_uniform_beliefs
from freeagent_core._kernels.model.packed_model cimport PackedModel
from freeagent_core._kernels.model.python_input cimport read_probabilities
from freeagent_core._kernels.model.structs cimport Model
from freeagent_core._kernels.model.workspace cimport OwnedWorkspace

cdef tuple HISTORIES = ("curr_timestep", "prev_obs", "prev_actions", "qs_hist", "q_pi_hist")


def adopt(AgentCore core not None, PackedModel packed not None):
    """Give the agent another model.

    What fits the model stays: beliefs and the action where the states are the same, the
    policies' posterior where the policies are as many.
    """
    cdef OwnedWorkspace workspace
    if (core.state.has_policies and not are_enumerated(&core.state)
            and can_enumerate(&core.state)):
        core.policies.enumerate(core.packed, &core.state, core.lock)
    with core.lock:
        if core.window is None:
            workspace = core.packed.acquire_workspace()
            core.load_beliefs(workspace)
        _adopt(core, packed)


cdef int _adopt(AgentCore core, PackedModel packed) except -1:
    cdef const Model* model = &packed.model
    cdef AgentState before = core.state
    cdef Py_ssize_t search = core.search_size_of(packed)
    cdef bint same_states = _same_states(before.model, model)
    cdef bint same_policies = before.model.tree.num_policies == model.tree.num_policies
    cdef void* block = core.block
    core.allocate(packed)
    if not (same_policies and same_states):
        core.policies.q_pi = core.policies.G = None
        core.state.has_policies = False
    elif before.has_policies:
        # of policies that are not enumerated in either model there are the objects alone
        if are_enumerated(&before) and model.tree.num_enumerated:
            memcpy(core.state.q_pi, before.q_pi, model.tree.num_enumerated * sizeof(double))
            memcpy(core.state.G, before.G, model.tree.num_enumerated * sizeof(double))
        else:
            core.state.has_policies = core.policies.q_pi is not None
    if same_states:
        memcpy(core.state.qs, before.qs, model.qs_size * sizeof(double))
        memcpy(core.state.action, before.action, model.num_factors * sizeof(Py_ssize_t))
    else:
        core.held_qs = core.held_action = None
        core.state.has_action = False
        set_uniform_beliefs(core.state.model, core.state.qs)
    core.state.search_size = search
    core.state.learned, core.learned, core.packed = NULL, None, packed
    free(block)
    if core.window is None:
        return 0
    if not same_states:
        core.state.infer_len = 0
        core.window.F = None
        core.window.begin_episode(&core.state)
    elif not same_policies:
        core.state.infer_len = 0
        core.window.qs = core.window.F = None
    return 0


cdef bint _same_states(const Model* a, const Model* b) noexcept:
    cdef Py_ssize_t i
    if a.num_factors != b.num_factors:
        return False
    for i in range(a.num_factors):
        if a.factors[i].num_states != b.factors[i].num_states:
            return False
    return True


def get_state(AgentCore core not None):
    """Return what `set_state` of a core of an equal model takes, a dict."""
    names = ["action", "edge_handling_params"]
    if core.window is None or core.window.qs is not None or core.state.infer_len:
        names.append("qs")
    # of policies that nobody could enumerate nothing is kept: they are evaluated again
    evaluated = core.state.has_policies and can_enumerate(&core.state)
    if evaluated or core.policies.q_pi is not None:
        names.append("q_pi")
    if evaluated or core.policies.G is not None:
        names.append("G")
    state = {name: getattr(core, name) for name in names}
    for name in HISTORIES:
        state[name] = getattr(core.histories, name)
    if core.window is not None:
        state["infer_len"] = core.state.infer_len
        if core.state.infer_len or core.window.F is not None:
            state["F"] = core.F
        state["latest_belief"] = core.latest_belief
    return state


def set_state(AgentCore core not None, dict state not None):
    """Take over the state of another core."""
    for name in HISTORIES:
        core.histories.assign(name, state[name], core.packed, core.window is not None)
    core.action, core.edge_handling_params = state["action"], state["edge_handling_params"]
    if core.window is not None and state["infer_len"]:
        if len(state["qs"]) != core.state.model.tree.num_policies:  # no bounds are checked here
            raise ValueError("qs must have an entry per policy "
                             f"({core.state.model.tree.num_policies}), got {len(state['qs'])}")
        core.state.infer_len = len(state["qs"][0])  # what a state claims would take any memory
        core.window.reserve_sequences(&core.state, core.state.infer_len)
    if "qs" in state:
        core.qs = state["qs"]
    if core.window is not None:
        if "F" in state:
            core.F = state["F"]
        if state["latest_belief"] is not None:
            core.latest_belief = state["latest_belief"]
    if "q_pi" in state:
        core.q_pi = state["q_pi"]
    if "G" in state:
        core.policies.G = state["G"]
    if "q_pi" in state and "G" in state:
        if are_enumerated(&core.state):
            read_probabilities(core.policies.q_pi, core.state.model.tree.num_policies,
                               core.state.q_pi, "q_pi")
            core.state.has_policies = True
