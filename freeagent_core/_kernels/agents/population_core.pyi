from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.agents.parallel_work import ParallelWork
from freeagent_core._kernels.agents.parameters import Parameters
from freeagent_core._kernels.model.lane_model import PackedLanes
from freeagent_core._kernels.model.message_lanes import PackedMessageLanes
from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]

class PopulationCore(ParallelWork):
    packed: PackedModel
    parameters: Parameters
    size: int
    block: int
    lanes: PackedLanes | None
    learned_lanes: PackedLanes | None
    window_lanes: PackedMessageLanes | None
    state: dict[str, npt.NDArray[Any]]
    learns: bool
    def __init__(
        self,
        packed: PackedModel,
        size: int,
        parameters: Parameters,
        lanes: PackedLanes | None = None,
        window_lanes: PackedMessageLanes | None = None,
    ) -> None: ...
    def failed(self) -> tuple[npt.NDArray[np.intp], bool]: ...
    def enumerate_policies(self, i: int) -> tuple[FloatArray, FloatArray]: ...
    def begin_episodes(self, chosen: npt.NDArray[np.uint8]) -> None: ...
    def sequences(self, i: int) -> FloatArray: ...
    def free_energies(self) -> FloatArray: ...
    def begin_learning(
        self, pA: Any, pB: Any, pD: Any, lanes: PackedLanes | None = None
    ) -> None: ...
    def learners(self, name: str) -> list[int]: ...
    def learned(self, i: int, name: str) -> Any: ...
    def restore(self, i: int, name: str, values: list[npt.NDArray[np.float64]]) -> None: ...
