"""The threads of a process that run compiled work beside the caller's own.

A thin `concurrent.futures.ThreadPoolExecutor`: a tick asks for help once per further thread
that does not linger from the last one, and works itself. Nobody waits for a thread that has
not begun, so a tick on a loaded machine costs no more than on one thread.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from freeagent_core._kernels.agents.parallel_work import ParallelWork

# A thread takes this much work at once, from the shared counter: a chunk costs 0.05 us, and
# the last one of a tick is waited for (30,000 left 10 % of 30 agents' tick of 100 us idle).
CHUNK_NS = 8_000.0
# Below this much work a second thread is not woken: it would come too late.
MIN_PARALLEL_NS = 60_000.0

# Work that threads may help with. It is not kept alive by that: what nobody holds any more
# takes itself out.
_wanted: dict[int, weakref.ref[ParallelWork]] = {}
_keys = itertools.count()
_lock = threading.Lock()  # of the counts below
_executor: ThreadPoolExecutor | None = None
_helping = 0  # threads that look at `_wanted`
_generation = 0  # of threads: they are gone after a fork


def num_cpus() -> int:
    """Return the number of processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def ask_for_help(work: ParallelWork) -> None:
    """Let one of the process's threads call ``work.help()``, if `work` is still wanted then."""
    global _executor, _helping
    key = next(_keys)
    _wanted[key] = weakref.ref(work, lambda _: _wanted.pop(key, None))
    most = max(num_cpus() - 1, 1)
    with _lock:
        if _executor is None:
            _executor = ThreadPoolExecutor(most, "freeagent-core")
        if _helping >= most:
            return
        _helping += 1
        executor = _executor
    executor.submit(_help)


def _help() -> None:
    """What a thread does until nothing is wanted."""
    global _helping
    while True:
        with _lock:
            if not _wanted:
                _helping -= 1
                return
        try:
            _, reference = _wanted.popitem()
        except KeyError:  # it took itself out
            continue
        work = reference()
        if work is not None:
            work.help()
        del work


def generation() -> int:
    """Return a number that changes in a process that was forked: its threads are gone."""
    return _generation


def _forget() -> None:
    """Threads do not survive a fork: the child starts its own."""
    global _executor, _generation, _helping, _lock
    _executor, _helping, _lock = None, 0, threading.Lock()
    _wanted.clear()
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def chunk_size(num_items: int, num_threads: int, item_ns: float) -> int:
    """Return how many items of a measured cost a thread should take at once."""
    chunk = num_items // (4 * num_threads)
    if item_ns * chunk > CHUNK_NS:
        chunk = int(CHUNK_NS / item_ns)
    return chunk if chunk > 1 else 1


def finish(
    work: ParallelWork,
    num_threads: int,
    expected_ns: float,
    ask: Callable[[ParallelWork], Any] = ask_for_help,
) -> None:
    """Carry out `work`, which is armed, on at most `num_threads` threads.

    Parameters
    ----------
    work : ParallelWork
    num_threads : int
        The caller's included.
    expected_ns : float
        What the work costs one thread; little work stays on the caller's.
    ask : callable
        Starts a thread's part.
    """
    helpers = min(num_threads, work.num_chunks) - 1 if expected_ns > MIN_PARALLEL_NS else 0
    try:
        for _ in range(work.expect_helpers(helpers, _generation)):
            ask(work)
    finally:  # Ctrl-C may come between: nobody must be at work when this returns
        work.finish()
