"""Worker processes that die at a given point, and calls that Ctrl-C interrupts: each agent's
history is that of a twin that was never disturbed."""

import gc
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest
from fault_agents import Returns, Slow, Unmakeable, Unpicklable
from manager_agents import Counter, Random, own_agents

from freeagent_core.managers import (
    AgentLostError,
    ProcessPoolManager,
    StepTimeoutError,
    WorkerDiedError,
    _shared_rows,
    process_pool,
)
from freeagent_core.managers._command_log import CHECKPOINT_INTERVAL, MAX_COMMANDS
from freeagent_core.managers._shared_rows import SharedRows
from freeagent_core.managers._worker_handle import KILLS

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def points(tmp_path, monkeypatch):
    """Return a function that arms a point for so many deaths."""
    monkeypatch.setenv("FREEAGENT_CORE_FAULTS", str(tmp_path))

    def arm(name, times=1):
        (tmp_path / name).write_text(str(times))

    arm.clear = lambda: [path.unlink() for path in tmp_path.iterdir()]
    arm.armed = lambda: sorted(path.name for path in tmp_path.iterdir())
    return arm


class Twins:
    """Agents in a manager beside their twins here, compared after every tick."""

    def __init__(self, manager, count):
        self.manager = manager
        self.twins = own_agents(count)
        for i, agent in enumerate(own_agents(count)):
            manager.register_agent(i, agent)
        self.rng = np.random.default_rng(0)
        self.failed = 0

    def tick(self):
        seen = {i: [int(self.rng.integers(3))] for i in range(len(self.twins))}
        for i, result in self.manager.step_all_agents(seen).items():
            if result.success:
                np.testing.assert_array_equal(result.result, self.twins[i].step(seen[i]))
            else:
                assert type(result.error) is WorkerDiedError, result
                self.failed += 1

    def check(self):
        for i, twin in enumerate(self.twins):
            agent = self.manager.unregister_agent(i)
            assert agent.curr_timestep == twin.curr_timestep
            np.testing.assert_array_equal(agent.prev_actions, twin.prev_actions)
            np.testing.assert_array_equal(agent.qs[0], twin.qs[0])
            self.manager.register_agent(i, agent)


POINTS_OF_A_TICK = [
    "received.step",
    "agent.0",
    "agent.1",
    "stepped.0",
    "stepped.1",
    "done.step",
    "replying.step",
    "replied.step",
]
POINTS_OF_A_REPLACEMENT = [
    "started",
    "received.use_rows",
    "replying.use_rows",
    "replied.use_rows",
    "received.restore",
    "done.restore",
    "replying.restore",
    "replied.restore",
    "received.add",
    "done.add",
    "agent.1",
    "stepped.1",
    "done.step",
    "replying.step",
]


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_death_at_each_point_of_a_tick_and_of_a_replacement(points, start_method):
    with ProcessPoolManager(1, seed=0, start_method=start_method) as manager:
        twins = Twins(manager, 2)
        twins.tick()
        some = slice(None) if start_method == "fork" else slice(None, None, 5)
        for name in POINTS_OF_A_TICK[some]:
            points(name)
            for _ in range(3):
                twins.tick()
            assert points.armed() == []
        for name in POINTS_OF_A_REPLACEMENT[some]:
            points("received.step")
            points(name)
            for _ in range(3):
                twins.tick()
            assert points.armed() == []
        twins.check()
        assert twins.failed <= 2 * 2 * len(POINTS_OF_A_TICK + POINTS_OF_A_REPLACEMENT)


@pytest.mark.parametrize("name", ["received", "done", "replying", "replied"])
def test_a_death_at_a_checkpoint_and_at_single_tasks(points, name):
    with ProcessPoolManager(1, start_method="fork") as manager:
        twins = Twins(manager, 2)
        points(f"{name}.checkpoint")
        for _ in range(CHECKPOINT_INTERVAL + 2):
            twins.tick()
        assert points.armed() == []
        points(f"{name}.fetch")
        twins.check()  # is asked again
        points(f"{name}.drop")
        twins.check()
        assert points.armed() == []
        points(f"{name}.call")
        for i, twin in enumerate(twins.twins):
            if manager.submit_task(i, "infer_states", [1]).result().success:
                twin.infer_states([1])
        twins.check()
        assert points.armed() == []


