"""Options of ``freeagent-core bench``; imports nothing that only the measurements need."""

from __future__ import annotations

import argparse
import math

MAX_SIZE = 2**24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "kernels", nargs="*", metavar="KERNEL", help="names (see --list); default: all"
    )
    parser.add_argument(
        "--sizes", type=sizes, metavar="N,N,...", help="default: each kernel's (see --list)"
    )
    parser.add_argument(
        "--seconds",
        type=duration,
        default=0.3,
        help="for each kernel and size, all sides together; default: %(default)s",
    )
    parser.add_argument("--no-peers", action="store_true", help="beside NumPy alone")
    parser.add_argument(
        "--list", action="store_true", help="print the kernels, their sizes and what these mean"
    )


def sizes(text: str) -> list[int]:
    """Return sizes.

    Examples
    --------
    >>> sizes("8,64")
    [8, 64]
    """
    found = []
    for part in text.split(","):
        try:
            size = int(part.strip().replace("_", ""))
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be numbers and commas, got {text!r}") from None
        if not 4 <= size <= MAX_SIZE:
            raise argparse.ArgumentTypeError(f"must be in 4 to {MAX_SIZE}, got {size}")
        found.append(size)
    return found


def duration(text: str) -> float:
    """Return seconds, not negative."""
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not (0.0 <= seconds < math.inf):
        raise argparse.ArgumentTypeError(f"must not be negative, got {text}")
    return seconds
