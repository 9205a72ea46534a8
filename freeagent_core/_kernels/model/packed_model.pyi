from typing import Any

import numpy as np
import numpy.typing as npt

class PackedModel:
    uses_belief_graph: bool
    short_step: bool
    def __init__(
        self,
        factors: list[dict[str, Any]],
        modalities: list[dict[str, Any]],
        groups: list[dict[str, Any]],
        tree: dict[str, Any],
        matrices: dict[str, Any] | None,
        D: npt.NDArray[np.float64],
        log_E: npt.NDArray[np.float64] | None,
        softmax_E: npt.NDArray[np.float64] | None,
        uses_belief_graph: bool,
    ) -> None: ...
    @property
    def enumerates_policies(self) -> bool: ...
    @property
    def qs_size(self) -> int: ...
    def graph_size(self) -> dict[str, int] | None: ...
