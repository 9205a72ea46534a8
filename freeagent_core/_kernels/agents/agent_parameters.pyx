"""The parameters of one agent, each checked where it is set."""

from libc.math cimport isfinite


cdef double finite_number(object value, str name) except? -1.0:
    cdef double number
    try:
        number = value
    except TypeError:
        raise TypeError(f"{name} must be a number, got {value!r:.80}") from None
    if not isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    return number


cdef class AgentParameters:
    """Base of `AgentCore`: what an agent's step is done with, beside its model."""

    @property
    def gamma(self):
        return self.state.efe.gamma

    @gamma.setter
    def gamma(self, value):
        self.state.efe.gamma = finite_number(value, "gamma")

    @property
    def alpha(self):
        return self.state.alpha

    @alpha.setter
    def alpha(self, value):
        self.state.alpha = finite_number(value, "alpha")

    @property
    def use_utility(self):
        return bool(self.state.efe.use_utility)

    @use_utility.setter
    def use_utility(self, value):
        self.state.efe.use_utility = bool(value)

    @property
    def use_states_info_gain(self):
        return bool(self.state.efe.use_states_info_gain)

    @use_states_info_gain.setter
    def use_states_info_gain(self, value):
        self.state.efe.use_states_info_gain = bool(value)

    @property
    def use_param_info_gain(self):
        return bool(self.state.efe.use_param_info_gain)

    @use_param_info_gain.setter
    def use_param_info_gain(self, value):
        self.state.efe.use_param_info_gain = bool(value)

    @property
    def action_selection(self):
        return "stochastic" if self.state.stochastic else "deterministic"

    @action_selection.setter
    def action_selection(self, value):
        if value not in ("deterministic", "stochastic"):
            raise ValueError(
                f"action_selection must be 'deterministic' or 'stochastic', got {value!r}")
        self.state.stochastic = value == "stochastic"

    @property
    def sampling_mode(self):
        return "full" if self.state.full else "marginal"

    @sampling_mode.setter
    def sampling_mode(self, value):
        if value not in ("marginal", "full"):
            raise ValueError(f"sampling_mode must be 'marginal' or 'full', got {value!r}")
        self.state.full = value == "full"

    def set_inference_params(self, int num_iter, double dF, double dF_tol, bint compute_vfe):
        """Set the stopping rule of the fixed-point iteration."""
        self.state.fpi.num_iter = num_iter
        self.state.fpi.dF = dF
        self.state.fpi.dF_tol = dF_tol
        self.state.fpi.compute_vfe = compute_vfe
