from typing import Any

import numpy.typing as npt

from freeagent_core._kernels.model.packed_model import PackedModel

class DirichletParameters: ...

class FirstParameters:
    def __init__(
        self,
        pA: npt.NDArray[Any] | None,
        pB: npt.NDArray[Any] | None,
        pD: npt.NDArray[Any] | None,
    ) -> None: ...

class LearnedModel(PackedModel):
    shared: PackedModel
    pA: npt.NDArray[Any] | None
    pB: npt.NDArray[Any] | None
    pD: npt.NDArray[Any] | None
    A: npt.NDArray[Any] | None
    B: npt.NDArray[Any] | None
    D: npt.NDArray[Any] | None
    def __init__(self, shared: PackedModel, first: FirstParameters) -> None: ...
    def written(self) -> list[str]: ...
