"""Files of populations, joined and cut."""

import io

import numpy as np
import pytest
from manager_agents import model as make_model

from freeagent_core import Population
from freeagent_core._agent.population_parts import join_files, split_file


@pytest.mark.parametrize("bounds", [[0, 9], [0, 4, 9], [0, 1, 2, 9]])
def test_cut_and_joined_again(bounds):
    model = make_model(pA=np.ones((3, 4)))
    population = Population(model, 9, seed=1)
    population.step(np.zeros(9, int))
    population.update_A(np.zeros(9, int), mask=np.arange(9) % 4 == 1)
    file, joined = io.BytesIO(), io.BytesIO()
    population.save(file)
    parts = list(split_file(file, bounds))
    twins = [Population.load(io.BytesIO(part), model) for part in parts]
    assert [len(twin) for twin in twins] == np.diff(bounds).tolist()
    join_files(parts, joined)
    loaded = Population.load(joined, model)
    seen = np.arange(9) % 3
    expected = population.step(seen)
    np.testing.assert_array_equal(loaded.step(seen), expected)
    actions = [
        twin.step(seen[start:stop])
        for twin, start, stop in zip(twins, bounds, bounds[1:], strict=False)
    ]
    np.testing.assert_array_equal(np.concatenate(actions), expected)
    np.testing.assert_array_equal(loaded.parameters(5)["A"][0], population.parameters(5)["A"][0])
