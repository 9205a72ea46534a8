"""Ctrl-C while operations are sent or waited for: all shards carry one out, or none does."""

import numpy as np
import pytest
from manager_agents import Counter
from sharded_populations import observed, sharded, undisturbed

from freeagent_core.ray import RayManager, _shard
from freeagent_core.ray._log import OperationLog

pytest.importorskip("ray", reason="Ray is not installed (extra ray)")


def interrupt_at(monkeypatch, owner, name, call, *, after):
    """Raise KeyboardInterrupt at a call of a method, before or after it."""
    method, calls = getattr(owner, name), []

    def interrupted(*arguments, **options):
        calls.append(name)
        if len(calls) == call and not after:
            raise KeyboardInterrupt
        result = method(*arguments, **options)
        if len(calls) == call and after:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(owner, name, interrupted)


@pytest.mark.parametrize("shard", [1, 2])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("moment", ["log", "call", "checkpoint", "reply"])
def test_all_shards_step_or_none(nodes, model, directory, monkeypatch, moment, after, shard):
    whole, expected = undisturbed(model)
    seen = observed()
    with sharded(model, directory) as population:
        for t in (0, 1, 2):
            np.testing.assert_array_equal(population.step(seen[t]), expected[t])
        with monkeypatch.context() as patched:
            if moment == "log":
                interrupt_at(patched, OperationLog, "append", shard, after=after)
            elif moment == "checkpoint":
                interrupt_at(patched, _shard.Shard, "_begin_checkpoint", shard, after=after)
            elif moment == "reply":
                interrupt_at(patched, _shard.Shard, "_note_checkpoints", shard, after=after)
            else:
                actor = population._fleet.shards[shard - 1]._actor
                handle = HandleOf(actor, after)
                patched.setattr(population._fleet.shards[shard - 1], "_actor", handle)
            with pytest.raises(KeyboardInterrupt):
                population.step(seen[3])
        number = population.num_operations
        assert number == (3 if moment == "log" else 4)
        for t in range(number, len(seen)):
            np.testing.assert_array_equal(population.step(seen[t]), expected[t])
        np.testing.assert_array_equal(population.G, whole.G)
        assert not population.recoveries


class HandleOf:
    """An actor whose first call ends in Ctrl-C, before or after it has been sent."""

    def __init__(self, actor, after):
        self._actor = actor
        self._after = [after]

    @property
    def run(self):
        return self

    def remote(self, *arguments):
        if self._after == [False]:
            self._after.clear()
            raise KeyboardInterrupt
        reference = self._actor.run.remote(*arguments)
        if self._after:
            self._after.clear()
            raise KeyboardInterrupt
        return reference

    def __getattr__(self, name):
        return getattr(self._actor, name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("moment", ["receive", "send"])
def test_what_a_manager_has_left_behind(nodes, monkeypatch, moment, after):
    """A step that Ctrl-C left is in the actor's log and count as any other."""
    with RayManager(2, checkpoint_interval=2) as manager:
        for i in range(4):
            manager.register_agent(i, Counter())
        with monkeypatch.context() as patched:
            if moment == "receive":
                interrupt_at(patched, _shard.Shard, "receive", 1, after=after)
            else:
                actor = manager._actors[0]._shard._actor
                patched.setattr(manager._actors[0]._shard, "_actor", HandleOf(actor, after))
            with pytest.raises(KeyboardInterrupt):
                manager.step_all_agents(dict.fromkeys(range(4), 0))
        for _ in range(3):
            results = manager.step_all_agents(dict.fromkeys(range(4), 0))
            assert all(result.success for result in results.values())
        for actor in manager._actors:
            assert not actor._shard._pending
        steps = [manager.unregister_agent(i).steps for i in range(4)]
        if moment == "receive":
            assert steps == [4, 4, 4, 4]
        else:  # the second actor's was not sent any more
            assert sorted(steps) == [3, 3, 4, 4]
