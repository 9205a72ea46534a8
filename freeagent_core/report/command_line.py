"""``freeagent-core report``: all parts in order. `arguments` has its options."""

from __future__ import annotations

import argparse
import io
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from freeagent_core.report import (
    assembling,
    compare,
    loading,
    machine,
    measuring,
    rendering,
    terminal,
)
from freeagent_core.report.arguments import DEFAULT_FOLDER
from freeagent_core.report.output import OutputError, OutputFolder
from freeagent_core.report.schedule import schedule

BAD_INPUT = 2


def run(chosen: argparse.Namespace) -> int:
    """Make a report, or compare two; return the exit code. Ctrl-C is the caller's."""
    for stream in (sys.stdout, sys.stderr):  # where signs such as µ cannot be written
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    errors = Console(stderr=True)
    with _terminated_as_interrupted():
        try:
            if chosen.compare:
                return _compare(chosen)
            return _report(chosen, errors)
        except (loading.ModelError, OutputError, compare.CompareError) as error:
            print(f"freeagent-core report: error: {error}", file=sys.stderr)
            return BAD_INPUT


def _report(chosen: argparse.Namespace, errors: Console) -> int:
    budget = chosen.budget_ms / 1e3
    plan = schedule(chosen.quick, chosen.agents)
    loaded = loading.load(chosen.model)
    about = machine.describe()
    with OutputFolder(chosen.out or DEFAULT_FOLDER) as folder:
        with terminal.LiveProgress(errors, plan.limit) as progress:
            measurements = measuring.measure(loaded, plan, budget, progress)
            progress.begin("writing", 2.0)
        document = assembling.document(measurements, loaded, plan, budget, _command(), about)
        paths = folder.write(rendering.render(document, "report"))
    terminal.show(Console(), document, "key-figures", paths)
    return 0


def _compare(chosen: argparse.Namespace) -> int:
    document = compare.document(chosen.compare, _command())
    paths: list[Path] = []
    if chosen.out:
        with OutputFolder(chosen.out) as folder:
            paths = folder.write(rendering.render(document, "comparison"))
    terminal.show(Console(), document, "differences", paths)
    return 0


def _command() -> str:
    name = Path(sys.argv[0]).name
    if name not in ("freeagent-core", "__main__.py"):  # called from Python
        return "freeagent-core report"
    return shlex.join(["freeagent-core", *sys.argv[1:]])


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a report as Ctrl-C does: with its workers ended."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {}
    try:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # what is ignored, as by nohup, stays ignored
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    except ValueError:  # not in the main thread
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
