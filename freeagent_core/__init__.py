"""Active inference in discrete POMDPs: pymdp's numbers at the speed of C.

>>> from freeagent_core import Agent
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from freeagent_core._compiled_modules import find_compiled_modules
from freeagent_core._version import __version__

find_compiled_modules()
try:
    from freeagent_core._kernels.base import primitives as _primitives  # noqa: F401
except ImportError as error:
    raise ImportError(
        "freeagent_core is not compiled here. From the project's root Python finds the sources "
        "before the installed package: run `pip install -e .` first, or leave this directory. "
        f"({error})"
    ) from error

if TYPE_CHECKING:
    from freeagent_core.agent import Agent
    from freeagent_core.model import GenerativeModel
    from freeagent_core.population import Population

__all__ = ["Agent", "GenerativeModel", "Population", "__version__", "get_include"]

# Imported when they are first used, so that other parts of the package do not wait for them.
_MODULES = {"Agent": "agent", "GenerativeModel": "model", "Population": "population"}
_FUNCTIONS = ("algos", "control", "inference", "kernels", "learning", "maths", "utils")


def get_include() -> str:
    """Return the directory of ``freeagent_core.h``, for compilers.

    Returns
    -------
    directory : str

    Examples
    --------
    >>> os.listdir(get_include())
    ['freeagent_core.h']
    """
    return os.path.join(os.path.dirname(__file__), "include")


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS or name in _MODULES.values():
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
