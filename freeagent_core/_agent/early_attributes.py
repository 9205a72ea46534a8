"""Attributes of an agent before its constructor: a subclass may assign and read them in its own
``__init__`` before it calls that of `Agent`, which sets them as it sets all others. Until then they
are plain ones, kept in ``__dict__``.

Measured (callgrind, one `infer_states` of 32 states): a ``__getattr__`` of `Agent` itself costs
every call 900 of 6,700 instructions, so only subclasses with an ``__init__`` of their own have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def has_begun(agent: Any) -> bool:
    """Return whether the constructor has set the agent's parts."""
    try:
        object.__getattribute__(agent, "_live")
    except AttributeError:
        return False
    return True


def read_early(agent: Any, name: str) -> Any:
    """Serve as the ``__getattr__`` of a subclass."""
    if has_begun(agent):
        return object.__getattribute__(agent, name)  # the error once more
    if name in agent.__dict__:
        return agent.__dict__[name]
    raise AttributeError(f"{type(agent).__name__} has no {name!r} before Agent.__init__ was called")


def settle_early(agent: Any, base: type, names: Iterable[str]) -> None:
    """Forget the attributes in ``__dict__`` that are those of `base`, the class `Agent`."""
    for name in names:
        if name == "F" and not agent._core.parameters.passes_messages:
            continue  # the caller's own, then as later
        attribute = getattr(base, name, None)
        if attribute is getattr(type(agent), name, None) and hasattr(attribute, "__set__"):
            del agent.__dict__[name]
