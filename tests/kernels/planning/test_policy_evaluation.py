"""The ways to evaluate policies: over the belief graph and over the tree, enumerated or not.

Parity with pymdp.legacy on models larger than those of `test_parity_random`, in which columns
repeat, paths meet and modalities are identity-like; and the ways among each other, on random
models forced into each.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from parity import assert_same_episode
from pymdp.legacy.agent import Agent as Reference
from random_arrays import object_array, observations
from random_models import models
from ways_to_evaluate import (
    DENSE,
    GRAPH,
    GRAPH_AND_MATRICES,
    MATRICES,
    NOT_ENUMERATED,
    SPARSE,
    TREE,
    assert_same_values,
    evaluated,
    larger_models,
    packed,
    slow,
)

from freeagent_core import Agent


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1), fused=st.booleans())
def test_parity(model, seed, fused):
    agent, reference = Agent(**model), Reference(**model)
    assert_same_episode(agent, reference, observations(model, seed, 3), seed, fused)


@slow
@given(model=larger_models(), seed=st.integers(0, 2**32 - 1), which=st.sampled_from(["A", "B"]))
def test_sums_that_are_not_quite_one(model, seed, which):
    """A or B of float32 numbers, say: no outcome is taken to be what the others leave."""
    rng = np.random.default_rng(seed)
    arrays = model[which]
    model[which] = object_array(x * (1.0 + 1e-7 * rng.random(x.shape[1:])) for x in arrays)
    agent, reference = Agent(**model), Reference(**model)
    assert_same_episode(agent, reference, observations(model, seed, 3), seed, True)
    assert_same_values(
        evaluated(packed(model, GRAPH), model, seed), evaluated(packed(model, TREE), model, seed)
    )


@slow
@given(model=st.one_of(larger_models(), models()), seed=st.integers(0, 2**32 - 1))
def test_all_ways_agree(model, seed):
    expected = evaluated(packed(model, TREE, DENSE), model, seed)
    for way in (
        (GRAPH, SPARSE),
        (GRAPH, DENSE),
        (TREE, SPARSE),
        (GRAPH, SPARSE, NOT_ENUMERATED),
        (MATRICES,),
        (GRAPH_AND_MATRICES,),
    ):
        found = evaluated(packed(model, *way), model, seed)
        assert_same_values(found, expected)