@pytest.mark.parametrize("name", ["received.add", "done.add", "replying.add"])
def test_an_agent_whose_worker_dies_while_it_is_registered_is_not_there(points, name):
    with ProcessPoolManager(1, start_method="fork") as manager:
        twins = Twins(manager, 1)
        twins.tick()
        points(name)
        manager.register_agent("once", Counter())  # a second process takes it
        assert manager.unregister_agent("once").steps == 0
        points(name, 6)
        with pytest.raises(WorkerDiedError):
            manager.register_agent("new", Counter())
        assert manager.get_pool_status()["agents"] == 1
        manager.register_agent("new", Counter())
        assert manager.step_all_agents({"new": 0})["new"].result == 1
        twins.tick()
        twins.check()


def test_a_replacement_that_fails_again_and_again_loses_nobody(points):
    with ProcessPoolManager(2, start_method="fork") as manager:
        twins = Twins(manager, 4)
        twins.tick()
        points("received.step")
        points("started", 7)  # more than one call tries
        for _ in range(4):
            twins.tick()
        assert points.armed() == []
        twins.tick()
        twins.check()


def test_a_process_that_is_killed_at_one_agent_again_and_again_loses_it_not_at_once(points):
    """Kills from outside come at any moment, so at the same one too."""
    with ProcessPoolManager(1, start_method="fork") as manager:
        twins = Twins(manager, 2)
        for _ in range(CHECKPOINT_INTERVAL + 1):
            twins.tick()
        points("received.step")
        points("agent.1", KILLS - 1)
        twins.tick()
        twins.tick()
        assert points.armed() == []
        twins.tick()
        twins.check()


def test_draws_go_on_where_they_were_whatever_dies(points):
    def draws(names):
        with ProcessPoolManager(1, seed=5, start_method="fork") as manager:
            manager.register_agent("a", Random())
            manager.register_agent("b", Random())
            found = []
            while len(found) < 20:
                if names and len(found) % 2:
                    points(names.pop())
                results = manager.step_all_agents({"a": 0, "b": 0})
                if results["a"].success:
                    found.append([float(results[i].result[0]) for i in "ab"])
            return found

    assert draws([]) == draws(["agent.0", "agent.1", "done.step", "stepped.0", "replied.step"])


def test_two_hundred_deaths_at_the_worst_moments(points):
    """Every agent's history equals that of a twin that was never disturbed."""
    moments = itertools.cycle(
        [*POINTS_OF_A_TICK, *POINTS_OF_A_REPLACEMENT, "agent.2", "agent.3", "stepped.3"]
    )
    with ProcessPoolManager(2, seed=0, start_method="fork") as manager:
        twins = Twins(manager, 8)
        killed = 0
        while killed < 200:
            points("received.step", 1 + killed % 2)
            points(next(moments))
            twins.tick()
            twins.tick()
            killed = manager.get_pool_status()["restarts"]
        points.clear()
        for _ in range(5):
            twins.tick()
        twins.check()
        assert twins.twins[0].curr_timestep > 100


@pytest.mark.parametrize("how", ["raises", "ends"])
def test_only_an_agent_that_cannot_be_made_is_lost_and_by_name(points, how):
    with ProcessPoolManager(1, start_method="fork") as manager:
        twins = Twins(manager, 2)
        manager.register_agent("bad", Unmakeable(how))
        for _ in range(CHECKPOINT_INTERVAL):  # the next checkpoint has it with steps
            manager.step_all_agents({"bad": 0})
        twins.tick()
        points("received.step")
        twins.tick()
        result = manager.step_all_agents({"bad": 0})["bad"]
        assert isinstance(result.error, AgentLostError)
        assert "agent 'bad' is lost" in str(result.error)
        twins.tick()
        twins.check()
        assert isinstance(manager.submit_task("bad", "step", 0).result().error, AgentLostError)
        with pytest.raises(AgentLostError, match="'bad'"):
            manager.unregister_agent("bad")
        manager.register_agent("bad", Counter())
        assert manager.step_all_agents({"bad": 0})["bad"].result == 1
        points("received.step")
        twins.tick()
        twins.tick()
        twins.check()
        assert manager.unregister_agent("bad").steps == 1


