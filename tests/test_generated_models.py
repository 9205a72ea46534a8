"""The models of `benchmarks/families.py`: valid, the same ones for one seed, others for another."""

import generated_models
import models
import numpy as np
import pytest
from players import NumPyAgents, player_of, recorded

from freeagent_core import GenerativeModel

SEEDS = range(3)
EVERY = [*generated_models.FAMILIES, "table"]


def equal(one, other):
    return one.keys() == other.keys() and all(
        all(map(np.array_equal, one[name], other[name]))
        if isinstance(one[name], np.ndarray)
        else one[name] == other[name]
        for name in one
    )


@pytest.mark.parametrize("family", generated_models.FAMILIES)
def test_a_seed_gives_the_same_models(family):
    first, again = (generated_models.generate(family, 5, 3) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.label == other.label
        assert one.task == other.task
        assert equal(one.arguments, other.arguments)


@pytest.mark.parametrize("family", generated_models.FAMILIES)
def test_another_seed_gives_other_models(family):
    first, other = (generated_models.generate(family, seed, 4) for seed in (5, 6))
    assert not all(equal(a.arguments, b.arguments) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("family", EVERY)
def test_agents_step_in_worlds_of_their_models(family):
    for seed in SEEDS:
        for case in generated_models.generate(family, seed, 3):
            model = GenerativeModel(**case.arguments)  # checks all arrays
            for size in (1, 3):
                seen = recorded(player_of(model, size, case.task), case.arguments, size, 3)
                assert len(seen) == 3
                assert np.shape(seen[0]) == ((len(model.A),) if size == 1 else (3, len(model.A)))


@pytest.mark.parametrize("family", EVERY)
def test_agents_of_pymdp_1_step_in_worlds_of_their_models(family):
    case = generated_models.generate(family, 0, 1)[0]
    player = NumPyAgents(case.arguments, 3, case.task)
    seen = recorded(player, case.arguments, 3, 3)
    assert np.shape(seen[0]) == (3, len(case.arguments["A"]))
    actions = player.step(seen[-1])
    num_controls = [B.shape[-1] for B in case.arguments["B"]]
    assert actions.shape == (3, len(num_controls))
    assert np.all((actions >= 0) & (actions < num_controls))


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_grids_keep_out_of_walls(noise, slip):
    walls = generated_models.drawn_walls(np.random.default_rng(1), 4, 5, 0.3)
    assert walls
    model = generated_models.walled_grid(4, 5, walls, slip, noise)
    free = [cell for cell in range(20) if cell not in walls]
    B = model["B"][0]
    assert np.all(B[sorted(walls)][:, free] == 0.0)
    reached = np.linalg.matrix_power(B.sum(axis=2), 20)[:, free[0]] > 0
    assert np.array_equal(np.flatnonzero(reached), free)
    wrong = 1.0 - np.diag(model["A"][0])
    assert np.allclose(wrong, noise * 19 / 20)


def test_observations_surprise_as_often_as_the_noise_makes_them():
    case_model = generated_models.walled_grid(3, 3, noise=0.3)
    environments = models.Environments(case_model, 20_000, seed=0)
    wrong = np.mean(environments.observe()[:, 0] != 0)
    assert abs(wrong - 0.3 * 8 / 9) < 0.02


def test_cue_chaining_of_the_tutorial():
    model = models.cue_chaining()
    assert [A.shape for A in model["A"]] == [(n, 35, 4, 2) for n in (35, 5, 3, 3)]
    first, second = model["A"][1], model["A"][2]
    assert np.flatnonzero(first[0, :, 0, 0] == 0).tolist() == [14]
    for place, cell in enumerate((2, 10, 24, 30)):
        assert first[place + 1, 14, place, 0] == 1.0
        assert second[1, cell, place, 0] == second[2, cell, place, 1] == 1.0
