"""Where a population's agents are: arrays with a row per agent, and what a step reads and keeps
of a row."""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove

from freeagent_core._kernels.agents.agent_step cimport set_uniform_beliefs
from freeagent_core._kernels.agents.message_passing_step cimport keep_latest_belief
from freeagent_core._kernels.model.structs cimport PolicyTree

import numpy as np


cdef dict new_rows(Rows* rows, Py_ssize_t size, const Model* model,
                   const StepParameters* parameters):
    """Make the arrays of `size` agents, and return them by name; `rows` points into them."""
    cdef dict state = {}
    rows.qs = <double*>_new(state, "qs", size, model.qs_size)
    rows.q_pi = <double*>_new(state, "q_pi", size, model.tree.num_enumerated)
    rows.G = <double*>_new(state, "G", size, model.tree.num_enumerated)
    if model.tree.num_enumerated == 0:
        rows.p_first = <double*>_new(state, "p_first", size, model.num_controls_total)
        rows.evaluated_qs = <double*>_new(state, "evaluated_qs", size, model.qs_size)
    rows.action = <Py_ssize_t*>_new(state, "action", size, model.num_factors, np.intp)
    rows.has_action = <unsigned char*>_new(state, "has_action", size, 1, np.uint8)
    rows.has_policies = <unsigned char*>_new(state, "has_policies", size, 1, np.uint8)
    rows.time = <Py_ssize_t*>_new(state, "time", size, 1, np.intp)
    rows.random = <uint64_t*>_new(state, "random", size, 4, np.uint64)
    if parameters.passes_messages:
        _lay_out_windows(rows, state, size, model, parameters)
    return state


cdef int _lay_out_windows(Rows* rows, dict state, Py_ssize_t size, const Model* model,
                          const StepParameters* parameters) except -1:
    cdef const PolicyTree* tree = &model.tree
    cdef Py_ssize_t horizon = parameters.inference_horizon
    # with a horizon of 1 pymdp reads the first actions of all in the place of the last
    rows.num_kept = max(horizon, tree.policy_len + 2 if horizon == 1 else 0)
    # without use_BMA each policy has a prior of its own
    rows.max_priors = 1 if parameters.use_BMA else tree.num_policies
    rows.past = <Py_ssize_t*>_new(state, "past", size, horizon * model.num_modalities, np.intp)
    rows.past_len = <Py_ssize_t*>_new(state, "past_len", size, 1, np.intp)
    rows.past_actions = <Py_ssize_t*>_new(
        state, "past_actions", size, rows.num_kept * model.num_factors, np.intp)
    rows.num_actions = <Py_ssize_t*>_new(state, "num_actions", size, 1, np.intp)
    rows.latest_belief = <double*>_new(
        state, "latest_belief", size, rows.max_priors * model.qs_size)
    rows.num_priors = <Py_ssize_t*>_new(state, "num_priors", size, 1, np.intp)
    rows.sequences = <double*>_new(
        state, "sequences", size, tree.num_policies * (horizon + tree.policy_len) * model.qs_size)
    rows.F = <double*>_new(state, "F", size, tree.num_policies)
    rows.infer_len = <Py_ssize_t*>_new(state, "infer_len", size, 1, np.intp)
    return 0


cdef void* _new(dict state, str name, Py_ssize_t size, Py_ssize_t width,
                object dtype=np.float64) except? NULL:
    cdef unsigned char[::1] memory
    try:
        state[name] = np.zeros((size, width), dtype=dtype)
    except (ValueError, MemoryError):  # ValueError: more than a process can address
        raise MemoryError(
            f"no memory for size = {size} agents: {name} has {width} entries each") from None
    if width == 0:
        return NULL
    memory = state[name].reshape(-1).view(np.uint8)
    return &memory[0]


