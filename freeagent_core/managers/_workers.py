"""Worker threads that take tasks by priority, as many of them as the load asks for.

A worker is one long call on a `concurrent.futures.ThreadPoolExecutor`: it takes tasks from
a heap until it has been idle for a while and there are more workers than the least.
"""

from __future__ import annotations

import atexit
import heapq
import itertools
import os
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_all: weakref.WeakSet[Workers] = weakref.WeakSet()


def _end_all() -> None:
    """Let the interpreter end where a manager was not shut down."""
    for workers in list(_all):
        workers.shutdown(wait=False)


if hasattr(os, "register_at_fork"):  # a child has no workers to end
    os.register_at_fork(after_in_child=_all.clear)


# Executors wait for their threads before atexit's functions are called. What is registered
# here is called before that, as executors do it themselves; the last that is registered first.
getattr(threading, "_register_atexit", atexit.register)(_end_all)


class Workers:
    """Between `least` and `most` worker threads.

    Parameters
    ----------
    initial, least, most : int
    threshold : float
        Share of the workers that must be busy before one is added for a waiting task.
    interval : float
        Seconds of idleness after which a worker above the least ends.
    """

    def __init__(
        self, initial: int, least: int, most: int, threshold: float, interval: float
    ) -> None:
        self.least, self.most = least, most
        self._threshold = threshold
        self._interval = interval
        self._executor = ThreadPoolExecutor(most, "freeagent-core-manager")
        self._lock = threading.Lock()
        self._order = itertools.count()  # tasks of one priority begin in the order they came
        self._heap: list[tuple[int, int, Callable[[], Any], Future[Any]]] = []
        # One token a task: waiting on it costs less than on a condition (DESIGN: 27 us).
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._is_shut_down = False
        self.count = 0
        self.busy = 0
        for _ in range(initial):
            self._add_worker()
        _all.add(self)

    @property
    def waiting(self) -> int:
        """Tasks that no worker has begun."""
        return len(self._heap)

    def submit(self, call: Callable[[], Any], priority: int = 0) -> Future[Any]:
        """Run `call` on a worker; calls of a higher priority begin first."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("the workers are shut down")
            heapq.heappush(self._heap, (-priority, next(self._order), call, future))
            self._follow_load()
        self._tokens.put(True)
        return future

    def _follow_load(self) -> None:
        """Add a worker if tasks wait and the present ones are busy. Call with the lock."""
        idle = self.count - self.busy
        is_busy = self.busy >= self._threshold * self.count
        if len(self._heap) > idle and is_busy and self.count < self.most:
            self._add_worker()

    def _add_worker(self) -> None:
        self.count += 1
        self._executor.submit(self._work)

    def _work(self) -> None:
        while True:
            try:
                is_task = self._tokens.get(timeout=self._interval)
            except queue.Empty:
                with self._lock:
                    if self._heap or self.count <= self.least:
                        continue
                    self.count -= 1
                return
            with self._lock:
                if not is_task or not self._heap:  # shut down, or its task was cancelled
                    if self._is_shut_down:
                        self.count -= 1
                        return
                    continue
                _, _, call, future = heapq.heappop(self._heap)
                self.busy += 1
                self._follow_load()
            try:
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(call())
                    except BaseException as error:
                        future.set_exception(error)
            finally:
                with self._lock:
                    self.busy -= 1
            del call, future  # nothing of the task lives on while this thread waits

    def shutdown(self, wait: bool) -> None:
        """Cancel the tasks that have not begun and end the workers."""
        with self._lock:
            if self._is_shut_down:
                return
            self._is_shut_down = True
            dropped, self._heap = self._heap, []
            workers = self.count
        for _, _, _, future in dropped:
            future.cancel()
            future.set_running_or_notify_cancel()
        for _ in range(workers):
            self._tokens.put(False)
        self._executor.shutdown(wait=wait)
