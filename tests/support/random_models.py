"""Random generative models for property tests, as keyword arguments of ``Agent``."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from random_arrays import KINDS, distribution, object_array, random_policies, subset


@st.composite
def models(draw: Any, factor_lists: bool = True) -> dict[str, Any]:
    """Draw a model of 1 to 4 factors and modalities, with every flag.

    Factors have at least two states: pymdp's squeeze loses the axis of one state and its
    einsum then fails. `with_single_states` adds such factors.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_factors = draw(st.integers(1, 4))
    num_modalities = draw(st.integers(1, 4))
    num_states = draw(st.lists(st.integers(2, 4), min_size=num_factors, max_size=num_factors))
    num_obs = draw(st.lists(st.integers(1, 4), min_size=num_modalities, max_size=num_modalities))
    most = {1: 4, 2: 3, 3: 2, 4: 2}[num_factors]
    num_controls = draw(st.lists(st.integers(1, most), min_size=num_factors, max_size=num_factors))
    policy_len = draw(st.integers(1, 3))
    while np.prod(num_controls) ** policy_len > 40:
        if policy_len > 1:
            policy_len -= 1
        else:
            num_controls[int(np.argmax(num_controls))] -= 1
    kind_A, kind_B, kind_D = (draw(st.sampled_from(KINDS)) for _ in range(3))

    A_lists = [list(range(num_factors))] * num_modalities
    B_lists = [[f] for f in range(num_factors)]
    model: dict[str, Any] = {"policy_len": policy_len}
    if factor_lists and draw(st.booleans()):
        A_lists = [subset(rng, num_factors) for _ in num_obs]
        model["A_factor_list"] = A_lists
    if factor_lists and draw(st.booleans()):
        B_lists = [subset(rng, num_factors) for _ in num_states]
        model["B_factor_list"] = B_lists
    shapes_A = [(n, *(num_states[f] for f in fs)) for n, fs in zip(num_obs, A_lists, strict=True)]
    shapes_B = [
        (n, *(num_states[f] for f in fs), u)
        for n, fs, u in zip(num_states, B_lists, num_controls, strict=True)
    ]
    model["A"] = object_array(distribution(rng, s, kind_A) for s in shapes_A)
    model["B"] = object_array(distribution(rng, s, kind_B) for s in shapes_B)
    if draw(st.booleans()):
        model["D"] = object_array(distribution(rng, (n,), kind_D) for n in num_states)
    if draw(st.booleans()):
        steps = [draw(st.sampled_from([0, policy_len])) for _ in num_obs]
        model["C"] = object_array(
            rng.normal(scale=2.0, size=(n, t) if t else n)
            for n, t in zip(num_obs, steps, strict=True)
        )
    num_policies = int(np.prod(num_controls)) ** policy_len
    if num_policies > 1 and draw(st.booleans()):
        model["policies"] = random_policies(rng, num_controls, policy_len, num_policies)
        num_policies = len(model["policies"])
    if draw(st.booleans()):
        model["E"] = distribution(rng, (num_policies,), draw(st.sampled_from(KINDS)))
    for name, shapes in (("pA", shapes_A), ("pB", shapes_B)):
        if draw(st.booleans()):
            model[name] = object_array(
                rng.integers(1, 20, size=s) * (distribution(rng, s, kind_A) > 0) / 2.0
                for s in shapes
            )
    if (
        draw(st.booleans())
        and all(len(fs) == 1 for fs in B_lists)
        and B_lists == [[f] for f in range(num_factors)]
    ):
        model["H"] = object_array(distribution(rng, (n,), "deterministic") for n in num_states)
        model["ii_depth"] = draw(st.integers(1, 5))
        model["ii_threshold"] = draw(st.sampled_from([0.0, 1 / 16, 0.6]))
    for flag in ("use_utility", "use_states_info_gain", "use_param_info_gain"):
        model[flag] = draw(st.booleans())
    model["gamma"] = draw(st.sampled_from([16.0, 1.0, 0.0, 40.0]))
    model["alpha"] = draw(st.sampled_from([16.0, 1.0, 0.5]))
    model["action_selection"] = draw(st.sampled_from(["deterministic", "stochastic"]))
    model["sampling_mode"] = draw(st.sampled_from(["marginal", "full"]))
    return model


def with_single_states(model: dict[str, Any]) -> dict[str, Any]:
    """Return the same model with one more factor, of one state and one control, at the end."""
    wider = dict(model)
    one = np.ones((1, 1, 1))
    if "A_factor_list" not in model:
        for name in ("A", "pA"):
            if name in model:
                wider[name] = object_array(array[..., np.newaxis] for array in model[name])
    if "B_factor_list" in model:
        wider["B_factor_list"] = [*model["B_factor_list"], [len(model["B"])]]
    for name in ("B", "pB"):
        if name in model:
            wider[name] = object_array([*model[name], one])
    if "D" in model:
        wider["D"] = object_array([*model["D"], np.ones(1)])
    if "policies" in model:
        wider["policies"] = [np.pad(policy, ((0, 0), (0, 1))) for policy in model["policies"]]
    return wider
