"""The threads of a process that run compiled work beside the caller's own.

A thin `concurrent.futures.ThreadPoolExecutor`: a tick submits `help` once per further thread
that does not linger from the last one, and works itself. Nobody waits for a thread that has
not begun, so a tick on a loaded machine costs no more than on one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from freeagent_core._kernels.agents.parallel_work import ParallelWork

# A thread takes this much work at once, from the shared counter: a chunk costs 0.05 us, and
# the last one of a tick is waited for (30,000 left 10 % of 30 agents' tick of 100 us idle).
CHUNK_NS = 8_000.0
# Below this much work a second thread is not woken: it would come too late.
MIN_PARALLEL_NS = 60_000.0

_executor: ThreadPoolExecutor | None = None
_generation = 0  # of threads: they are gone after a fork


def num_cpus() -> int:
    """Return the number of processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def submit(call: Callable[[], Any]) -> Future[Any]:
    """Run `call` on one of the process's threads."""
    global _executor
    if _executor is None:
        _executor = ThreadPoolExecutor(max(num_cpus() - 1, 1), "freeagent-core")
    return _executor.submit(call)


def _forget() -> None:
    """Threads do not survive a fork: the child starts its own."""
    global _executor, _generation
    _executor = None
    _generation += 1


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
    submit: Callable[[Callable[[], Any]], Any] = submit,
) -> None:
    """Carry out `work`, which is armed, on at most `num_threads` threads.

    Parameters
    ----------
    work : ParallelWork
    num_threads : int
        The caller's included.
    expected_ns : float
        What the work costs one thread; little work stays on the caller's.
    submit : callable
        Starts a thread's part.
    """
    helpers = min(num_threads, work.num_chunks) - 1 if expected_ns > MIN_PARALLEL_NS else 0
    for _ in range(work.expect_helpers(helpers, _generation)):
        submit(work.help)
    work.finish()
