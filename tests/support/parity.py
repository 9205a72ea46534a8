"""Comparison of an agent with a reference agent, step by step."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

compared = {"steps": 0, "of": 0}  # in the running test; `conftest.py` asserts a floor
BELIEFS = 1e-9
G = 1e-8


def assert_same_beliefs(ours: Any, theirs: Any, tolerance: float = BELIEFS) -> None:
    assert len(ours) == len(theirs)
    for factor, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        assert mine.dtype == np.float64
        np.testing.assert_allclose(
            mine, reference, rtol=0, atol=tolerance, err_msg=f"factor {factor}"
        )


def nearly_equal(p: Any) -> bool:
    """Return whether two entries differ, but by no more than rounding."""
    gaps = np.abs(p[:, None] - p[None, :])
    return bool(((gaps > 0) & (gaps < 1e-11)).any())


def draw_hangs_on_rounding(reference: Any) -> bool:
    """Return whether the reference's draw is decided by its rounding errors.

    A binomial draw jumps where a probability crosses 0.5, and probabilities that are
    equal but for rounding put it there: pymdp then gives other actions on another
    processor too. Where they are equal to the bit, the draw must be ours as well.
    A deterministic choice hangs on them where a probability is 1e-8 below the best.
    """
    if reference.action_selection == "deterministic":
        return any(
            (np.abs(p.max() - p - 1e-8) < 1e-11).any() for p in choice_probabilities(reference)
        )
    return any(nearly_equal(p) for p in choice_probabilities(reference))


def choice_probabilities(reference: Any) -> list[Any]:
    """Return the probabilities of the policies, or of the actions of each factor."""
    if reference.sampling_mode == "full":
        return [reference.q_pi]
    first = np.array([policy[0] for policy in reference.policies])
    return [
        np.bincount(first[:, f], weights=reference.q_pi, minlength=n)
        for f, n in enumerate(reference.num_controls)
    ]


def goal_hangs_on_rounding(reference: Any) -> bool:
    """Return whether rounding decides which state is the likeliest (inductive inference)."""
    return reference.I is not None and any(nearly_equal(qs) for qs in reference.qs)


def twin_before(agent: Any, reference: Any) -> tuple[Any, list[Any]]:
    """Return what `beliefs_hang_on_rounding` needs of both before a step."""
    return copy.deepcopy(reference), [
        np.abs(ours - theirs) for ours, theirs in zip(agent.qs, reference.qs, strict=True)
    ]


def beliefs_hang_on_rounding(before: tuple[Any, list[Any]], observation: Any, **flags: Any) -> bool:
    """Return whether the reference's fixed-point iteration itself carries differences of
    rounding size over the tolerance.

    The iteration can leave a symmetric, unstable point in either direction; what decides is
    a change of log(A), down to -37 nats, in the last bits, or one of the last beliefs by as
    much as both agents differ.
    """
    reference, gaps = before
    rng = np.random.default_rng(0)
    results = []
    for _ in range(10):
        other = copy.deepcopy(reference)
        for m, A in enumerate(reference.A):
            change = rng.choice([-1e-14, 0.0, 1e-14], size=A.shape)
            other.A[m] = A + (A + 1e-16) * change
        for f, gap in enumerate(gaps):
            other.qs[f] = other.qs[f] + gap * rng.choice([-1, 0, 1], size=gap.shape)
            other.qs[f] = np.maximum(other.qs[f], 0.0)
        results.append(np.concatenate(other.infer_states(observation, **flags)))
    return bool(np.ptp(results, axis=0).max() > BELIEFS / 10)


def assert_same_beliefs_unless_chaotic(
    ours: Any, theirs: Any, before: Any, observation: Any, **flags: Any
) -> bool:
    """Compare beliefs; return False where they differ but hang on the reference's rounding."""
    try:
        assert_same_beliefs(ours, theirs)
    except AssertionError:
        if not beliefs_hang_on_rounding(before, observation, **flags):
            raise
        return False
    return True


def assert_same_step(
    agent: Any, reference: Any, observation: Any, seed: int, fused: bool = False
) -> bool:
    """Step both with the same random numbers; return False where no comparison can go on."""
    np.random.seed(seed)
    before = twin_before(agent, reference)
    qs = reference.infer_states(observation)
    q_pi, G_ = reference.infer_policies()
    expected = reference.sample_action()
    drawn = np.random.get_state()
    np.random.seed(seed)
    if fused:
        action = agent.step(observation)
    else:
        assert agent.infer_states(observation) is agent.qs
        q_pi_returned, G_returned = agent.infer_policies()
        assert q_pi_returned is agent.q_pi
        assert G_returned is agent.G
        action = agent.sample_action()
    assert action is agent.action
    if not assert_same_beliefs_unless_chaotic(agent.qs, qs, before, observation):
        return False
    if goal_hangs_on_rounding(reference):
        return False
    np.testing.assert_allclose(agent.G, G_, rtol=1e-12, atol=G)
    np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
    assert action.dtype == expected.dtype
    assert agent.curr_timestep == reference.curr_timestep
    if draw_hangs_on_rounding(reference):
        agent.action = expected.copy()
        agent.prev_actions[-1] = agent.action
    else:
        np.testing.assert_array_equal(action, expected)
        np.testing.assert_equal(np.random.get_state(), drawn)
    np.testing.assert_array_equal(agent.prev_actions, reference.prev_actions)
    return True


def assert_same_episode(
    agent: Any, reference: Any, observations: list[Any], seed: int = 0, fused: bool = False
) -> None:
    compared["of"] += len(observations)
    for t, observation in enumerate(observations):
        if not assert_same_step(agent, reference, observation, (seed + t) % 2**32, fused):
            break
        compared["steps"] += 1