def test_an_agent_that_cannot_be_pickled_is_repeated_as_long_as_the_log_has_it(points):
    with ProcessPoolManager(1, start_method="fork") as manager:
        twins = Twins(manager, 1)
        manager.register_agent("odd", Unpicklable())
        for _ in range(2 * CHECKPOINT_INTERVAL):
            result = manager.step_all_agents({"odd": 0})["odd"]
        twins.tick()
        points("received.step")
        twins.tick()
        assert manager.step_all_agents({"odd": 0})["odd"].result == result.result + 1
        with pytest.raises(TypeError, match="pickle"):
            manager.unregister_agent("odd")
        while result.success and result.result < MAX_COMMANDS + CHECKPOINT_INTERVAL:
            result = manager.step_all_agents({"odd": 0})["odd"]
        points("received.step")
        twins.tick()
        error = manager.step_all_agents({"odd": 0})["odd"].error
        assert isinstance(error, AgentLostError)
        assert "cannot be pickled" in str(error)
        twins.tick()
        twins.check()


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_what_cannot_be_sent_fails_alone(start_method):
    with ProcessPoolManager(1, start_method=start_method) as manager:
        for name in ("ann", "bob"):
            manager.register_agent(name, Returns())
        pids = manager.get_pool_status()["pids"]
        for bad in (
            *("lambda", "generator", "breaks here"),
            *("SystemExit", "KeyboardInterrupt", "MemoryError"),
        ):
            results = manager.step_all_agents({"ann": bad, "bob": {"well": 1}})
            assert results["bob"].result == {"well": 1}
            assert not results["ann"].success
            single = manager.submit_task("ann", "step", bad).result()
            for error in (results["ann"].error, single.error):
                if bad.endswith(("Exit", "Interrupt", "Error")):
                    assert type(error).__name__ == bad
                else:
                    assert isinstance(error, TypeError), error
        assert manager.get_pool_status()["pids"] == pids


@pytest.fixture
def ctrl_c():
    """Have Python's handler, also where a shell started this in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_after(seconds):
    """Send this process a SIGINT from a thread."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_an_interrupted_tick_ends_at_once_and_its_results_can_be_had(ctrl_c):
    with ProcessPoolManager(2, start_method="fork") as manager:
        for i in range(4):
            manager.register_agent(i, Slow())
        for t in range(1, 4):
            timer = interrupt_after(0.2)
            begin = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                manager.step_all_agents(dict.fromkeys(range(4), 0.3))
            assert time.monotonic() - begin < 0.3  # and not the 0.6 that the tick takes
            timer.join()
            if t == 2:  # what comes after does not take the old replies for its own
                assert manager.submit_task(0, "add", 0).result().result == 3
            results = manager.last_results()
            assert {i: result.result for i, result in results.items()} == dict.fromkeys(
                range(4), 2 * t - 1
            )
            results = manager.step_all_agents(dict.fromkeys(range(4), 0))
            assert {i: result.result for i, result in results.items()} == dict.fromkeys(
                range(4), 2 * t
            )
        timer = interrupt_after(0.2)
        with pytest.raises(KeyboardInterrupt):
            manager.step_all_agents({0: 0.4})
        timer.join()
        # an agent comes back, not the result of the interrupted call
        assert isinstance(manager.unregister_agent(0), Slow)


