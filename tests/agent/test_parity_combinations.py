"""Every constructor argument at once, over whole episodes, against ``pymdp.legacy``.

`python tests/differential.py` runs this and the other property tests for a given time.
"""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parity import (
    BELIEFS,
    G,
    assert_same_beliefs_unless_chaotic,
    assert_same_step,
    goal_hangs_on_rounding,
    twin_before,
)
from parity_mmp import assert_same_step as assert_same_mmp_step
from parity_mmp import let_reference_run_on_new_numpy, quiet
from pymdp.legacy.agent import Agent as Reference
from random_arrays import KINDS, distribution, object_array, observations
from random_models import models

from freeagent_core import Agent


def examples(count):
    """Return settings for so many models in the ordinary run of the tests."""
    return settings(
        max_examples=int(os.environ.get("FREEAGENT_CORE_EXAMPLES", count)),
        deadline=None,
        derandomize="FREEAGENT_CORE_EXAMPLES" not in os.environ,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.fixture(autouse=True, scope="module")
def reference_on_new_numpy():
    with pytest.MonkeyPatch.context() as patch:
        let_reference_run_on_new_numpy(patch)
        yield


@st.composite
def arguments(draw):
    """Draw a model with every argument that an agent takes."""
    model = draw(models())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_controls = [B.shape[-1] for B in model["B"]]
    num_states = [len(B) for B in model["B"]]
    horizon = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["all policies", "lengths", "repeated"]))
    if kind != "all policies":  # custom ones: of several lengths, or each of them twice
        lengths = rng.integers(1, horizon + 1, size=rng.integers(1, 9))
        if kind == "repeated":
            lengths[:] = horizon
        policies = [rng.integers(0, num_controls, size=(n, len(num_controls))) for n in lengths]
        model["policies"] = policies if kind == "lengths" else policies * 2
        model["policy_len"] = horizon
        model["num_controls"] = num_controls
        model.pop("E", None)
        if "C" in model:  # with a column per step it must fit all policies
            model["C"] = object_array(c if c.ndim == 1 else c[:, 0] for c in model["C"])
        if draw(st.booleans()):
            model["E"] = distribution(rng, (len(model["policies"]),), draw(st.sampled_from(KINDS)))
    model["save_belief_hist"] = draw(st.booleans())
    if draw(st.booleans()):
        model["pD"] = object_array(rng.integers(1, 5, size=n) / 2.0 for n in num_states)
    for name, count in (("modalities", len(model["A"])), ("factors", len(num_states))):
        if draw(st.booleans()):
            chosen = [i for i in range(count) if draw(st.booleans())] or [0]
            model[f"{name}_to_learn"] = chosen
    for name in ("lr_pA", "lr_pB", "lr_pD"):
        model[name] = draw(st.sampled_from([1.0, 0.25, 3.0]))
    return model


@examples(50)
@given(model=arguments(), seed=st.integers(0, 2**32 - 1), fused=st.booleans())
def test_episodes_with_learning(model, seed, fused):
    for name in ("pA", "pB"):  # no counts of 1e-20: their information gain is 1e16 nats
        if name in model:
            model[name] = object_array(
                np.where(x > 0, np.maximum(x, 0.5), 0.0) for x in model[name]
            )
    agent, reference = Agent(**model), Reference(**model)
    before = mine = None
    for t, observation in enumerate(observations(model, seed, 4)):
        if not assert_same_step(agent, reference, observation, t, fused):
            return
        pairs = []
        if "pA" in model:
            pairs.append((agent.update_A(observation), reference.update_A(observation)))
        if "pB" in model and before is not None:
            pairs.append((agent.update_B(mine), reference.update_B(before)))
        if "pD" in model and model["save_belief_hist"]:
            pairs.append((agent.update_D(), reference.update_D()))
        for name in ("A", "B", "D", "pA", "pB", "pD"):
            if getattr(reference, name) is not None:
                pairs.append((getattr(agent, name), getattr(reference, name)))
        if model["save_belief_hist"]:
            pairs += list(zip(agent.qs_hist, reference.qs_hist, strict=True))
        for ours, theirs in pairs:
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=BELIEFS)
        before, mine = reference.qs, agent.qs
        if t == 2:
            agent.reset()
            reference.reset()
            agent.action = reference.action = None
            before = mine = None


@examples(5)
@given(model=arguments(), seed=st.integers(0, 2**32 - 1), horizon=st.integers(1, 4))
def test_message_passing(model, seed, horizon):
    for name in ("policies", "H", "E", "num_controls"):
        model.pop(name, None)
    model["policy_len"] = min(model["policy_len"], 2)
    model.update(
        inference_algo="MMP",
        inference_horizon=horizon,
        policy_sep_prior=seed % 2 == 0,
        use_BMA=seed % 2 == 1,
        save_belief_hist=False,
    )
    model["use_param_info_gain"] &= "pB" not in model  # pymdp fails on it
    if "C" in model:
        model["C"] = object_array(c if c.ndim == 1 else c[:, 0] for c in model["C"])
    if int(np.prod([B.shape[-1] for B in model["B"]])) ** model["policy_len"] > 40:
        model["policy_len"] = 1
    agent, reference = Agent(**model), quiet(Reference, **model)
    for t, observation in enumerate(observations(model, seed, horizon + 2)):
        assert_same_mmp_step(agent, reference, observation, t)


@examples(30)
@given(
    model=arguments(),
    seed=st.integers(0, 2**32 - 1),
    horizon=st.integers(1, 3),
    thresholds=st.tuples(
        # 1 / 16 is what 16 equal policies have: rounding decides whether they are left out
        *(st.sampled_from([0.0, 0.06, 0.03, 0.3]), st.sampled_from([0.0, 0.06, 0.11]))
    ),
)
def test_sophisticated(model, seed, horizon, thresholds):
    for name in ("policies", "E", "H", "num_controls"):
        model.pop(name, None)
    rng = np.random.default_rng(seed)
    model["C"] = object_array(rng.normal(size=len(A)) for A in model["A"])
    model.update(
        policy_len=1,
        sophisticated=True,
        si_horizon=horizon,
        si_policy_prune_threshold=thresholds[0],
        si_state_prune_threshold=thresholds[1],
    )
    branches = np.prod([B.shape[-1] for B in model["B"]]) * np.prod([len(A) for A in model["A"]])
    model["si_horizon"] = horizon if branches**horizon < 3000 else 1
    agent, reference = Agent(**model), Reference(**model)
    for observation in observations(model, seed, 2):
        before = twin_before(agent, reference)
        theirs, ours = reference.infer_states(observation), agent.infer_states(observation)
        if not assert_same_beliefs_unless_chaotic(ours, theirs, before, observation):
            return
        if goal_hangs_on_rounding(reference):
            return
        q_pi, G_ = reference.infer_policies()
        agent.infer_policies()
        np.testing.assert_allclose(agent.G, G_, rtol=1e-12, atol=G)
        np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
        agent.action = reference.action = np.zeros(agent.num_factors)
