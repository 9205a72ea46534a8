"""Active inference in discrete POMDPs: pymdp's numbers at the speed of C.

>>> from freeagent_core import Agent
"""

from freeagent_core._version import __version__

try:
    from freeagent_core._kernels.base import primitives as _primitives  # noqa: F401
except ImportError as error:
    raise ImportError(
        "freeagent_core is not compiled here. From the project's root Python finds the sources "
        "before the installed package: run `pip install -e .` first, or leave this directory. "
        f"({error})"
    ) from error

from freeagent_core.agent import Agent
from freeagent_core.model import GenerativeModel
from freeagent_core.population import Population

__all__ = ["Agent", "GenerativeModel", "Population", "__version__"]
