"""Comparison of an agent of marginal message passing with pymdp.legacy's."""

import contextlib
import io

import numpy as np
from hypothesis import strategies as st
from parity import BELIEFS, G, choice_probabilities, draw_hangs_on_rounding
from pymdp.legacy import control
from pymdp.legacy.algos import mmp
from random_arrays import object_array
from random_models import models


def let_reference_run_on_new_numpy(patch):
    """pymdp.legacy assigns arrays of one element as scalars, which NumPy 2.4 refuses."""

    def scalar(function):
        return lambda *arguments, **keywords: np.squeeze(function(*arguments, **keywords))[()]

    name = "calc_pA_info_gain_factorized"
    patch.setattr(control, name, scalar(getattr(control, name)))
    patch.setattr(mmp, "calc_free_energy", scalar(mmp.calc_free_energy))


def quiet(call, *arguments, **keywords):
    """pymdp prints from inside its message passing."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*arguments, **keywords)


@st.composite
def mmp_models(draw, factor_lists=True):
    model = draw(models(factor_lists=factor_lists))
    model["inference_algo"] = "MMP"
    model["inference_horizon"] = draw(st.integers(1, 4))
    model["policy_sep_prior"] = draw(st.booleans())
    model["use_BMA"] = not model["policy_sep_prior"]
    model["use_param_info_gain"] &= "pB" not in model  # pymdp fails on it
    # the present step counts too: one more column of preferences
    if "C" in model:
        model["C"] = object_array(
            np.column_stack([c, c[:, 0]]) if c.ndim == 2 else c for c in model["C"]
        )
    return model


def assert_same_sequences(ours, theirs, tolerance=BELIEFS):
    assert len(ours) == len(theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        assert len(mine) == len(reference)
        for a, b in zip(mine, reference, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_allclose(x, y, rtol=0, atol=tolerance)


def has_ties(reference):
    """Return whether a stochastic choice is among equal probabilities. Message passing agrees to
    some 1e-14: p[1] / (1 - p[0]) is then 0.5 on one side, and half an ulp more on the other,
    where the binomial draw jumps."""
    return reference.action_selection == "stochastic" and any(
        len(np.unique(p)) < len(p) for p in choice_probabilities(reference)
    )


def assert_same_step(agent, reference, observation, seed, **flags):
    expected = quiet(reference.infer_states, observation, **flags)
    assert_same_sequences(agent.infer_states(observation, **flags), expected)
    np.testing.assert_allclose(agent.F, reference.F, rtol=1e-12, atol=G)
    assert_same_sequences(agent.get_future_qs(), reference.get_future_qs())
    q_pi, G_ = reference.infer_policies()
    agent.infer_policies()
    np.testing.assert_allclose(agent.G, G_, rtol=1e-12, atol=G)
    np.testing.assert_allclose(agent.q_pi, q_pi, rtol=0, atol=BELIEFS)
    np.random.seed(seed)
    action = reference.sample_action()
    np.random.seed(seed)
    mine = agent.sample_action()
    if draw_hangs_on_rounding(reference) or has_ties(reference):
        agent.action = agent.prev_actions[-1] = action
    else:
        np.testing.assert_array_equal(mine, action)
