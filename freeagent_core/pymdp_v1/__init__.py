"""pymdp 1.x's interface on NumPy arrays and compiled kernels, without JAX.

Same names, arguments and numbers as ``pymdp`` 1.0.4 with ``jax_enable_x64``; no compile step.
Change the import line, and leave out ``jit``, ``vmap`` and ``jax.numpy``:

>>> from freeagent_core.pymdp_v1 import maths, utils  # was: from pymdp import maths, utils
>>> from freeagent_core.pymdp_v1 import random  # was: from jax import random

Modules are imported when they are first used.
"""

import importlib
from typing import Any

_MODULES = (
    "agent",
    "algos",
    "control",
    "distribution",
    "envs",
    "inference",
    "learning",
    "maths",
    "planning",
    "random",
    "utils",
)

__all__ = ["Agent", *_MODULES]


def __getattr__(name: str) -> Any:
    if name == "Agent":
        return importlib.import_module(f"{__name__}.agent").Agent
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
