"""The library Ray, imported when it is first needed."""

from __future__ import annotations

import importlib
from typing import Any


def library() -> Any:
    """Return the module `ray`, and not this package, which has the same name.

    Raises
    ------
    ImportError
        If Ray is not installed, or hidden by another module named ``ray``.
    """
    try:
        module = importlib.import_module("ray")
    except ImportError:
        raise ImportError(
            "freeagent_core.ray needs the library Ray: pip install 'freeagent-core[ray]'"
        ) from None
    if not hasattr(module, "remote"):
        raise ImportError(
            f"'import ray' finds {module.__path__ if hasattr(module, '__path__') else module}, "
            "which is not the library Ray: remove that folder from sys.path"
        )
    return module


def connected() -> Any:
    """Return the module `ray`, connected to a cluster (`ray.init`, if nobody called it)."""
    module = library()
    if not module.is_initialized():
        module.init()
    return module