def two_ticks(twins):
    twins.tick()
    twins.tick()


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_while_a_process_is_made_leaves_none(monkeypatch, start_method, moment):
    children = multiprocessing.active_children()
    with ProcessPoolManager(1, start_method=start_method) as manager:
        twins = Twins(manager, 2)
        twins.tick()
        kind = manager._processes[0]._context.Process
        start = kind.start

        def interrupted(process):
            if moment == "after":
                start(process)
            raise KeyboardInterrupt

        for _ in range(3):
            os.kill(manager.get_pool_status()["pids"][0], signal.SIGKILL)
            with monkeypatch.context() as patch:
                patch.setattr(kind, "start", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    two_ticks(twins)  # the first finds the process dead
            twins.tick()
            assert len(set(multiprocessing.active_children()) - set(children)) == 1
        twins.check()
    assert multiprocessing.active_children() == children


def interrupted(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture
def nothing_is_left(monkeypatch):
    """Check that processes and shared memory that were made meanwhile are gone."""
    children = multiprocessing.active_children()
    memories, make = [], SharedRows.__init__

    def noted(rows, *arguments):
        try:
            make(rows, *arguments)
        finally:
            memories.append(rows.name)

    monkeypatch.setattr(SharedRows, "__init__", noted)
    yield
    gc.collect()
    assert multiprocessing.active_children() == children
    assert memories
    for name in memories:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


@pytest.mark.usefixtures("nothing_is_left")
def test_an_interrupt_while_a_manager_is_made(monkeypatch):
    monkeypatch.setattr(process_pool, "Workers", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            ProcessPoolManager(2, start_method="fork")


@pytest.mark.usefixtures("nothing_is_left")
def test_an_interrupt_while_the_shared_memory_is_made(monkeypatch):
    class Interrupted(SharedMemory):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            if keywords.get("create"):
                raise KeyboardInterrupt

    monkeypatch.setattr(_shared_rows, "SharedMemory", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        SharedRows(2)


@pytest.mark.usefixtures("nothing_is_left")
def test_an_interrupt_while_a_manager_is_shut_down(monkeypatch):
    for again in (True, False):
        manager = ProcessPoolManager(2, start_method="fork")
        manager.register_agent(0, Slow())
        with monkeypatch.context() as patch:
            patch.setattr(manager._processes[1], "end", interrupted)
            with pytest.raises(KeyboardInterrupt):
                manager.shutdown()
        if again:
            manager.shutdown()


SCRIPT_THAT_IS_KILLED = """
import sys, time
sys.path.insert(0, {support!r})
from freeagent_core.managers import ProcessPoolManager
from manager_agents import Counter
if __name__ == "__main__":
    manager = ProcessPoolManager(3, start_method={method!r})
    for i in range(4):
        manager.register_agent(i, Counter())
    manager.step_all_agents(dict.fromkeys(range(4), 0))
    print(*manager.get_pool_status()["pids"], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_processes_end_with_the_process_that_made_them(tmp_path, start_method):
    program = tmp_path / "program.py"
    program.write_text(SCRIPT_THAT_IS_KILLED.format(support=str(SUPPORT), method=start_method))
    with subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        parent.kill()
    end = time.monotonic() + 30
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < end, "they go on"
        time.sleep(0.05)


def is_alive(pid):
    """Whether a process is there, and no zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_an_interrupt_in_the_middle_of_a_message_changes_nothing(monkeypatch):
    with ProcessPoolManager(1, start_method="fork") as manager:
        twins = Twins(manager, 2)
        twins.tick()
        process = manager._processes[0]
        for name in ("send_bytes", "recv_bytes"):
            connection = process._connection

            class Interrupted:
                def __getattr__(self, wanted, connection=connection, name=name):
                    if wanted == name:
                        raise KeyboardInterrupt
                    return getattr(connection, wanted)

            process._connection = Interrupted()
            with pytest.raises(KeyboardInterrupt):
                manager.step_all_agents({0: [1], 1: [2]})
            assert manager.last_results() == {}
            twins.tick()
            twins.check()


@pytest.mark.parametrize("wait", [False, True])
def test_shutdown_from_another_thread(wait):
    manager = ProcessPoolManager(2, start_method="fork")
    for i in range(4):
        manager.register_agent(i, Slow())
    found = []

    def run():
        while True:
            try:
                results = manager.step_all_agents(dict.fromkeys(range(4), 0.1))
            except RuntimeError as error:
                found.append(error)
                return
            for result in results.values():
                assert result.success or "shut down" in str(result.error), result

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.35)
    manager.shutdown(wait)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert len(found) == 2
    assert all("is shut down" in str(error) for error in found)


SCRIPT_THAT_ENDS = """
import sys, threading, time
sys.path.insert(0, {support!r})
from freeagent_core.managers import ProcessPoolManager
from manager_agents import Counter
manager = ProcessPoolManager(2, start_method="fork")
for i in range(4):
    manager.register_agent(i, Counter())
futures = [manager.submit_task(i, "step", "sleep") for i in range(4)]
tick = threading.Thread(target=manager.step_all_agents, args=(dict.fromkeys(range(4), "sleep"),),
                        daemon={daemon})
tick.start()
time.sleep(0.3)
print(*(process.rows.name for process in manager._processes), "end")
"""


@pytest.mark.parametrize("daemon", [False, True])
def test_the_interpreter_ends_with_work_in_flight(daemon):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT_THAT_ENDS.format(support=str(SUPPORT), daemon=daemon)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    *names, end = done.stdout.split()
    assert (len(names), end) == (2, "end")
    assert done.stderr == ""
    assert not {*names} & {*os.listdir("/dev/shm")}  # others have memory there too


def test_agents_come_and_go_ten_thousand_times():
    with ProcessPoolManager(2, start_method="fork") as manager:
        descriptors = len(os.listdir("/proc/self/fd"))
        for i in range(10_000):
            manager.register_agent(i, Counter())
            if i >= 3:
                assert manager.unregister_agent(i - 3).steps == 0
        assert manager.get_pool_status()["agents"] == 3
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        assert all(process.rows.capacity == 64 for process in manager._processes)


def test_a_late_step_that_dies_changes_nothing(points):
    with ProcessPoolManager(1, start_method="fork") as manager:
        manager.register_agent("a", Slow())
        result = manager.step_all_agents({"a": 0.3}, timeout=0.1)["a"]
        assert isinstance(result.error, StepTimeoutError)
        os.kill(manager.get_pool_status()["pids"][0], signal.SIGKILL)
        result = manager.step_all_agents({"a": 0})["a"]
        assert result.result == 1
        assert pickle.loads(pickle.dumps(result)).result == 1
