from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.agent_parameters import AgentParameters
from freeagent_core._kernels.learning.learned_model import LearnedModel
from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]

class AgentCore(AgentParameters):
    packed: PackedModel
    qs: npt.NDArray[Any]
    q_pi: FloatArray
    G: FloatArray
    action: FloatArray | None
    def __init__(
        self,
        packed: PackedModel,
        joint_likelihood: bool,
        tie_tolerance: float,
        first_of_ties: bool,
    ) -> None: ...
    @property
    def learned(self) -> LearnedModel | None: ...
    def begin_learning(self, learned: LearnedModel) -> None: ...
    def update_A(self, observation: Any, to_learn: bytes, lr: float) -> npt.NDArray[Any]: ...
    def update_B(self, qs_previous: Any, to_learn: bytes, lr: float) -> npt.NDArray[Any]: ...
    def update_D(self, qs_first: Any, to_learn: bytes, lr: float) -> npt.NDArray[Any]: ...
    def infer_states(
        self, observation: Any, distr_obs: bool, joint_likelihood: bool = False
    ) -> None: ...
    def infer_policies(self) -> None: ...
    def set_search(
        self,
        horizon: int,
        policy_prune_threshold: float,
        state_prune_threshold: float,
        prune_penalty: float,
        gamma: float = 1.0,
    ) -> None: ...
    def sample_action(self) -> FloatArray: ...
    def step(self, observation: Any, distr_obs: bool = False) -> FloatArray: ...
    def action_distribution(self) -> Any: ...
