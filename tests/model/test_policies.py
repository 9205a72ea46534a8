"""All sequences of actions, made when they are asked for."""

import numpy as np
import pytest

from freeagent_core._model.policies import AllSequences, construct_policies


def test_lazy_policies():
    policies = AllSequences([2, 3], 3)
    every = construct_policies([2, 3], 3)
    assert len(policies) == len(every) == 216
    for i in (0, 1, 5, 215, -1):
        np.testing.assert_array_equal(policies[i], every[i])
    np.testing.assert_array_equal(np.array(policies[3:9]), every[3:9])
    with pytest.raises(IndexError):
        policies[216]
    with pytest.raises(ValueError, match="too many to enumerate"):
        AllSequences([10], 12).array()
