"""`Agent` of pymdp 0.0.7.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freeagent_core import agent
from freeagent_core.model import GenerativeModel


class Agent(agent.Agent, reads_early=False):
    """An active-inference agent with the numbers of ``pymdp.agent.Agent`` 0.0.7.1.

    Parameters
    ----------
    A, B, C, D, E, pA, pB, pD, num_controls, policy_len, inference_horizon, \
control_fac_idx, policies, gamma, alpha, use_utility, use_states_info_gain, \
use_param_info_gain, action_selection, sampling_mode, inference_algo, inference_params, \
modalities_to_learn, lr_pA, factors_to_learn, lr_pB, lr_pD, use_BMA, policy_sep_prior, \
save_belief_hist
        See `freeagent_core.GenerativeModel`.

    See Also
    --------
    freeagent_core.pymdp_v0 : how the numbers differ.
    freeagent_core.Agent : attributes and methods.

    Examples
    --------
    >>> import numpy as np
    >>> agent = Agent(A=np.eye(2), B=np.stack([np.eye(2), 1 - np.eye(2)], axis=-1))
    >>> agent.step([0])  # both actions are as good: the first
    array([0.])
    """

    _pymdp_version = "0.0.7.1"

    def __init__(
        self,
        A: Any,
        B: Any,
        C: Any = None,
        D: Any = None,
        E: Any = None,
        pA: Any = None,
        pB: Any = None,
        pD: Any = None,
        num_controls: Any = None,
        policy_len: int = 1,
        inference_horizon: int = 1,
        control_fac_idx: Any = None,
        policies: Any = None,
        gamma: float = 16.0,
        alpha: float = 16.0,
        use_utility: bool = True,
        use_states_info_gain: bool = True,
        use_param_info_gain: bool = False,
        action_selection: str = "deterministic",
        sampling_mode: str = "marginal",
        inference_algo: str | None = "VANILLA",
        inference_params: Mapping[str, Any] | None = None,
        modalities_to_learn: Any = "all",
        lr_pA: float = 1.0,
        factors_to_learn: Any = "all",
        lr_pB: float = 1.0,
        lr_pD: float = 1.0,
        use_BMA: bool = True,
        policy_sep_prior: bool = False,
        save_belief_hist: bool = False,
    ) -> None:
        arguments = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        self._begin(GenerativeModel(**arguments, pymdp_version=self._pymdp_version))
        self._call_own_reset()
