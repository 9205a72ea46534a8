from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]

class Histories:
    curr_timestep: int
    prev_obs: list[Any]
    prev_actions: list[FloatArray] | None
    qs_hist: list[Any] | None
    q_pi_hist: list[FloatArray] | None
    def __init__(self, save_belief_hist: bool = False) -> None: ...
    def q_pi_at(self, step: int) -> FloatArray | None: ...
    def assign(
        self, name: str, value: Any, packed: PackedModel, by_policy: bool = False
    ) -> None: ...
