"""Message passing on factors of more states than registers hold, against pymdp."""

import numpy as np
import pytest
from pymdp.legacy.agent import Agent as PymdpAgent

from freeagent_core import Agent
from freeagent_core._kernels.base import primitives


def arguments(num_states):
    rng = np.random.default_rng(num_states)
    A = np.empty(1, dtype=object)
    B = np.empty(1, dtype=object)
    A[0], B[0] = rng.random((4, num_states)), rng.random((num_states, num_states, 2))
    A[0] /= A[0].sum(axis=0)
    B[0] /= B[0].sum(axis=0)
    horizon = {"inference_algo": "MMP", "inference_horizon": 3, "policy_len": 2}
    return {"A": A, "B": B, **horizon}


@pytest.mark.parametrize("level", primitives.simd_levels())
@pytest.mark.parametrize("num_states", [9, 15, 17, 33, 37])
def test_beliefs_of_a_factor(level, num_states):
    primitives.set_simd_level(level)
    agent = Agent(**arguments(num_states))
    reference = PymdpAgent(**arguments(num_states))
    for outcome in (1, 3, 0, 2):
        agent.infer_states([outcome])
        reference.infer_states([outcome])
        for ours, theirs in zip(agent.qs, reference.qs, strict=True):
            for now, then in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(now[0], then[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(agent.F, reference.F, rtol=0, atol=1e-8)
        agent.infer_policies()
        reference.infer_policies()
        np.testing.assert_array_equal(agent.sample_action(), reference.sample_action())
