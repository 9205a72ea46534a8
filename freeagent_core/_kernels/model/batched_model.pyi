from typing import Any

def unwritten(lists: tuple[Any, ...], /) -> bool: ...

class BatchedModel:
    num_states: tuple[int, ...]
    num_obs: tuple[int, ...]
    num_controls: tuple[int, ...]
    A_dependencies: tuple[tuple[int, ...], ...]
    B_dependencies: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    def __init__(
        self,
        batch_size: int,
        num_states: tuple[int, ...],
        num_obs: tuple[int, ...],
        num_controls: tuple[int, ...],
        A_dependencies: tuple[tuple[int, ...], ...],
        B_dependencies: tuple[tuple[int, ...], ...],
        log_A: list[Any],
        B: list[Any],
    ) -> None: ...
    @property
    def has_log_B(self) -> bool: ...
    def set_log_B(self, log_B: list[Any]) -> None: ...
