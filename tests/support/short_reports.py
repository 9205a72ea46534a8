"""Short reports, and the command as a user runs it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from freeagent_core.__main__ import main
from freeagent_core.report import assembling, command_line, loading, machine, measuring, schedule

ROOT = Path(__file__).resolve().parents[2]


class Silent:
    """Progress that nobody sees; keeps what was begun."""

    def __init__(self):
        self.begun = []

    def begin(self, text, seconds):
        self.begun.append(text)
        return lambda share: None


def short(sizes=(1, 30), **changes):
    """Return settings of a report that takes a few seconds."""
    plan = schedule.schedule(True, list(sizes))
    times = {
        "per_size": 0.4,
        "at_reference": 0.6,
        "search": 0.4,
        "hold": 0.4,
        "phases": 0.2,
        "per_peer": 0.2,
        "peers": 40.0,
        "peer_sizes": (1,),
        "limit": 120.0,
    }
    return replace(plan, **{**times, **changes})


def make(model="grid-5x5", budget=20e-3, **changes):
    """Return the document of a short report."""
    plan = short(**changes)
    loaded = loading.load(model)
    measurements = measuring.measure(loaded, plan, budget, Silent())
    return assembling.document(
        measurements, loaded, plan, budget, "freeagent-core report", machine.describe()
    )


def command(*arguments, program=("-m", "freeagent_core", "report"), **options):
    """Start ``freeagent-core report`` as a user does."""
    return subprocess.Popen(
        [sys.executable, *program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        **options,
    )


SHORT_COMMAND = ("-c", "import short_reports; short_reports.run_short_command()")


def run_short_command():
    """Run the command with the times of a short report."""
    command_line.schedule = lambda quick, sizes: short(sizes or (1, 30), quick=quick)
    sys.exit(main(["report", *sys.argv[1:]]))
