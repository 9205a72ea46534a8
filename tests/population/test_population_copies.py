"""Pickles and copies of a population go on as it would have."""

import copy
import pickle

import numpy as np
import pytest
from ways_to_evaluate import grid

from freeagent_core import GenerativeModel, Population


class NamedPopulation(Population):
    pass


def play(population, seed, ticks=4):
    rng = np.random.default_rng(seed)
    model, results = population.model, []
    for _ in range(ticks):
        outcomes = [rng.integers(0, n, len(population)) for n in model.num_obs]
        observations = np.stack(outcomes, axis=1)
        results.append(population.step(observations))
        if model.pA is not None:
            population.update_A(observations, mask=rng.random(len(population)) < 0.5)
        results.extend(each.copy() for each in population.qs)
    return results


@pytest.mark.parametrize(
    "copied", [lambda p: pickle.loads(pickle.dumps(p)), copy.deepcopy, copy.copy]
)
@pytest.mark.parametrize("kind", ["plain", "learning", "MMP", "lanes"])
def test_a_copy_goes_on_as_the_population(kind, copied):
    if kind == "lanes":
        B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
        model = GenerativeModel(A=np.array([[0.9, 0.2], [0.1, 0.8]]), B=B, C=np.array([0.0, 1.0]))
    else:
        arrays = grid(3, 3, 2)
        if kind == "learning":
            arrays["pA"] = GenerativeModel(**arrays).A
        elif kind == "MMP":
            arrays.update(inference_algo="MMP", inference_horizon=2)
        model = GenerativeModel(**arrays)
    population = NamedPopulation(model, 5, num_threads=2, seed=7)
    play(population, 0)
    other = copied(population)
    assert type(other) is NamedPopulation
    assert other.num_threads == 2
    np.testing.assert_array_equal(other.timesteps, population.timesteps)
    before = [each.copy() for each in population.qs]
    results = play(other, 1)
    for mine, kept in zip(population.qs, before, strict=True):  # nothing is shared
        np.testing.assert_array_equal(mine, kept)
    for mine, its in zip(play(population, 1), results, strict=True):
        np.testing.assert_array_equal(mine, its)
