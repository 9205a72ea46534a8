"""The arguments of a generative model: each checked, and all that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model import sparse_input
from freeagent_core._model import validation as check
from freeagent_core._model.inference_params import check_inference_params
from freeagent_core._model.packing import MAX_STORED_POLICIES
from freeagent_core._model.policies import (
    MAX_POLICIES,
    MAX_SEQUENCES,
    AllSequences,
    backwards_induction,
    exceeds,
)
from freeagent_core._model.sparse_columns import SparseColumns
from freeagent_core.utils import norm_dist

FloatArray = npt.NDArray[np.float64]
Fields = dict[str, Any]


def check_arguments(arguments: Mapping[str, Any]) -> Fields:
    """Return the attributes of the model that has these arguments.

    Parameters
    ----------
    arguments : dict
        Those of `GenerativeModel`. A model that is made from another one adds what arguments alone
        do not tell (`policy_arrays`, `I`, `factorized`).

    Raises
    ------
    ValueError, TypeError
        Naming the argument, the index and the expected shape.
    """
    fields: Fields = {}
    check.choice(arguments["pymdp_version"], ("legacy", "0.0.7.1"), "pymdp_version")
    fields["joint_likelihood"] = arguments["pymdp_version"] == "0.0.7.1"
    _set_likelihood(fields, arguments)
    _set_transitions(fields, arguments)
    _set_policies(fields, arguments)
    _set_priors(fields, arguments)
    _set_parameters(fields, arguments)
    return fields


def _set_likelihood(fields: Fields, arguments: Mapping[str, Any]) -> None:
    A = sparse_input.read_likelihoods(arguments["A"], "A")
    for m, A_m in enumerate(A):
        if A_m.ndim < 2:
            raise ValueError(f"A[{m}] must have shape (num_obs, num_states, ...), got {A_m.shape}")
        sparse_input.check_normalised(A_m, f"A[{m}]")
    fields["num_obs"] = [len(A_m) for A_m in A]
    fields["num_modalities"] = len(A)
    fields["A"] = check.object_array(A)


def _set_transitions(fields: Fields, arguments: Mapping[str, Any]) -> None:
    B = sparse_input.read_transitions(arguments["B"], "B")
    if len(B) > check.MAX_FACTORS:
        raise ValueError(f"B must have at most {check.MAX_FACTORS} factors, got {len(B)}")
    for f, B_f in enumerate(B):
        if B_f.ndim < 3:
            raise ValueError(
                f"B[{f}] must have shape (num_states, num_states, num_controls), got {B_f.shape}"
            )
        sparse_input.check_normalised(B_f, f"B[{f}]")
    num_factors = len(B)
    fields["num_factors"] = num_factors
    fields["num_states"] = num_states = [len(B_f) for B_f in B]
    fields["num_controls"] = num_controls = [B_f.shape[-1] for B_f in B]
    if arguments["num_controls"] is not None:
        given = [
            check.integer(n, 1, None, f"num_controls[{f}]")
            for f, n in enumerate(check.items(arguments["num_controls"], "num_controls"))
        ]
        if given != num_controls:
            raise ValueError(
                f"num_controls must be {num_controls}, the last axes of B, got {given}"
            )
    given_A, given_B = arguments["A_factor_list"], arguments["B_factor_list"]
    fields["factorized"] = arguments.get("factorized", given_A is not None or given_B is not None)
    fields["A_factor_list"] = (
        [list(range(num_factors)) for _ in fields["num_obs"]]
        if given_A is None
        else check.factor_lists(given_A, fields["num_modalities"], num_factors, "A_factor_list")
    )
    fields["B_factor_list"] = (
        [[f] for f in range(num_factors)]
        if given_B is None
        else check.factor_lists(given_B, num_factors, num_factors, "B_factor_list")
    )
    shapes_A = [
        (n, *(num_states[f] for f in factors))
        for n, factors in zip(fields["num_obs"], fields["A_factor_list"], strict=True)
    ]
    shapes_B = [
        (n, *(num_states[g] for g in factors), u)
        for n, u, factors in zip(num_states, num_controls, fields["B_factor_list"], strict=True)
    ]
    for m, shape in enumerate(shapes_A):
        check.check_shape(fields["A"][m], shape, f"A[{m}]")
    for f, shape in enumerate(shapes_B):
        check.check_shape(B[f], shape, f"B[{f}]")
    # pymdp plans back from the goal with B as given, before pB replaces it
    _set_goal(fields, arguments, B)
    fields["B"] = check.object_array(B)
    for name, shapes, of_what in (("pA", shapes_A, "modality"), ("pB", shapes_B, "factor")):
        fields[name] = None
        if arguments[name] is None:
            continue
        arrays = check.split(arguments[name], name)
        check.check_count(arrays, len(shapes), name, of_what)
        for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
            check.check_dirichlet(array, shape, f"{name}[{i}]")
        fields[name] = check.object_array(arrays)
        if not fields["joint_likelihood"] and "policy_arrays" not in arguments:
            fields[name[1]] = normalised(arrays)


def _set_goal(
    fields: Fields, arguments: Mapping[str, Any], B: list[FloatArray | SparseColumns]
) -> None:
    fields["H"] = fields["I"] = None
    if arguments["H"] is not None:
        H = check.split(arguments["H"], "H")
        check.check_count(H, fields["num_factors"], "H", "factor")
        for f, H_f in enumerate(H):
            check.check_shape(H_f, (fields["num_states"][f],), f"H[{f}]")
            check.check_non_negative(H_f, f"H[{f}]")
        fields["H"] = check.object_array(H)
    if arguments.get("I") is not None:
        reached = check.split(arguments["I"], "I")
        check.check_count(reached, fields["num_factors"], "I", "factor")
        for f, I_f in enumerate(reached):
            check.check_shape(I_f, (len(I_f), fields["num_states"][f]), f"I[{f}]")
        fields["I"] = check.object_array(reached)
    elif fields["H"] is not None and "I" not in arguments:
        depth = check.integer(arguments["ii_depth"], 1, check.MAX_INT, "ii_depth")
        threshold = check.number(arguments["ii_threshold"], "ii_threshold")
        fields["I"] = check.object_array(
            backwards_induction(H, B, fields["B_factor_list"], threshold, depth)
        )


def _set_policies(fields: Fields, arguments: Mapping[str, Any]) -> None:
    policy_len = check.integer(arguments["policy_len"], 1, None, "policy_len")
    fields["policy_len"] = policy_len
    fields["control_fac_idx"] = [f for f, n in enumerate(fields["num_controls"]) if n > 1]
    if arguments["control_fac_idx"] is not None:
        given = check.items(arguments["control_fac_idx"], "control_fac_idx")
        for i, f in enumerate(given):
            check.integer(f, 0, fields["num_factors"], f"control_fac_idx[{i}]")
            if fields["num_controls"][f] < 2:
                raise ValueError(f"control_fac_idx[{i}] is factor {f}, which has one control in B")
        fields["control_fac_idx"] = given
    policies = arguments["policies"]
    if arguments.get("policy_arrays") is not None:
        fields["policy_arrays"] = arguments["policy_arrays"]
    elif policies is None:
        fields["policy_arrays"] = AllSequences(fields["num_controls"], policy_len)
    else:
        fields["policy_arrays"] = check.policy_list(policies, fields["num_controls"])

    algorithm = arguments["inference_algo"]
    if algorithm is not None and not isinstance(algorithm, str):
        raise TypeError(f"inference_algo must be a str or None, got {algorithm!r:.80}")
    fields["inference_algo"] = algorithm or "VANILLA"
    lengths = _policy_lengths(fields)
    if fields["inference_algo"] == "MMP" and len(lengths) > 1:
        raise ValueError(
            f"policies must be of one length with inference_algo 'MMP', got {sorted(lengths)}"
        )
    # MMP also takes the expected free energy of the present step
    fields["preference_steps"] = (
        policy_len + 1 if fields["inference_algo"] == "MMP" else max(lengths)
    )


def _policy_lengths(fields: Fields) -> set[int]:
    if isinstance(fields["policy_arrays"], AllSequences):
        return {fields["policy_arrays"].policy_len}
    return {len(policy) for policy in fields["policy_arrays"]}


def _set_priors(fields: Fields, arguments: Mapping[str, Any]) -> None:
    steps = fields["preference_steps"]
    C: list[Any] = [check.real_array(np.zeros(n), "C") for n in fields["num_obs"]]
    if arguments["C"] is not None:
        C = check.split(arguments["C"], "C")
        check.check_count(C, fields["num_modalities"], "C", "modality")
        # without use_utility message passing never reads the column that pymdp lacks
        missing = fields["inference_algo"] == "MMP" and not check.flag(
            arguments["use_utility"], "use_utility"
        )
        for m, C_m in enumerate(C):
            check.check_preferences(C_m, fields["num_obs"][m], steps - missing, f"C[{m}]")
    fields["C"] = check.object_array(C)

    fields["pD"] = None
    if arguments["pD"] is not None:
        pD = _vectors(arguments["pD"], fields["num_states"], "pD")
        for f, pD_f in enumerate(pD):
            check.check_dirichlet(pD_f, (fields["num_states"][f],), f"pD[{f}]")
        fields["pD"] = check.object_array(pD)
    if arguments["D"] is not None:
        D = _vectors(arguments["D"], fields["num_states"], "D")
        for f, D_f in enumerate(D):
            check.check_normalised(D_f, f"D[{f}]")
        fields["D"] = check.object_array(D)
    elif fields["pD"] is not None:
        fields["D"] = normalised(fields["pD"])
    else:
        fields["D"] = normalised(np.ones(n) for n in fields["num_states"])

    num_policies = len(fields["policy_arrays"])
    fields["constant_E"] = arguments["E"] is None
    if arguments["E"] is not None:
        E = check.real_array(arguments["E"], "E")
        check.check_shape(E, (num_policies,), "E")
        check.check_non_negative(E, "E")
        E.flags.writeable = False
        fields["E"] = E
        fields["constant_E"] = bool(np.ptp(E) == 0.0)
    elif num_policies <= MAX_STORED_POLICIES:
        fields["E"] = constant_E(num_policies)


def _set_parameters(fields: Fields, arguments: Mapping[str, Any]) -> None:
    for name in ("gamma", "alpha", "lr_pA", "lr_pB", "lr_pD"):
        fields[name] = check.number(arguments[name], name)
    for name in (
        "si_policy_prune_threshold",
        "si_state_prune_threshold",
        "si_prune_penalty",
        "ii_threshold",
    ):
        fields[name] = check.number(arguments[name], name)
    for name in ("si_horizon", "ii_depth", "inference_horizon"):
        fields[name] = check.integer(arguments[name], 1, check.MAX_INT, name)
    if arguments["inference_algo"] is None:  # as in pymdp
        fields["inference_horizon"] = 1
    for name in (
        "use_utility",
        "use_states_info_gain",
        "use_param_info_gain",
        "use_BMA",
        "policy_sep_prior",
        "save_belief_hist",
    ):
        fields[name] = check.flag(arguments[name], name)
    for name, choices in (
        ("action_selection", ("deterministic", "stochastic")),
        ("sampling_mode", ("marginal", "full")),
    ):
        fields[name] = check.choice(arguments[name], choices, name)
    fields["pymdp_version"] = arguments["pymdp_version"]
    fields["modalities_to_learn"] = check.index_subset(
        arguments["modalities_to_learn"], fields["num_modalities"], "modalities_to_learn"
    )
    fields["factors_to_learn"] = check.index_subset(
        arguments["factors_to_learn"], fields["num_factors"], "factors_to_learn"
    )
    fields["sophisticated"] = check.flag(arguments["sophisticated"], "sophisticated")
    if fields["sophisticated"]:
        _check_search(fields)
    fields["inference_params"] = check_inference_params(
        arguments["inference_params"], fields["inference_algo"]
    )


def _check_search(fields: Fields) -> None:
    num_policies, horizon = len(fields["policy_arrays"]), fields["si_horizon"]
    if fields["policy_len"] != 1 or _policy_lengths(fields) != {1}:
        raise ValueError("sophisticated inference needs policies of one step (policy_len 1)")
    if horizon >= MAX_SEQUENCES.bit_length() or exceeds(num_policies, horizon, MAX_SEQUENCES):
        raise ValueError(
            f"si_horizon {horizon} with {num_policies} policies is too long to search: at most "
            "2**56 paths, and 56 steps, are"
        )


def constant_E(num_policies: int) -> FloatArray:
    """Return the prior of policies that are all as probable; a ValueError if they are too many."""
    if num_policies > MAX_POLICIES:
        raise ValueError(f"E of {num_policies} policies is too long to list")
    E = np.full(num_policies, 1.0 / num_policies)
    E.flags.writeable = False
    return E


def _vectors(value: Any, sizes: Sequence[int], name: str) -> list[FloatArray]:
    """Return one vector per factor; a column (num_states, 1) is taken as a vector."""
    arrays = check.split(value, name)
    check.check_count(arrays, len(sizes), name, "factor")
    vectors = [a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for a in arrays]
    for f, (vector, size) in enumerate(zip(vectors, sizes, strict=True)):
        check.check_shape(vector, (size,), f"{name}[{f}]")
    return vectors


def normalised(arrays: Any) -> npt.NDArray[Any]:
    """Return the means of Dirichlet parameters: each column divided by its sum."""
    means = [norm_dist(array) for array in arrays]
    for mean in means:
        mean.flags.writeable = False
    return check.object_array(means)
