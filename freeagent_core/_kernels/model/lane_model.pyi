import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel

FloatArray = npt.NDArray[np.float64]

class PackedLanes:
    packed: PackedModel
    def __init__(
        self, packed: PackedModel, B: list[FloatArray], A: list[FloatArray], own: bool = False
    ) -> None: ...
    only_with_B: bool
    @property
    def num_rows(self) -> int: ...
    @property
    def num_operations(self) -> int: ...
