from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from freeagent_core._kernels.model.batched_model import BatchedModel

Floats = npt.NDArray[np.float64]

class LearnedParts:
    pA: list[Floats | None] | None
    A: list[Floats | None] | None
    pB: list[Floats] | None
    B: list[Floats] | None
    def __init__(
        self,
        model: BatchedModel,
        pA: Sequence[Floats | None] | None,
        pB: Sequence[Floats] | None,
        C: list[Floats],
        utility: bool,
        num_steps: int,
    ) -> None: ...
