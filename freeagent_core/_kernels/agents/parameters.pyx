"""What a step is done with beside its model, of one agent or of a population; checked where set."""

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


cdef class Parameters:
    """Parameters of a step.

    Parameters
    ----------
    joint_likelihood : bool
        Take the joint likelihood of all modalities, as pymdp 0.0.7.1 does.
    tie_tolerance : float
        Actions with a probability this close to the best are equal to it.
    first_of_ties : bool
        Take the first of them instead of drawing one.
    """

    def __init__(self, bint joint_likelihood=False, double tie_tolerance=0.0,
                 bint first_of_ties=True):
        self.values.joint_likelihood = joint_likelihood
        self.values.tie_tolerance = tie_tolerance
        self.values.first_of_ties = first_of_ties
        self.values.alpha = 16.0
        self.values.efe.gamma = 16.0
        self.values.efe.use_utility = self.values.efe.use_states_info_gain = True

    def set_fixed_point(self, int num_iter, double dF, double dF_tol, bint compute_vfe):
        """Set the stopping rule of the fixed-point iteration."""
        self.values.fpi.num_iter = num_iter
        self.values.fpi.dF = dF
        self.values.fpi.dF_tol = dF_tol
        self.values.fpi.compute_vfe = compute_vfe

    def set_message_passing(self, int num_iter, bint grad_descent, double tau):
        """Infer by marginal message passing; set its iterations, their kind and their rate."""
        self.values.passes_messages = True
        self.values.mmp.num_iter = num_iter
        self.values.mmp.grad_descent = grad_descent
        self.values.mmp.tau = tau

    def set_window(self, Py_ssize_t inference_horizon, Py_ssize_t num_future_steps,
                   bint use_BMA=True, bint policy_sep_prior=False):
        """Set the steps that message passing is over, and the prior that the next window gets."""
        self.values.inference_horizon = inference_horizon
        self.values.num_future_steps = num_future_steps
        self.values.use_BMA = use_BMA
        self.values.policy_sep_prior = policy_sep_prior

    def set_search(self, Py_ssize_t horizon, double policy_prune_threshold,
                   double state_prune_threshold, double prune_penalty, double gamma=1.0):
        """Evaluate policies by sophisticated inference; pymdp's agent gives it a precision of 1."""
        self.values.search.horizon = horizon
        self.values.search.policy_prune_threshold = policy_prune_threshold
        self.values.search.state_prune_threshold = state_prune_threshold
        self.values.search.prune_penalty = prune_penalty
        self.values.search.gamma = gamma

    @property
    def passes_messages(self):
        """Whether beliefs are inferred by marginal message passing."""
        return bool(self.values.passes_messages)

    @property
    def num_future_steps(self):
        """Steps of message passing's sequences that G adds up: the policies' and the present."""
        return self.values.num_future_steps

    @num_future_steps.setter
    def num_future_steps(self, Py_ssize_t value):
        self.values.num_future_steps = value

    @property
    def gamma(self):
        """Precision of policies."""
        return self.values.efe.gamma

    @gamma.setter
    def gamma(self, value):
        self.values.efe.gamma = finite_number(value, "gamma")

    @property
    def alpha(self):
        """Precision of stochastic action selection."""
        return self.values.alpha

    @alpha.setter
    def alpha(self, value):
        self.values.alpha = finite_number(value, "alpha")

    @property
    def use_utility(self):
        """Whether G has the expected utility."""
        return bool(self.values.efe.use_utility)

    @use_utility.setter
    def use_utility(self, value):
        self.values.efe.use_utility = bool(value)

    @property
    def use_states_info_gain(self):
        """Whether G has the information gain about states."""
        return bool(self.values.efe.use_states_info_gain)

    @use_states_info_gain.setter
    def use_states_info_gain(self, value):
        self.values.efe.use_states_info_gain = bool(value)

    @property
    def use_param_info_gain(self):
        """Whether G has the information gain about pA and pB."""
        return bool(self.values.efe.use_param_info_gain)

    @use_param_info_gain.setter
    def use_param_info_gain(self, value):
        self.values.efe.use_param_info_gain = bool(value)

    @property
    def action_selection(self):
        """"deterministic" or "stochastic"."""
        return "stochastic" if self.values.stochastic else "deterministic"

    @action_selection.setter
    def action_selection(self, value):
        if not isinstance(value, str) or value not in ("deterministic", "stochastic"):
            raise ValueError(
                f"action_selection must be 'deterministic' or 'stochastic', got {value!r:.80}")
        self.values.stochastic = value == "stochastic"

    @property
    def sampling_mode(self):
        """"marginal" or "full"."""
        return "full" if self.values.full else "marginal"

    @sampling_mode.setter
    def sampling_mode(self, value):
        if not isinstance(value, str) or value not in ("marginal", "full"):
            raise ValueError(f"sampling_mode must be 'marginal' or 'full', got {value!r:.80}")
        self.values.full = value == "full"
