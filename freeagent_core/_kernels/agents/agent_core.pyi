from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.agent_history import Histories
from freeagent_core._kernels.agents.parameters import Parameters
from freeagent_core._kernels.learning.learned_model import LearnedModel
from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

class AgentCore:
    packed: PackedModel
    learned: LearnedModel | None
    parameters: Parameters
    histories: Histories
    is_watched: bool
    replaces_parts: bool
    qs: ObjectArray
    q_pi: FloatArray
    G: FloatArray
    F: FloatArray
    action: FloatArray | None
    latest_belief: Any
    edge_handling_params: dict[str, bool]
    @property
    def infer_len(self) -> int: ...
    @property
    def window_is_full(self) -> bool: ...
    def __init__(
        self, packed: PackedModel, parameters: Parameters, save_belief_hist: bool = False
    ) -> None: ...
    def set_search(
        self,
        horizon: int,
        policy_prune_threshold: float,
        state_prune_threshold: float,
        prune_penalty: float,
    ) -> None: ...
    def begin_episode(self) -> None: ...
    def keep_prior(self) -> None: ...
    def set_latest_belief(self) -> None: ...
    def infer_states(
        self, observation: Any, distr_obs: bool = False, joint_likelihood: bool = False
    ) -> ObjectArray: ...
    def infer_policies(self) -> None: ...
    def sample_action(self, ends_step: bool = False) -> FloatArray: ...
    def step(self, observation: Any, distr_obs: bool = False) -> FloatArray: ...
