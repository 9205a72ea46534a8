from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]

def terms(
    packed: PackedModel,
    qs: Any,
    step: int,
    use_utility: bool,
    use_states_info_gain: bool,
    use_param_info_gain: bool,
    repeats: int,
) -> float: ...
def pB_info_gain(
    packed: PackedModel, qs: Any, action: Any, predicted: Any, repeats: int
) -> float: ...
def inductive_cost(packed: PackedModel, qs: Any, predicted: Any, repeats: int) -> float: ...
def policy_probabilities(
    G: FloatArray, log_E: FloatArray | None, gamma: float, out: FloatArray, repeats: int
) -> None: ...
def evaluate_policies(
    packed: PackedModel,
    qs: Any,
    gamma: float,
    use_utility: bool,
    use_states_info_gain: bool,
    use_param_info_gain: bool,
    repeats: int,
) -> tuple[FloatArray, FloatArray]: ...
