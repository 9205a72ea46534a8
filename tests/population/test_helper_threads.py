"""The threads that help: on another processor than their caller's, with the mask that they had."""

import os
import subprocess
import sys
import threading
import time

import models
import numpy as np
import pytest

from freeagent_core import GenerativeModel, Population
from freeagent_core._agent import threads
from freeagent_core._kernels.agents.processor_affinity import ProcessorMask

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
PROCESSORS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
several = pytest.mark.skipif(len(PROCESSORS) < 2, reason="needs two processors")


class Sleeper:
    """A thread that waits."""

    def __init__(self):
        self._over = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()
        self._begun.wait()

    def _wait(self):
        self.id = threading.get_native_id()
        self._begun.set()
        self._over.wait()

    @property
    def processors(self):
        return os.sched_getaffinity(self.id)

    def end(self):
        self._over.set()
        self._thread.join()


@pytest.fixture
def sleeper():
    sleeper = Sleeper()
    yield sleeper
    sleeper.end()


@pytest.fixture
def on_one_processor():
    """The calling thread on its first processor alone."""
    os.sched_setaffinity(0, {min(PROCESSORS)})
    yield min(PROCESSORS)
    os.sched_setaffinity(0, PROCESSORS)


@linux
@several
def test_a_mask_leaves_out_the_callers_processor_and_comes_back(sleeper, on_one_processor):
    mask = ProcessorMask(sleeper.id)
    before = sleeper.processors
    assert mask.leave_processor()
    assert sleeper.processors == before - {on_one_processor}
    assert mask.leave_processor()  # nothing is lost by a second time
    mask.restore()
    assert sleeper.processors == before
    mask.restore()
    assert sleeper.processors == before


@linux
def test_a_thread_with_the_callers_processor_alone_keeps_it(sleeper, on_one_processor):
    os.sched_setaffinity(sleeper.id, {on_one_processor})
    mask = ProcessorMask(sleeper.id)
    assert not mask.leave_processor()
    assert sleeper.processors == {on_one_processor}


@linux
@several
def test_a_thread_without_the_callers_processor_is_left_alone(sleeper, on_one_processor):
    os.sched_setaffinity(sleeper.id, PROCESSORS - {on_one_processor})
    mask = ProcessorMask(sleeper.id)
    assert not mask.leave_processor()
    mask.restore()
    assert sleeper.processors == PROCESSORS - {on_one_processor}


@linux
@several
def test_a_mask_that_somebody_sets_meanwhile_stays(sleeper, on_one_processor):
    mask = ProcessorMask(sleeper.id)
    assert mask.leave_processor()
    os.sched_setaffinity(sleeper.id, {on_one_processor})
    mask.restore()
    assert sleeper.processors == {on_one_processor}


@linux
def test_a_thread_that_is_gone_has_no_mask():
    sleeper = Sleeper()
    mask = ProcessorMask(sleeper.id)
    sleeper.end()
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/self/task/{sleeper.id}") and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not mask.leave_processor()
    mask.restore()


def masks():
    """Return the masks of all threads of this process."""
    found = {}
    for thread in os.listdir("/proc/self/task"):
        try:
            found[thread] = os.sched_getaffinity(int(thread))
        except ProcessLookupError:
            continue
    return found


def settled(expected):
    """Return the masks once they are as expected, or after a while."""
    deadline = time.monotonic() + 10
    while (now := masks()) and any(now.get(t, m) != m for t, m in expected.items()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.001)
    return now


@linux
@several
def test_ticks_after_pauses_leave_all_masks_as_they_were():
    population = Population(GenerativeModel(**models.dense(64)), 200, num_threads=2, seed=0)
    observations = np.zeros((200, 1), dtype=int)
    for _ in range(3):
        population.step(observations)
    before = masks()
    for pause in [0.0, 0.001, 0.02] * 5:
        time.sleep(pause)
        population.step(observations)
    after = settled(before)
    assert {t: m for t, m in after.items() if t in before} == before
    assert all(mask == PROCESSORS for mask in after.values())


