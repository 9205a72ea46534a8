from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.batched_inference import BatchedInference, Observations
from freeagent_core._kernels.model.batched_model import BatchedModel

Array = npt.NDArray[np.float64]

def infer_windows(
    inference: BatchedInference,
    observed: Observations,
    actions: Any,
    step_valid: Any,
    transition_valid: Any,
    prior: Any,
    num_iter: int,
    variational: bool,
    without_prior: bool,
) -> list[Array]: ...
def free_energies(
    inference: BatchedInference,
    observed: Observations,
    chain: bool,
    actions: Any,
    step_valid: Any,
    transition_valid: Any,
    prior: Any,
    qs: Any,
) -> list[Array]: ...
def smooth(
    model: BatchedModel, qs: Any, actions: Any, exact: bool
) -> tuple[list[Array], list[Array]]: ...
def learn_A(
    model: BatchedModel,
    modality: int,
    observed: Observations,
    qs: Any,
    rates: Array,
    counts: Array,
) -> Array: ...
def learn_B(
    model: BatchedModel,
    factor: int,
    qs: Any,
    actions: Any,
    joints: Any,
    rates: Array,
    counts: Array,
) -> Array: ...
