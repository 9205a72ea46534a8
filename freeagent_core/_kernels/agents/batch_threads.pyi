from collections.abc import Callable
from typing import Any

def set_threads(num_threads: int, finish: Callable[..., Any], min_parallel_ns: float) -> None: ...
