from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.batched_model import BatchedModel
from freeagent_core._kernels.planning.policy_plan import PolicyPlan

Array = npt.NDArray[np.float64]

def set_array_reader(reader: Callable[[Any], npt.NDArray[Any]]) -> None: ...

class Observations:
    def __init__(self, model: BatchedModel, observations: Any, distributions: bool) -> None: ...
    @property
    def num_steps(self) -> int: ...

class BatchedInference:
    model: BatchedModel
    plan: PolicyPlan | None
    def __init__(self, model: BatchedModel) -> None: ...
    def infer_states(
        self, observations: Any, distributions: bool, prior: Any, num_iter: int
    ) -> list[Array]: ...
    def predict_states(self, actions: Any, qs: Any) -> list[Array]: ...
    def infer_policies(self, qs: Any) -> tuple[Array, Array]: ...
    def likeliest_actions(self, q_pi: Any, marginal: bool) -> npt.NDArray[np.int64] | None: ...
