"""A kernel with input of one size: how it is called, what it needs, what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A kernel with input of one size.

    Parameters
    ----------
    ours : callable
        Runs the kernel so many times.
    operations, bytes : float
        That one run needs: a multiply-add is two operations, a logarithm or an exponential 30;
        each array is read or written once.
    numpy : callable, optional
        The same as a NumPy expression.
    arrays : dict
        The input, for `peers`.
    """

    ours: Callable[[int], Any]
    operations: float
    bytes: float
    numpy: Callable[[], Any] | None = None
    arrays: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A kernel.

    Parameters
    ----------
    make : callable
        Makes the `Problem` of a size.
    sizes : tuple of int
        By default.
    meaning : str
        Of the size.
    """

    make: Callable[[int], Problem]
    sizes: tuple[int, ...]
    meaning: str
