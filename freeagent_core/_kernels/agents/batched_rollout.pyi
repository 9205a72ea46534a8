from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.batched_inference import BatchedInference
from freeagent_core._kernels.agents.sampled_environment import SampledEnvironment

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

def run_rollout(
    inference: BatchedInference,
    environment: SampledEnvironment,
    prior: Any,
    key: npt.NDArray[np.uint32],
    num_steps: int,
    num_iter: int,
    distributions: bool,
    stochastic: bool,
    of_factors: bool,
    one_key: bool,
    alpha: Floats,
) -> tuple[
    list[Floats], list[Floats], Floats, Floats, Ints, Ints, Ints, npt.NDArray[np.uint32]
]: ...
