"""The threads of a process that run compiled work beside the caller's own.

Each is the one thread of a thin `concurrent.futures.ThreadPoolExecutor`: a tick calls one per
further thread that does not linger from the last tick, and works itself. Nobody waits for a thread
that has not begun, so a tick on a loaded machine costs no more than on one thread.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from freeagent_core._kernels.agents.parallel_work import ParallelWork
from freeagent_core._kernels.agents.processor_affinity import ProcessorMask

if TYPE_CHECKING:
    import queue

# A thread takes this much work at once, from the shared counter: a chunk costs 0.05 us, and
# the last one of a tick is waited for (30,000 left 10 % of 30 agents' tick of 100 us idle).
CHUNK_NS = 8_000.0
# Below this much work a second thread is not woken: it would come too late.
MIN_PARALLEL_NS = 60_000.0

# Work that threads may help with. It is not kept alive by that: what nobody holds any more
# takes itself out.
_wanted: dict[int, weakref.ref[ParallelWork]] = {}
_keys = itertools.count()
_lock = threading.Lock()  # of the lists below
_helpers: list[Helper] = []
_resting: list[Helper] = []  # those that no tick has woken
_is_ending = False  # the interpreter
_generation = 0  # of threads: they are gone after a fork


def num_cpus() -> int:
    """Return the number of processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Helper:
    """One thread that looks at `_wanted` when it is called, and rests when nothing is wanted.

    The caller knows which thread it wakes, so that it can leave its own processor out of that
    one's mask (`processor_affinity`). Measured (benchmarks/coordination.py --pauses, 2
    processors): with 20 ms asleep between ticks of 4 ms, two threads had 0.51 of twice the speed
    of one before, and 0.8 to 0.9 since.
    """

    def __init__(self) -> None:
        # imported here: they are a fourth of the time that `pymdp_v1` takes to import
        import queue
        from concurrent.futures import ThreadPoolExecutor

        at_exit(_end_all)  # after executors registered theirs, see there
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._mask: ProcessorMask | None = None
        self._executor = ThreadPoolExecutor(1, "freeagent-core")
        self._executor.submit(self._serve)

    def call(self) -> None:
        """Let the thread look at `_wanted`, on another processor than the caller's if it may."""
        try:
            if self._mask is not None:
                self._mask.leave_processor()
        finally:  # Ctrl-C may come between: a mask is restored by its thread
            self._bell.put(True)

    def end(self) -> None:
        """Let the thread end when it has nothing to do."""
        self._bell.put(False)

    def _serve(self) -> None:
        self._mask = mask = ProcessorMask(threading.get_native_id())
        while self._bell.get():
            mask.restore()
            self._help()

    def _help(self) -> None:
        while True:
            with _lock:
                if not _wanted:
                    _resting.append(self)
                    return
            try:
                _, reference = _wanted.popitem()
            except KeyError:  # it took itself out
                continue
            work = reference()
            if work is not None:
                work.help()
            del work


def ask_for_help(work: ParallelWork) -> None:
    """Let one of the process's threads call ``work.help()``, if `work` is still wanted then."""
    key = next(_keys)
    _wanted[key] = weakref.ref(work, lambda _: _wanted.pop(key, None))
    helper = None
    try:
        with _lock:
            if _is_ending:
                return
            if _resting:
                helper = _resting.pop()
            elif len(_helpers) < max(num_cpus() - 1, 1):
                helper = Helper()
                _helpers.append(helper)
    finally:
        if helper is not None:
            helper.call()


def _end_all() -> None:
    """Let the interpreter end."""
    global _is_ending
    with _lock:
        _is_ending = True
        _resting.clear()
        for helper in _helpers:
            helper.end()


# Executors wait for their threads before atexit's functions are called. What is registered
# here is called before that, as executors do it themselves; the last that is registered first. So
# it is registered now, for no thread to begin while the interpreter ends, and with each thread.
at_exit: Callable[[Callable[[], Any]], Any] = getattr(
    threading, "_register_atexit", atexit.register
)
at_exit(_end_all)


def generation() -> int:
    """Return a number that changes in a process that was forked: its threads are gone."""
    return _generation


def _forget() -> None:
    """Threads do not survive a fork: the child starts its own."""
    global _generation, _helpers, _lock, _resting
    _helpers, _resting, _lock = [], [], threading.Lock()
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


def call_helpers(
    work: ParallelWork,
    num_threads: int,
    expected_ns: float,
    ask: Callable[[ParallelWork], Any] = ask_for_help,
) -> None:
    """Call the threads that `finish` will need, if there is enough to do; they wait for the work
    to be armed, for `LINGER_NS`, so that it may be prepared meanwhile. See `finish`."""
    helpers = num_threads - 1 if expected_ns > MIN_PARALLEL_NS else 0
    for _ in range(work.expect_helpers(helpers, _generation)):
        ask(work)


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
    try:
        call_helpers(work, min(num_threads, work.num_chunks), expected_ns, ask)
    finally:  # Ctrl-C may come between: nobody must be at work when this returns
        work.finish()
