"""Message passing's next prior: the first beliefs of its sequences, once its window is full.

In two parts, for a step that fails leaves the agent as it was: `prepare` takes the memory and reads
what callers may have written into; `keep` cannot fail. `pymdp.legacy.agent.Agent.set_latest_beliefs`.
"""

from freeagent_core._kernels.agents.message_passing_step cimport keep_latest_belief
from freeagent_core._kernels.model.python_input cimport array_data, read_probabilities

import numpy as np


cdef class NextPrior:
    """How the next window gets its prior; each method takes the agent's lock for granted.

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, Parameters parameters not None):
        self.edge_handling_params = {
            "use_BMA": bool(parameters.values.use_BMA),
            "policy_sep_prior": bool(parameters.values.policy_sep_prior)}

    def assign(self, value):
        """Let `value` be `edge_handling_params`."""
        if not isinstance(value, dict) or not {"use_BMA", "policy_sep_prior"} <= value.keys():
            raise ValueError("edge_handling_params must be a dict with 'use_BMA' and "
                             f"'policy_sep_prior', got {value!r:.80}")
        self.edge_handling_params = value

    cdef int read_edges(self, Parameters parameters) except -1:
        edges = self.edge_handling_params
        parameters.values.use_BMA = edges["use_BMA"]
        parameters.values.policy_sep_prior = edges["policy_sep_prior"]
        return 0

    # For the prior after time step `time`.
    cdef int prepare(self, AgentState* state, Window window, Histories histories,
                     Py_ssize_t time) except -1:
        cdef Py_ssize_t n = state.model.tree.num_policies
        cdef Py_ssize_t begin = time - state.parameters.inference_horizon
        self.weights, self.averages = None, state.parameters.use_BMA and begin >= 0
        window.reserve_priors(state, n)
        past = histories.q_pi_at(begin) if self.averages else None
        return self.weigh(past, n, begin) if past is not None else 0

    # The posterior over policies of a step in the history is what to average by.
    cdef int weigh(self, object past, Py_ssize_t n, Py_ssize_t step) except -1:
        name = f"q_pi_hist of step {step}"
        try:
            past = np.asarray(past)
        except ValueError:  # its items differ in length
            raise ValueError(f"{name} must have shape ({n},), got {past!r:.80}") from None
        if past.ndim != 1:
            raise ValueError(f"{name} must have shape ({n},), got {past.shape}")
        if len(past) != n:  # of other policies: as many as both have count
            past = np.pad(past[:n], (0, max(n - len(past), 0)))
        weights = np.empty(n)
        read_probabilities(past, n, array_data(weights), name)
        self.weights = weights
        return 0

    # From what was prepared; `q_pi` where there is no history.
    cdef void keep(self, AgentState* state, Window window, const double* q_pi) noexcept:
        if self.weights is not None:
            q_pi, self.weights = array_data(self.weights), None
        keep_latest_belief(state, q_pi, self.averages)
        window.latest_belief, window.prior_is_D = None, False
