from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.population_core import PopulationCore
from freeagent_core._kernels.base.state_lock import StateLock
from freeagent_core.model import GenerativeModel

class PopulationCalls:
    costs: dict[int, float]
    def __init__(self, model: GenerativeModel, core: PopulationCore, lock: StateLock) -> None: ...
    def act(
        self, operations: int, num_threads: int, mask: Any, observations: Any = None
    ) -> npt.NDArray[np.intp]: ...
    def run(
        self,
        operations: int,
        num_threads: int,
        mask: Any,
        observations: Any = None,
        beliefs: Sequence[Any] | None = None,
        name: str | None = None,
        to_learn: bytes | None = None,
        lr: float = 1.0,
    ) -> None: ...
    def reset(self, mask: Any) -> None: ...
