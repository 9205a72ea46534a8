"""`RayPopulation` is one `Population`, to the bit, whatever the shards."""

import numpy as np
import pytest

from freeagent_core import Population
from freeagent_core.ray import RayPopulation

pytest.importorskip("ray", reason="Ray is not installed (extra ray)")

SIZE = 700


def observed(model, ticks, size=SIZE, seed=1):
    rng = np.random.default_rng(seed)
    return [np.stack([rng.integers(n, size=size) for n in model.num_obs], 1) for _ in range(ticks)]


@pytest.fixture(params=[1, 2])
def both(request, nodes, model):
    with RayPopulation(model, SIZE, request.param, seed=5, checkpoint_interval=3) as sharded:
        yield sharded, Population(model, SIZE, seed=5)


def assert_same(sharded, whole):
    for ours, theirs in zip(sharded.qs, whole.qs, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name in ("q_pi", "G", "actions", "timesteps"):
        np.testing.assert_array_equal(getattr(sharded, name), getattr(whole, name))


def test_steps_masks_and_resets(both, model):
    sharded, whole = both
    mask = np.arange(SIZE) % 3 > 0
    for t, seen in enumerate(observed(model, 8)):
        chosen = mask if t % 2 else None
        np.testing.assert_array_equal(sharded.step(seen, chosen), whole.step(seen, chosen))
        if t == 4:
            sharded.reset(~mask)
            whole.reset(~mask)
    assert_same(sharded, whole)
    assert sharded.recoveries == []
    assert len(sharded) == SIZE


def test_three_calls_and_learning(both, model):
    sharded, whole = both
    mask = np.arange(SIZE) % 5 > 0
    for seen in observed(model, 4):
        before = [qs.copy() for qs in whole.qs]
        for each in (sharded, whole):
            each.infer_states(seen)
            each.update_A(seen, mask)
            if whole.timesteps[0]:
                each.update_B(before, mask)
            each.update_D([qs.copy() for qs in each.qs])
            each.infer_policies()
        np.testing.assert_array_equal(sharded.sample_action(), whole.sample_action())
    assert_same(sharded, whole)
    for i in (0, 349, 350, SIZE - 1):
        for name, array in whole.parameters(i).items():
            np.testing.assert_array_equal(sharded.parameters(i)[name][0], array[0])
        np.testing.assert_array_equal(sharded.policies_of(i)[0], whole.policies_of(i)[0])


def test_steps_in_flight_are_bounded_and_in_order(nodes, model):
    seen = observed(model, 9)
    whole = Population(model, SIZE, seed=5)
    with RayPopulation(model, SIZE, 2, seed=5, max_in_flight=3) as sharded:
        pending = []
        for each in seen:
            pending.append(sharded.step_async(each))
            assert len(sharded._fleet._in_flight) <= 3
        for each, step in zip(seen, pending, strict=True):
            np.testing.assert_array_equal(step.result(), whole.step(each))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: p.step([0, 1]), ValueError, r"observations must have shape \(700, 1\)"),
        (lambda p: p.step([0] * 699 + [3]), ValueError, r"observations\[699, 0\] must be in 0 to"),
        (lambda p: p.step([0.0] * 700), TypeError, "observations must be integers"),
        (lambda p: p.step([0] * 700, [1] * 700), ValueError, "mask must be an array of bool"),
        (lambda p: p.update_D([np.ones((700, 3))]), ValueError, r"qs_t0\[0\] must have shape"),
        (lambda p: p.update_B([]), ValueError, "qs_prev must have one array per factor"),
        (lambda p: p.sample_action(), ValueError, "needs an infer_policies|infer_policies"),
        (lambda p: p.F, AttributeError, "MMP"),
        (lambda p: p.policies_of(700), ValueError, "index must be"),
    ],
)
def test_bad_input_changes_nothing(nodes, model, call, error, message):
    with RayPopulation(model, SIZE, 2, seed=5) as sharded:
        with pytest.raises(error, match=message):
            call(sharded)
        whole = Population(model, SIZE, seed=5)
        seen = observed(model, 1)[0]
        np.testing.assert_array_equal(sharded.step(seen), whole.step(seen))


def test_bad_arguments(nodes, model):
    for arguments, message in [
        ({"size": 0}, "size must be"),
        ({"size": 5, "num_shards": 6}, "num_shards must be"),
        ({"size": 5, "num_cpus": 0}, "num_cpus must be"),
        ({"size": 5, "max_in_flight": 0}, "max_in_flight must be"),
        ({"size": 5, "checkpoint_interval": 0}, "checkpoint_interval must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            RayPopulation(model, **arguments)
    with pytest.raises(TypeError, match="GenerativeModel"):
        RayPopulation(3, 4)


@pytest.mark.parametrize("learning", [False, True])
def test_one_file_for_any_number_of_shards(nodes, model, tmp_path, learning):
    seen = observed(model, 5)
    whole = Population(model, SIZE, seed=5)
    mask = np.arange(SIZE) >= 300  # nobody of a first third has learned
    path = tmp_path / "agents.npz"
    with RayPopulation(model, SIZE, 2, seed=5) as sharded:
        for each in (sharded, whole):
            each.step(seen[0])
            if learning:
                each.update_A(seen[0], mask)
        sharded.save(path)
    loaded = Population.load(path, model)
    whole.save(tmp_path / "whole.npz")
    with RayPopulation.load(tmp_path / "whole.npz", model, 1, checkpoint_interval=2) as other:
        for each in seen[1:4]:
            expected = whole.step(each)
            np.testing.assert_array_equal(loaded.step(each), expected)
            np.testing.assert_array_equal(other.step(each), expected)
        assert_same(other, whole)
        np.testing.assert_array_equal(other.parameters(310)["A"][0], whole.parameters(310)["A"][0])
        other.save(path)
    with RayPopulation.load(path, model, 2, checkpoint_directory=tmp_path / "live") as again:
        np.testing.assert_array_equal(again.step(seen[4]), whole.step(seen[4]))
        again._fleet.shards[1].recover("a test")
        assert_same(again, whole)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="not a file of"):
        RayPopulation.load(path, model)


def test_shut_down(nodes, model):
    sharded = RayPopulation(model, 10)
    sharded.shutdown()
    sharded.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        sharded.step([0] * 10)
