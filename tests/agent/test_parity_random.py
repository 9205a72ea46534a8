"""The VANILLA agent against ``pymdp.legacy`` on random models."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parity import (
    BELIEFS,
    G,
    assert_same_beliefs,
    assert_same_beliefs_unless_chaotic,
    assert_same_episode,
    assert_same_step,
    twin_before,
)
from pymdp.legacy.agent import Agent as Reference
from random_arrays import distribution, object_array, observations
from random_models import models, with_single_states

from freeagent_core import Agent

slow = settings(
    max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", "150")),
    deadline=None,
    derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


@slow
@given(model=models(), seed=st.integers(0, 2**32 - 1), fused=st.booleans())
def test_episodes(model, seed, fused):
    agent, reference = Agent(**model), Reference(**model)
    assert_same_episode(agent, reference, observations(model, seed, 4), seed, fused)


@slow
@given(model=models(), seed=st.integers(0, 2**32 - 1))
def test_single_states(model, seed):
    """A factor of one state changes nothing. (pymdp itself fails on such a model.)"""
    model.pop("H", None)
    agent, wider = Agent(**model), Agent(**with_single_states(model))
    for t, observation in enumerate(observations(model, seed, 3)):
        np.random.seed(t)
        action = agent.step(observation)
        np.random.seed(t)
        wider.step(observation)
        assert_same_beliefs(wider.qs[:-1], agent.qs)
        np.testing.assert_allclose(wider.G, agent.G, rtol=1e-12, atol=G)
        wider.action = [*action, 0.0]


@slow
@given(model=models(factor_lists=False), seed=st.integers(0, 2**32 - 1))
def test_joint_likelihood(model, seed):
    """`_infer_states_test` takes the joint likelihood, where pymdp does not divide 0 by 0."""
    agent, reference = Agent(**model), Reference(**model)
    for observation in observations(model, seed, 3):
        with np.errstate(divide="ignore", invalid="ignore"):
            qs = reference._infer_states_test(observation)
        if not all(np.isfinite(q).all() for q in qs):
            break
        assert_same_beliefs(agent._infer_states_test(observation), qs)
        agent.action = reference.action = np.zeros(agent.num_factors)


@slow
@given(model=models(), seed=st.integers(0, 2**32 - 1))
def test_distributions_as_observations(model, seed):
    rng = np.random.default_rng(seed)
    agent, reference = Agent(**model), Reference(**model)
    for kind in ("smooth", "sparse", "deterministic", "peaked"):
        observation = object_array(distribution(rng, (len(A),), kind) for A in model["A"])
        before = twin_before(agent, reference)
        theirs = reference.infer_states(observation, distr_obs=True)
        ours = agent.infer_states(observation, distr_obs=True)
        if not assert_same_beliefs_unless_chaotic(
            ours, theirs, before, observation, distr_obs=True
        ):
            break
        agent.action = reference.action = np.zeros(agent.num_factors)


@slow
@given(model=models(), seed=st.integers(0, 2**32 - 1), rate=st.sampled_from([1.0, 0.3]))
def test_learning(model, seed, rate):
    """update_A, update_B and update_D after every step, on all or some of the parameters."""
    rng = np.random.default_rng(seed)
    for name in ("A", "B"):
        # no counts of 1e-20: their information gain is 1e16 nats, and rounding decides
        model.setdefault(
            "p" + name, object_array(np.where(x > 1e-6, 10.0 * x, 0.0) for x in model[name])
        )
    num_states = [len(B) for B in model["B"]]
    model["pD"] = object_array(rng.integers(1, 5, size=n) / 2.0 for n in num_states)
    model.update(lr_pA=rate, lr_pB=rate, lr_pD=rate, save_belief_hist=True)
    if rate != 1.0:
        model.update(modalities_to_learn=[0], factors_to_learn=[0])
    model["action_selection"] = "deterministic"
    agent, reference = Agent(**model), Reference(**model)
    before = mine = None
    for t, observation in enumerate(observations(model, seed, 3)):
        if not assert_same_step(agent, reference, observation, t):
            return
        pairs = [(agent.update_A(observation), reference.update_A(observation))]
        if before is not None:
            pairs.append((agent.update_B(mine), reference.update_B(before)))
        pairs.append((agent.update_D(), reference.update_D()))
        pairs.append((agent.update_D(agent.qs), reference.update_D(reference.qs)))
        pairs += [(getattr(agent, n), getattr(reference, n)) for n in ("A", "B", "D", "pB", "pD")]
        for ours, theirs in pairs:
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=BELIEFS)
        before, mine = reference.qs, agent.qs
    agent.reset()
    reference.reset()
    for name in ("A", "B", "qs"):
        for a, b in zip(getattr(agent, name), getattr(reference, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=BELIEFS)


@pytest.mark.parametrize(
    "params",
    [
        {"num_iter": 1},
        {"num_iter": 0},
        {"dF": 0.0},
        {"dF_tol": 1e-9, "num_iter": 12},
        {"compute_vfe": False, "num_iter": 3},
    ],
)
@slow
@given(model=models(), seed=st.integers(0, 2**32 - 1))
def test_inference_params(params, model, seed):
    """pymdp ignores the argument, but its attribute counts."""
    agent, reference = Agent(**model, inference_params=params), Reference(**model)
    reference.inference_params.update(params)
    for observation in observations(model, seed, 2):
        before = twin_before(agent, reference)
        theirs = reference.infer_states(observation)
        ours = agent.infer_states(observation)
        if not assert_same_beliefs_unless_chaotic(ours, theirs, before, observation):
            break
        agent.action = reference.action = np.zeros(agent.num_factors)
