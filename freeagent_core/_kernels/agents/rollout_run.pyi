from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.batched_inference import BatchedInference
from freeagent_core._kernels.agents.sampled_environment import SampledEnvironment

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

class Rollout:
    qs: list[Floats]
    prior: list[Floats]
    q_pi: Floats
    neg_efe: Floats
    actions: Ints
    states: Ints
    observations: Ints
    key: npt.NDArray[np.uint32]
    distributions: bool
    def __init__(
        self,
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
    ) -> None: ...
