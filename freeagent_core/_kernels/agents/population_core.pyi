from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.parallel_work import ParallelWork
from freeagent_core._kernels.learning.learned_model import LearnedModel
from freeagent_core._kernels.model.packed_model import PackedModel

class PopulationCore(ParallelWork):
    packed: PackedModel
    size: int
    together: int
    state: dict[str, npt.NDArray[Any]]
    learned: Sequence[LearnedModel | None] | None
    def __init__(self, packed: PackedModel, size: int, parameters: dict[str, Any]) -> None: ...
    def prepare(
        self,
        operations: int,
        chunk: int,
        num_threads: int,
        observations: npt.NDArray[np.intp] | None = None,
        mask: npt.NDArray[np.uint8] | None = None,
        given_qs: npt.NDArray[np.float64] | None = None,
        to_learn: bytes | None = None,
        lr: float = 1.0,
    ) -> None: ...
    def any_failed(self) -> bool: ...
    def failed(self) -> tuple[npt.NDArray[np.intp], bool]: ...
    def enumerate_policies(
        self, i: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
    def begin_learning(self, pA: Any, pB: Any, pD: Any) -> None: ...
    def learned_model(self, i: int) -> LearnedModel: ...