# Agent i, whose parameters `agent` has, and what message passing reads of its past. Sizes are read
# of `model`, its own or the shared one.
cdef void load_row(const Rows* rows, Py_ssize_t i, const Model* model, AgentState* agent,
                   History* history) noexcept nogil:
    cdef Py_ssize_t horizon = agent.parameters.inference_horizon, first
    agent.qs = rows.qs + i * model.qs_size
    agent.has_action = rows.has_action[i]
    agent.action = rows.action + i * model.num_factors
    agent.has_policies = rows.has_policies[i]
    agent.q_pi = rows.q_pi + i * model.tree.num_enumerated
    agent.G = rows.G + i * model.tree.num_enumerated
    if rows.p_first != NULL:
        agent.p_first = rows.p_first + i * model.num_controls_total
        agent.evaluated_qs = rows.evaluated_qs + i * model.qs_size
        agent.evaluated_efe = agent.parameters.efe
    if not agent.parameters.passes_messages:
        return
    agent.infer_len = rows.infer_len[i]
    agent.sequences = rows.sequences + (
        i * model.tree.num_policies * (horizon + model.tree.policy_len) * model.qs_size)
    agent.F = rows.F + i * model.tree.num_policies
    agent.latest_belief = rows.latest_belief + i * rows.max_priors * model.qs_size
    agent.num_priors = rows.num_priors[i]
    history.num_steps = min(rows.past_len[i], horizon - 1)
    first = rows.past_len[i] - history.num_steps  # 1 where the window is full, else 0
    history.outcomes = rows.past + (i * horizon + first) * model.num_modalities
    history.vectors = NULL
    history.num_actions = rows.num_actions[i]
    history.actions = rows.past_actions + i * rows.num_kept * model.num_factors


# Agent i begins an episode: its beliefs are uniform, its actions and its past are forgotten.
cdef void begin_row(const Rows* rows, Py_ssize_t i, const Model* model,
                    const StepParameters* parameters) noexcept nogil:
    set_uniform_beliefs(model, rows.qs + i * model.qs_size)
    rows.has_action[i] = rows.has_policies[i] = 0
    rows.time[i] = 0
    if parameters.passes_messages:
        rows.past_len[i] = rows.num_actions[i] = rows.infer_len[i] = 0
        rows.num_priors[i] = 1
        memcpy(rows.latest_belief + i * rows.max_priors * model.qs_size, model.D,
               model.qs_size * sizeof(double))


# Append the present outcomes to the last `inference_horizon` ones.
cdef void keep_outcomes(const Rows* rows, Py_ssize_t i, const AgentState* agent,
                        const Py_ssize_t* outcomes) noexcept nogil:
    cdef Py_ssize_t horizon = agent.parameters.inference_horizon
    cdef Py_ssize_t n = agent.model.num_modalities
    cdef Py_ssize_t* past = rows.past + i * horizon * n
    if rows.past_len[i] == horizon:
        memmove(past, past + n, (horizon - 1) * n * sizeof(Py_ssize_t))
    else:
        rows.past_len[i] += 1
    memcpy(past + (rows.past_len[i] - 1) * n, outcomes, n * sizeof(Py_ssize_t))


# The action is between this step and the next; once the window is full, its first beliefs are
# before the next one.
cdef void advance_window(const Rows* rows, Py_ssize_t i, AgentState* agent) noexcept nogil:
    cdef Py_ssize_t n = agent.model.num_factors, count = rows.num_actions[i]
    cdef Py_ssize_t horizon = agent.parameters.inference_horizon
    cdef Py_ssize_t* actions = rows.past_actions + i * rows.num_kept * n
    if horizon > 1 and count == horizon - 1:
        memmove(actions, actions + n, (horizon - 2) * n * sizeof(Py_ssize_t))
        count -= 1
    if count < rows.num_kept:
        memcpy(actions + count * n, agent.action, n * sizeof(Py_ssize_t))
        rows.num_actions[i] = count + 1
    if rows.time[i] >= horizon:
        keep_latest_belief(agent, agent.q_pi, agent.parameters.use_BMA)
        rows.num_priors[i] = agent.num_priors
