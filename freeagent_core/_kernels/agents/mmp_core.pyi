from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.agent_core import AgentCore

FloatArray = npt.NDArray[np.float64]

class MMPCore(AgentCore):
    infer_len: int
    def set_inference_params(  # type: ignore[override]
        self, num_iter: int, grad_descent: bool, tau: float
    ) -> None: ...
    def infer_sequences(
        self,
        observations: list[tuple[Any, bool]],
        actions: list[Any],
        prior: Any,
        per_policy: bool,
        factorized: bool,
        traces: bool,
        last_timestep: bool = False,
    ) -> tuple[FloatArray, FloatArray] | None: ...
    def evaluate_sequences(self, num_steps: int) -> None: ...
    def free_energies(self) -> FloatArray: ...
    def sequences(self) -> npt.NDArray[Any]: ...
    def average_first_beliefs(self, weights: FloatArray) -> npt.NDArray[Any]: ...
    def policy_order(self) -> list[int]: ...
    def sequence_state(self) -> tuple[FloatArray, FloatArray] | None: ...
    def restore_sequences(self, state: tuple[FloatArray, FloatArray]) -> None: ...