@linux
@several
def test_the_mask_that_callers_give_the_process_counts():
    """Of a process on one processor no thread is moved to another."""
    program = """
import os, threading, time, numpy as np, models
one = {min(os.sched_getaffinity(0))}
os.sched_setaffinity(0, one)
from freeagent_core import GenerativeModel, Population
population = Population(GenerativeModel(**models.dense(64)), 200, num_threads=2, seed=0)
for _ in range(5):
    population.step(np.zeros((200, 1), dtype=int))
    time.sleep(0.01)
    for thread in threading.enumerate():
        assert os.sched_getaffinity(thread.native_id) == one
assert threading.active_count() == 2
print("done")
"""
    assert run(program) == "done\n"


def run(program):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_populations_step_while_the_interpreter_ends_and_after_a_fork():
    program = """
import atexit, os, threading, numpy as np, models
from freeagent_core import GenerativeModel, Population
population = Population(GenerativeModel(**models.dense(64)), 200, num_threads=2, seed=0)
step = lambda: population.step(np.zeros((200, 1), dtype=int))[0, 0]
atexit.register(lambda: print("at exit", step() >= 0))
step(), step()
child = os.fork()
if child == 0:
    step(), step()
    print("child", threading.active_count() >= 1, flush=True)
    raise SystemExit  # ends the child as any program ends
os.waitpid(child, 0)
print("parent", step() >= 0, flush=True)
"""
    assert run(program) == "child True\nat exit True\nparent True\nat exit True\n"


def test_helpers_are_called_while_a_tick_is_prepared_and_results_do_not_depend_on_it(monkeypatch):
    model = GenerativeModel(**models.dense(32))
    found = []
    for num_threads in (1, 2, 3):
        population = Population(model, 300, num_threads=num_threads, seed=0)
        for t in range(4):
            actions = population.step(np.full((300, 1), t))
        found.append((actions, population.qs[0].copy()))
        with pytest.raises(ValueError, match="observations"):
            population.step(np.zeros((3, 1), dtype=int))
        with pytest.raises(ValueError, match=r"observations\[7, 0\]|observations"):
            population.step(np.where(np.arange(300) == 7, 99, 0)[:, None])
        population.step(np.zeros((300, 1), dtype=int))
    for actions, qs in found[1:]:
        assert np.array_equal(actions, found[0][0])
        assert np.array_equal(qs, found[0][1])
    assert len(threads._helpers) <= max(threads.num_cpus() - 1, 1)


def stepped(population, ticks=3):
    """Return the actions of some ticks."""
    observations = np.zeros((len(population), 1), dtype=int)
    return np.array([population.step(observations) for _ in range(ticks)])


def test_without_a_further_thread_the_caller_does_the_work(monkeypatch):
    def start(self):
        tried.append(self)
        raise RuntimeError("can't start new thread")

    tried = []
    model = GenerativeModel(**models.dense(64))
    expected = stepped(Population(model, 200, num_threads=1, seed=0))
    monkeypatch.setattr(threads, "_helpers", [])
    monkeypatch.setattr(threading.Thread, "start", start)
    # helpers that other tests have started may linger still, and then no more are needed
    deadline = time.monotonic() + 10
    while not tried and time.monotonic() < deadline:
        np.testing.assert_array_equal(
            stepped(Population(model, 200, num_threads=2, seed=0)), expected
        )
        time.sleep(0.001)
    assert tried


def test_more_callers_than_offers():
    """Each of 80 threads steps its own population; the threads that help serve 64 at once."""
    model = GenerativeModel(**models.dense(16))
    expected = [stepped(Population(model, 50, num_threads=1, seed=i)) for i in range(80)]
    populations = [Population(model, 50, num_threads=2, seed=i) for i in range(80)]
    ready = threading.Barrier(80)

    def run(i):
        ready.wait()
        found[i] = stepped(populations[i])

    found = [None] * 80
    callers = [threading.Thread(target=run, args=(i,)) for i in range(80)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    np.testing.assert_array_equal(found, expected)
