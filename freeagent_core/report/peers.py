"""Peers that are installed, measured in a process of their own with a limit of time."""

from __future__ import annotations

import contextlib
import json
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PEERS = ("pymdp.legacy", "pymdp 1.x, jitted")


@dataclass
class PeerRounds:
    """Both sides at one batch size: seconds of a tick in each round, paired."""

    peer: str
    size: int
    ours: list[float]
    theirs: list[float]


@dataclass
class Peers:
    """What was measured, and why the rest was not."""

    rounds: list[PeerRounds] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def measure(
    arguments: dict[str, Any],
    sizes: list[int],
    seconds: float,
    min_rounds: int,
    limit: float,
    advance: Callable[[float], None] = lambda share: None,
) -> Peers:
    """Measure the peers.

    Parameters
    ----------
    arguments : dict
        Of an agent.
    sizes : list of int
        Batch sizes of pymdp 1.x.
    seconds : float
        For each peer and batch size, both sides.
    min_rounds : int
    limit : float
        Seconds after which the process is ended; what it has sent by then counts.
    advance : callable
    """
    request = {
        "arguments": arguments,
        "sizes": sizes,
        "seconds": seconds,
        "min_rounds": min_rounds,
    }
    found = Peers()
    process = subprocess.Popen(
        [sys.executable, "-m", "freeagent_core.report.peer_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[bytes] = queue.Queue()
    stdout = process.stdout

    def read() -> None:
        for line in stdout:
            lines.put(line)
        lines.put(b"")

    reader = threading.Thread(target=read, daemon=True)
    try:
        reader.start()
        try:
            process.stdin.write(pickle.dumps(request, protocol=5))
            process.stdin.flush()  # open until the end: it ends when this process does
        except BrokenPipeError:
            pass  # it ended; its output says what it could
        until = time.perf_counter() + limit
        while True:
            try:
                line = lines.get(timeout=max(0.0, until - time.perf_counter()))
            except queue.Empty:
                found.reasons.append(f"after {limit:.0f} s the time for peers was up")
                break
            if not line:
                process.wait()
                break
            _note(found, json.loads(line))
            advance(min(1.0, 1 - (until - time.perf_counter()) / limit))
        if process.poll() not in (None, 0):
            found.reasons.append(f"the process of the peers ended with code {process.returncode}")
    finally:
        process.kill()
        process.wait()
        reader.join()
        stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    return found


def _note(found: Peers, line: dict[str, Any]) -> None:
    if "reason" in line:
        found.reasons.append(f"{line['peer']}: {line['reason']}")
    elif "ours" in line:
        found.rounds.append(PeerRounds(line["peer"], line["size"], line["ours"], line["theirs"]))
