class Parameters:
    gamma: float
    alpha: float
    use_utility: bool
    use_states_info_gain: bool
    use_param_info_gain: bool
    action_selection: str
    sampling_mode: str
    num_future_steps: int
    @property
    def passes_messages(self) -> bool: ...
    def __init__(
        self,
        joint_likelihood: bool = False,
        tie_tolerance: float = 0.0,
        first_of_ties: bool = True,
    ) -> None: ...
    def set_fixed_point(
        self, num_iter: int, dF: float, dF_tol: float, compute_vfe: bool
    ) -> None: ...
    def set_message_passing(self, num_iter: int, grad_descent: bool, tau: float) -> None: ...
    def set_window(
        self,
        inference_horizon: int,
        num_future_steps: int,
        use_BMA: bool = True,
        policy_sep_prior: bool = False,
    ) -> None: ...
    def set_search(
        self,
        horizon: int,
        policy_prune_threshold: float,
        state_prune_threshold: float,
        prune_penalty: float,
        gamma: float = 1.0,
    ) -> None: ...
