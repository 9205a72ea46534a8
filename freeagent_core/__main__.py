"""The command line: ``freeagent-core demo``, ``report``, ``bench`` and ``info``."""

from __future__ import annotations

import argparse
import errno
import os
import platform
import sys
from collections.abc import Sequence

import numpy as np

from freeagent_core._kernels.base import primitives
from freeagent_core._version import __version__
from freeagent_core.bench.arguments import add_arguments as add_bench_arguments
from freeagent_core.report.arguments import add_arguments, missing

INTERRUPTED = 130


def info() -> str:
    """Return the version, and what this machine gives to the kernels.

    Examples
    --------
    >>> info().startswith("freeagent_core")
    True
    """
    levels = primitives.simd_levels()
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return "\n".join(
        [
            f"freeagent_core {__version__}",
            f"SIMD level     {primitives.simd_level()} (available: {', '.join(levels)})",
            f"threads        {len(usable)}",
            f"NumPy          {np.__version__}",
            f"Python         {platform.python_version()} ({platform.machine()})",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for name in ("stdout", "stderr"):  # closed by who started this
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - to the end
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads the output has seen enough
        _leave_stdout()
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _leave_stdout()
        print(f"freeagent-core: {error.strerror}", file=sys.stderr)
        return 1


def _leave_stdout() -> None:
    """Let what was not written go nowhere: Python would try again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="freeagent-core", description="Active inference in discrete POMDPs, compiled."
    )
    parser.add_argument("--version", action="version", version=f"freeagent_core {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="agents look for a reward that a cue tells of")
    demo.add_argument(
        "--agents", type=_positive, default=300, help="how many, after the first; default: 300"
    )
    demo.add_argument("--ticks", type=_positive, default=12, help="their steps; default: 12")
    demo.add_argument("--seed", type=_seed, default=0, help="of all that is drawn; default: 0")
    report = commands.add_parser(
        "report", help="how many agents this machine runs, and how to coordinate them"
    )
    add_arguments(report)
    bench = commands.add_parser(
        "bench", help="each compiled kernel beside NumPy, pymdp and the machine's limit"
    )
    add_bench_arguments(bench)
    commands.add_parser("info", help="version, SIMD level, threads, NumPy")
    chosen = parser.parse_args(arguments)
    if chosen.command == "info":
        print(info())
    elif chosen.command == "report":
        if lacking := missing():
            report.error(lacking)
        try:
            from freeagent_core.report import command_line

            return command_line.run(chosen)
        except KeyboardInterrupt:
            print("freeagent-core report: interrupted; nothing was written", file=sys.stderr)
            return INTERRUPTED
    elif chosen.command == "bench":
        from freeagent_core.bench import command_line as bench_command

        if problem := bench_command.unknown(chosen.kernels):
            bench.error(problem)
        try:
            return bench_command.run(chosen)
        except KeyboardInterrupt:
            return INTERRUPTED
    else:
        from freeagent_core import demo as demo_module

        try:
            demo_module.run(chosen.agents, chosen.ticks, chosen.seed)
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"must be between 0 and 2^32 - 1, got {number}")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
