"""A population's file, read with a model of its own."""

import numpy as np
import pytest
from ways_to_evaluate import grid

from freeagent_core import GenerativeModel, Population


@pytest.mark.parametrize("policy_len", [2, 6])
def test_a_file_belongs_to_an_equal_model(policy_len, tmp_path):
    """However its policies are held, and whatever was asked of it."""
    population = Population(GenerativeModel(**grid(5, 5, policy_len)), 3, seed=0)
    population.step([0, 1, 2])
    population.save(tmp_path / "population")
    other = GenerativeModel(**grid(5, 5, policy_len))
    assert other.E.shape == (5**policy_len,)
    loaded = Population.load(tmp_path / "population", other)
    np.testing.assert_array_equal(loaded.step([1, 1, 2]), population.step([1, 1, 2]))
    np.testing.assert_array_equal(loaded.policies_of(1), population.policies_of(1))
    with pytest.raises(ValueError, match="another model"):
        Population.load(tmp_path / "population", other.replace(policy_len=1))
