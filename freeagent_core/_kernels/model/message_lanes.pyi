from typing import Any

from freeagent_core._kernels.model.lane_model import PackedLanes

MAX_MESSAGES: int

class PackedMessageLanes:
    lanes: PackedLanes
    horizon: int
    def __init__(
        self, lanes: PackedLanes, transitions: list[tuple[Any, ...]], horizon: int
    ) -> None: ...
    @property
    def num_rows(self) -> int: ...
