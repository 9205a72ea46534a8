"""Options of ``freeagent-core report``; imports nothing that only the report needs."""

from __future__ import annotations

import argparse
import importlib.util
import math

DEFAULT_FOLDER = "freeagent-core-report"
DEFAULT_MODEL = "cue-grid"
MAX_AGENTS = 1_000_000
NEEDED = {"rich": "rich", "matplotlib": "matplotlib", "jinja2": "Jinja2"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a name (cue-grid, grid-5x5, grid-10x10, three-factors, dense-128, cue-chaining), "
        "FILE.py[:NAME], FILE.npz, or a gymnasium id; default: %(default)s",
    )
    parser.add_argument(
        "--agents",
        type=numbers_of_agents,
        metavar="1,5,...",
        help="numbers of agents to measure; default: 1 to 10,000",
    )
    parser.add_argument(
        "--budget-ms",
        type=milliseconds,
        default=10.0,
        metavar="MS",
        help="how long a tick may take; default: %(default)g",
    )
    parser.add_argument("--quick", action="store_true", help="in at most 90 s, less precise")
    parser.add_argument(
        "--out", metavar="DIR", help=f"folder of the files; default: {DEFAULT_FOLDER}"
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A.json", "B.json"),
        help="measure nothing; show two reports side by side (with --out, as files too)",
    )


def numbers_of_agents(text: str) -> list[int]:
    """Return numbers of agents, ascending, each once.

    Examples
    --------
    >>> numbers_of_agents("30,1,5,5")
    [1, 5, 30]
    """
    found = set()
    for part in text.split(","):
        try:
            size = int(part.strip().replace("_", ""))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"must be whole numbers separated by commas, got {part.strip()!r}"
            ) from None
        if not 1 <= size <= MAX_AGENTS:
            raise argparse.ArgumentTypeError(f"must be in 1 to {MAX_AGENTS:,}, got {size}")
        found.add(size)
    return sorted(found)


def milliseconds(text: str) -> float:
    """Return a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value


def missing() -> str:
    """Return what to install, if anything of the extra is missing; else an empty text."""
    absent = [name for module, name in NEEDED.items() if importlib.util.find_spec(module) is None]
    if not absent:
        return ""
    return f"needs {', '.join(absent)}: pip install 'freeagent-core[report]'"
