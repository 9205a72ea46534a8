"""The arrays and lists of its model that an agent's callers may write into.

As in pymdp, ``agent.D[0] = x`` or ``agent.C[1][1] = 3.0`` counts at the next call, and so does a
write into a list, a slice or a view that the caller kept. The model itself is immutable and shared,
so callers get copies. While somebody holds one, each call compares it with what the agent was
packed with; once nobody does, it is forgotten, and the agent pays nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from freeagent_core._kernels.agents.agent_core import AgentCore


class Entry:
    """One attribute: what callers have, and what it was when the agent looked last."""

    def __init__(self, value: Any, packed: Any, assigned: bool, constant: bool) -> None:
        self.value = value
        self.packed = packed
        self.assigned = assigned  # and not taken over yet
        self.constant = constant  # follows from the model: a change is an error


class LiveArrays:
    """What callers of one agent hold, by the attribute's name.

    Parameters
    ----------
    core : AgentCore
        Its `is_watched` tells calls that there is something to look at.
    """

    def __init__(self, core: AgentCore) -> None:
        self._core = core
        self._entries: dict[str, Entry] = {}

    def find(self, name: str) -> Entry | None:
        """Return the entry of an attribute that callers have."""
        return self._entries.get(name)

    def hand_out(self, name: str, packed: Any, constant: bool = False) -> Any:
        """Return a copy of what the agent is packed with, for callers to keep and write into."""
        value = copied(packed)
        self._add(name, Entry(value, packed, False, constant))
        return value

    def assign(self, name: str, value: Any) -> None:
        """Let `value` be the attribute; the next call takes it over."""
        self._add(name, Entry(value, None, True, False))

    def watch(self, name: str, value: Any) -> None:
        """Let `value`, which has been taken over as it is now, be the attribute."""
        self._add(name, Entry(value, copied(value), False, False))

    def forget(self, *names: str) -> None:
        """What callers have of these is not the agent's any more."""
        if self._entries:
            for name in names:
                self._entries.pop(name, None)
            self._core.is_watched = bool(self._entries)

    def changes(self) -> Iterator[tuple[str, Entry]]:
        """Yield what differs from what the agent is packed with."""
        for name, entry in list(self._entries.items()):
            if entry.assigned or not equal(entry.value, entry.packed):
                if entry.constant:
                    raise ValueError(
                        f"{name} follows from the model and cannot be changed, got {entry.value!r}"
                    )
                yield name, entry

    def drop_assigned(self) -> None:
        """Take back assignments that do not fit."""
        self.forget(*[name for name, entry in list(self._entries.items()) if entry.assigned])

    def settle(self) -> None:
        """All has been taken over: forget what nobody holds any more."""
        for entry in list(self._entries.values()):
            if entry.assigned or entry.packed is None:
                entry.packed, entry.assigned = copied(entry.value), False
        self.forget(*[name for name, entry in list(self._entries.items()) if not _is_held(entry)])

    def _add(self, name: str, entry: Entry) -> None:
        self._entries[name] = entry
        self._core.is_watched = True


def equal(a: Any, b: Any) -> bool:
    """Return whether two arrays, or nested sequences of arrays and numbers, are equal."""
    if isinstance(a, dict):
        return bool(a == b)
    if isinstance(a, list | tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        nested = isinstance(b, list | tuple | np.ndarray)
        return nested and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and np.array_equal(a, b)
    return not isinstance(b, list | tuple | np.ndarray) and bool(a == b)


def copied(value: Any) -> Any:
    """Return a copy that may be written into; numbers are themselves."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        copy = np.empty(value.shape, dtype=object)
        for i in np.ndindex(value.shape):
            copy[i] = copied(value[i])
        return copy
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return [copied(item) for item in value]
    return dict(value) if isinstance(value, dict) else value


# A reference that is not ours is a caller's, or a view's. The counts of what nobody holds are
# measured, because Python's versions count the references of calls differently.
def _references(entry: Entry) -> tuple[int, int]:
    value = entry.value
    own = sys.getrefcount(value)
    if not isinstance(value, list) and not (
        isinstance(value, np.ndarray) and value.dtype == object
    ):
        return own, 0
    shared = [i for i, item in enumerate(value) if isinstance(item, list | np.ndarray)]
    return own, max((sys.getrefcount(value[i]) for i in shared), default=0)


def _is_held(entry: Entry) -> bool:
    return any(count > free for count, free in zip(_references(entry), _FREE, strict=True))


_FREE = _references(Entry([[]], None, False, False))
