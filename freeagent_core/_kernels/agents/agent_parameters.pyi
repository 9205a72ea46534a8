class AgentParameters:
    gamma: float
    alpha: float
    use_utility: bool
    use_states_info_gain: bool
    use_param_info_gain: bool
    action_selection: str
    sampling_mode: str
    def set_inference_params(
        self, num_iter: int, dF: float, dF_tol: float, compute_vfe: bool
    ) -> None: ...
