from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.parameters import Parameters
from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]

def infer_sequences(
    packed: PackedModel,
    parameters: Parameters,
    observations: list[tuple[int, ...]],
    actions: list[Any],
    prior: Any,
    factorized: bool,
    traces: bool,
    last_timestep: bool,
    repeats: int = 1,
) -> tuple[npt.NDArray[Any], FloatArray, tuple[FloatArray, FloatArray] | None]: ...
def evaluate_sequences(
    packed: PackedModel, parameters: Parameters, qs: Any, F: Any
) -> tuple[FloatArray, FloatArray]: ...
