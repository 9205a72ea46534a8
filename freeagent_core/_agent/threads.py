"""The threads of a process that run compiled work beside the caller's own.

They are started when work first asks for them, one less than there are processors, and stay.
Nobody waits for a thread that has not begun, so a tick on a loaded machine costs no more than on
one thread.
"""

from __future__ import annotations

import os
import threading

from freeagent_core._kernels.agents.helper_threads import (
    Helper,
    call_helpers,
    forget_offers,
    num_lingering,
)
from freeagent_core._kernels.agents.parallel_work import ParallelWork, chunk_size

__all__ = ["chunk_size", "finish", "generation", "num_cpus", "wake"]

# Below this much work a second thread is not woken: it would come too late.
MIN_PARALLEL_NS = 40_000.0
# Below this much work not even a thread that lingers is asked.
MIN_SHARED_NS = 5_000.0

_helpers: list[Helper] = []
_lock = threading.Lock()  # of starting one
_generation = 0  # of threads: they are gone after a fork


def num_cpus() -> int:
    """Return the number of processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def generation() -> int:
    """Return a number that changes in a process that was forked: its threads are gone."""
    return _generation


def _forget() -> None:
    """Threads do not survive a fork: the child starts its own."""
    global _generation, _helpers, _lock
    _helpers, _lock = [], threading.Lock()
    forget_offers()
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def wake(num_threads: int, expected_ns: float) -> int:
    """Wake the threads that `finish` will need, if there is enough to do, while the work is still
    prepared.

    Parameters
    ----------
    num_threads : int
        The caller's included.
    expected_ns : float
        What the work costs one thread; little work stays on the caller's.

    Returns
    -------
    helpers : int
        How many threads should help.
    """
    helpers = num_threads - 1
    if expected_ns <= MIN_PARALLEL_NS:
        return min(helpers, num_lingering()) if expected_ns > MIN_SHARED_NS else 0
    if helpers > 0:
        missing = call_helpers(_helpers, helpers)
        while missing > 0 and _start_helper():
            missing -= 1
    return helpers


def _start_helper() -> bool:
    """Start one more thread, or return that there are enough."""
    with _lock:
        if len(_helpers) >= max(num_cpus() - 1, 1):
            return False
        helper = Helper()
        try:
            threading.Thread(target=helper.serve, name="freeagent-core", daemon=True).start()
        except RuntimeError:  # none is to be had: too many, or the interpreter ends
            return False
        _helpers.append(helper)
    return True


def finish(work: ParallelWork, num_threads: int, expected_ns: float) -> None:
    """Execute `work`, which is armed, on at most `num_threads` threads; see `wake`."""
    try:
        num_threads = min(num_threads, work.num_chunks)
        if num_threads > 1:
            work.offer(wake(num_threads, expected_ns))
    finally:  # Ctrl-C may come between: nobody must be at work when this returns
        work.finish()
