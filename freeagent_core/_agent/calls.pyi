from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.agent_core import AgentCore
from freeagent_core.model import GenerativeModel

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[Any]

class AgentCalls:
    _model: GenerativeModel
    _core: AgentCore
    _changes: dict[str, Any]
    prev_actions: list[Any] | None
    curr_timestep: int
    qs_hist: list[ObjectArray]
    q_pi_hist: list[FloatArray]
    modalities_to_learn: Any
    factors_to_learn: Any
    lr_pA: float
    lr_pB: float
    lr_pD: float
    def infer_states(self, observation: Any, distr_obs: bool = False) -> ObjectArray: ...
    def infer_policies(self) -> tuple[FloatArray, FloatArray]: ...
    def sample_action(self) -> FloatArray: ...
    def step(self, observation: Any, distr_obs: bool = False) -> FloatArray: ...
    def step_time(self) -> int: ...
    def update_A(self, obs: Any) -> ObjectArray: ...
    def update_B(self, qs_prev: Any) -> ObjectArray: ...
    def update_D(self, qs_t0: Any = None) -> ObjectArray: ...
