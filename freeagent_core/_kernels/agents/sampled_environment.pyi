from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int32]

class SampledEnvironment:
    batch_size: int
    num_states: tuple[int, ...]
    num_obs: tuple[int, ...]
    num_controls: tuple[int, ...]
    def __init__(
        self,
        batch_size: int,
        A: list[npt.NDArray[Any]],
        B: list[npt.NDArray[Any]],
        D: list[npt.NDArray[Any]],
        A_dependencies: tuple[tuple[int, ...], ...],
        B_dependencies: tuple[tuple[int, ...], ...],
    ) -> None: ...
    def reset(self, keys: Keys) -> tuple[Ints, Ints]: ...
    def step(self, keys: Keys, state: Ints, action: Ints | None) -> tuple[Ints, Ints]: ...
    def observe(self, keys: Keys, state: Ints) -> Ints: ...
