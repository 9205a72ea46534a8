"""What makes a batch of agents: the model's structure, its arrays and the settings, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core._model.validation import MAX_INT, choice, flag, integer
from freeagent_core.pymdp_v1._arguments import (
    ModelError,
    action_maps,
    as_list,
    backward_reachability,
    check_normalised,
    dependencies,
    encode,
    flatten_actions,
    floats,
    integers,
    num_states_of,
    parts,
    per_agent,
    with_agents,
)
from freeagent_core.pymdp_v1._arrays import as_array, as_size
from freeagent_core.pymdp_v1._policies import Policies, all_policies
from freeagent_core.pymdp_v1._tables import shared

Array = npt.NDArray[Any]

EXACT_METHOD = "exact"
ONE_STEP_METHODS = {"fpi", "ovf", EXACT_METHOD}
SEQUENCE_METHODS = {"mmp", "vmp"}
SMOOTHING_METHODS = {"ovf", EXACT_METHOD}

FLAGS = (
    "use_utility",
    "use_states_info_gain",
    "use_param_info_gain",
    "use_inductive",
    "categorical_obs",
    "learn_A",
    "learn_B",
    "learn_C",
    "learn_D",
    "learn_E",
    "upstream_faults",
)
CHOICES = {
    "action_selection": ("deterministic", "stochastic"),
    "sampling_mode": ("full", "marginal"),
    "learning_mode": ("online", "offline"),
    "inference_algo": ("fpi", "ovf", "exact", "mmp", "vmp"),
}
# What `replace` takes, besides `policies`.
ARRAYS = ("A", "B", "C", "D", "E", "pA", "pB", "H", "I")
LISTS = frozenset(ARRAYS) - {"E"}  # the others are lists of arrays
PER_AGENT = ("gamma", "alpha", "inductive_threshold", "inductive_epsilon")
NUMBERS = {"num_iter": 0, "inference_horizon": -MAX_INT, "inductive_depth": 0}  # from where on
REPLACEABLE = {*ARRAYS, *PER_AGENT, *NUMBERS, *FLAGS, *CHOICES, "policies", "preprocess_fn"}


# --- the model's structure ------------------------------------------------------------------------


def model_structure(
    A: Sequence[Any],
    B: Sequence[Any],
    C: Sequence[Any] | None,
    pB: Sequence[Any] | None,
    A_dependencies: Sequence[Sequence[int]] | None,
    B_dependencies: Sequence[Sequence[int]] | None,
    B_action_dependencies: Sequence[Sequence[int]] | None,
    num_controls: Sequence[int] | None,
    control_fac_idx: Sequence[int] | None,
    policy_len: int,
    policies: Any,
) -> tuple[dict[str, Any], list[Array], list[Array], list[Array] | None, Any, Any]:
    """Read a model's sizes and dependencies, and give transitions one axis of actions.

    Returns
    -------
    sizes : dict
        Attributes of the agent.
    A, B, C, pB, policies
        As they go on from here.
    """
    A, B = as_list(A, "A", "arrays"), as_list(B, "B", "arrays")
    num_factors, num_modalities = len(B), len(A)
    if not num_factors or not num_modalities:
        raise ModelError("A and B must have at least one array each")
    policy_len = as_size(policy_len, "policy_len", 1)
    if num_controls is not None:
        num_controls = integers(num_controls, "num_controls", 1)
        if not num_controls:
            raise ModelError("num_controls must have a number for each control")
    if A_dependencies is None or B_dependencies is None:
        A_lists, B_lists = _default_dependencies(A, B)
    A_lists = A_lists if A_dependencies is None else A_dependencies
    B_lists = B_lists if B_dependencies is None else B_dependencies
    A_lists = dependencies(A_lists, num_modalities, num_factors, "A_dependencies")
    B_lists = dependencies(B_lists, num_factors, num_factors, "B_dependencies")
    B_arrays = [floats(b, f"B[{f}]") for f, b in enumerate(B)]
    A_arrays = [floats(a, f"A[{m}]") for m, a in enumerate(A)]
    if C is not None:
        C = _with_axis_of(A_arrays, A_lists, parts(C, num_modalities, "C", "modality"))
    maps = None
    action_lists: Any = [[f] for f in range(num_factors)]
    if B_action_dependencies is not None and num_controls is not None:
        action_lists = _action_dependencies(B_action_dependencies, num_factors, len(num_controls))
        if policies is None:
            maps = action_maps(action_lists, num_controls)
            B_arrays = flatten_actions(B_arrays, action_lists, num_controls, "B")
            if pB is not None:
                pB = parts(pB, num_factors, "pB", "hidden state factor")
                pB = [floats(p, f"pB[{f}]") for f, p in enumerate(pB)]
                pB = flatten_actions(pB, action_lists, num_controls, "pB")
            multi = all_policies(num_controls, num_controls, policy_len, control_fac_idx)
            policies = encode(multi, maps)
    num_states = num_states_of(B_arrays, B_lists)
    flat_controls = [b.shape[-1] for b in B_arrays]
    if control_fac_idx is None:
        control_fac_idx = [f for f in range(num_factors) if flat_controls[f] > 1]
    else:
        control_fac_idx = integers(control_fac_idx, "control_fac_idx", -MAX_INT)
        for f in control_fac_idx:
            if not 0 <= f < num_factors:
                raise ModelError(
                    "Check control_fac_idx - must be consistent with `num_states` and "
                    f"`num_factors`: {f} is not in range({num_factors})"
                )
    for f in control_fac_idx:
        if flat_controls[f] <= 1:
            raise ModelError(
                "Control factor (and B matrix) dimensions are not consistent with user-given "
                f"control_fac_idx: factor {f} has one action"
            )
    if policies is None:
        policies = Policies(all_policies(num_states, flat_controls, policy_len, control_fac_idx))
    sizes = {
        "policy_len": policy_len,
        "num_factors": num_factors,
        "num_modalities": num_modalities,
        "num_states": num_states,
        "num_obs": [
            _num_obs(a, factors, f"A[{m}]")
            for m, (a, factors) in enumerate(zip(A_arrays, A_lists, strict=True))
        ],
        "num_controls": flat_controls,
        "num_controls_multi": num_controls,
        "A_dependencies": A_lists,
        "B_dependencies": B_lists,
        "B_action_dependencies": action_lists,
        "action_maps": maps,
        "control_fac_idx": control_fac_idx,
    }
    return sizes, A_arrays, B_arrays, C, pB, policies


# --- arrays and settings --------------------------------------------------------------------------


def checked_settings(agent: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check parts of the model and settings, for an agent that has the others.

    Returns all that changes; nothing is kept.
    """
    new: dict[str, Any] = {}
    for name in PER_AGENT:
        if name in given:
            new[name] = per_agent(given[name], agent["batch_size"], name)
    for name in FLAGS:
        if name in given:
            new[name] = flag(given[name], name)
    for name, choices in CHOICES.items():
        if name in given:
            value = given[name]
            if name == "inference_algo" and isinstance(value, str):
                value = value.lower()
            new[name] = choice(value, choices, name)
    for name, low in NUMBERS.items():
        if name in given:
            optional = given[name] is None and name != "num_iter"
            new[name] = None if optional else integer(given[name], low, MAX_INT, name)
    if "preprocess_fn" in given:
        new["preprocess_fn"] = function = given["preprocess_fn"]
        if not (function is None or callable(function)):
            raise TypeError(f"preprocess_fn must be callable, got {type(function).__name__}")
    if "policies" in given:
        policies = given["policies"]
        new["policies"] = policies if isinstance(policies, Policies) else Policies(policies)
    for name in ARRAYS:
        if name in given:
            new[name] = _checked_arrays(agent, name, given[name])

    def now(name: str) -> Any:
        return new[name] if name in new else agent[name]

    if now("inference_horizon") is not None and now("inference_horizon") < 1:
        raise ValueError("`inference_horizon` must be >= 1 when provided")
    if now("use_inductive") and (now("inductive_depth") or 0) < 1:
        raise ValueError("`inductive_depth` must be >= 1 when `use_inductive` is True")
    if now("learn_A") and now("pA") is None:
        raise ModelError("pA is required for A learning")
    if now("inference_algo") == EXACT_METHOD:
        _check_exact(agent["num_factors"], agent["A_dependencies"], agent["B_dependencies"])
    _check_policies(agent, now("policies"))
    if "E" in new or "policies" in new:
        count = now("policies").num_policies
        E = given.get("E")
        if E is None and "E" not in given and agent["E"].shape[1] == count:
            E = agent["E"]
        if E is None:
            E = np.full(count, 1.0 / count)
        new["E"] = with_agents(floats(E, "E"), [(count,)], agent["batch_size"], "E")
    if now("use_inductive") and now("H") is not None:
        remade = {"B", "H", "use_inductive", "inductive_depth", "inductive_threshold"}
        if given.get("I") is None and remade & given.keys():
            new["I"] = reachability(
                now("H"), now("B"), now("inductive_threshold"), now("inductive_depth")
            )
    if "I" in new and new["I"] is None:
        new["I"] = [
            np.broadcast_to(np.zeros((1, n)), (agent["batch_size"], 1, n))
            for n in agent["num_states"]
        ]
    return new


def _checked_arrays(agent: Mapping[str, Any], name: str, values: Any) -> Any:
    """Check one part of the model: a list of arrays with a leading axis of agents."""
    batch = agent["batch_size"]
    if name == "E":
        return values  # its size is that of the policies, which follow
    modalities = name in ("A", "C", "pA")
    count = agent["num_modalities"] if modalities else agent["num_factors"]
    if values is None:
        if name == "C":
            return [np.broadcast_to(np.full(n, 1.0 / n), (batch, n)) for n in agent["num_obs"]]
        if name == "D":
            return [np.broadcast_to(np.full(n, 1.0 / n), (batch, n)) for n in agent["num_states"]]
        if name in ("A", "B"):
            raise ModelError(f"{name} must not be None")
        return None
    values = parts(values, count, name, "modality" if modalities else "hidden state factor")
    checked: list[Any] = []
    for i, value in enumerate(values):
        label = f"{name}[{i}]"
        if value is None and name == "pA":
            checked.append(None)
            continue
        array = floats(value, label)
        if name in ("A", "pA"):
            factors = [agent["num_states"][f] for f in agent["A_dependencies"][i]]
            shapes: list[tuple[int, ...]] = [(agent["num_obs"][i], *factors)]
        elif name in ("B", "pB"):
            factors = [agent["num_states"][f] for f in agent["B_dependencies"][i]]
            shapes = [(agent["num_states"][i], *factors, agent["num_controls"][i])]
        elif name == "C":
            shapes = [(agent["num_obs"][i],)]
            if array.ndim == 3:
                shapes = [(max(array.shape[1], 1), agent["num_obs"][i])]
        elif name == "I":
            shapes = [(array.shape[-2] if array.ndim > 1 else 1, agent["num_states"][i])]
        else:
            shapes = [(agent["num_states"][i],)]
        array = with_agents(array, shapes, batch, label)
        if name in ("A", "B"):
            check_normalised(array, label)
        elif name in ("pA", "pB", "D") and (array < 0.0).any():
            raise ModelError(f"{label} must not be negative")
        array.flags.writeable = False
        checked.append(array)
    return checked


def _check_policies(agent: Mapping[str, Any], policies: Policies) -> None:
    if policies.policy_arr.shape[2] != agent["num_factors"]:
        raise ModelError(
            f"policies must have an action for each of {agent['num_factors']} factors, got shape "
            f"{policies.policy_arr.shape}"
        )
    wrong = (policies.policy_arr < 0) | (policies.policy_arr >= np.array(agent["num_controls"]))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ModelError(
            f"policies{list(at)} must be in range({agent['num_controls'][at[2]]}), got "
            f"{policies.policy_arr[at]}"
        )


def _num_obs(A: Array, factors: Sequence[int], name: str) -> int:
    if A.ndim <= len(factors):
        raise ModelError(
            f"{name} must have an axis for the outcome and one for each of {factors}, got shape "
            f"{A.shape}"
        )
    num_obs: int = A.shape[-1 - len(factors)]
    return num_obs


def _default_dependencies(A: Sequence[Any], B: Sequence[Any]) -> tuple[Any, Any]:
    if hasattr(A[0], "event") and hasattr(B[0], "event"):
        from freeagent_core.pymdp_v1.distribution import get_dependencies

        return get_dependencies(A, B)
    return [list(range(len(B)))] * len(A), [[f] for f in range(len(B))]


def _with_axis_of(A: list[Array], A_dependencies: list[list[int]], C: list[Any]) -> list[Any]:
    """Give preferences (steps, num_obs) an axis of agents where the modality's A has none."""
    arrays = [floats(c, f"C[{m}]") for m, c in enumerate(C)]
    return [
        c[None] if c.ndim == 2 and a.ndim == len(factors) + 1 else c
        for a, factors, c in zip(A, A_dependencies, arrays, strict=True)
    ]


def _action_dependencies(lists: Any, num_factors: int, count: int) -> list[list[int]]:
    """Return lists of controls, one for each factor, as lists of ints; they may be empty."""
    name = "B_action_dependencies"
    lists = as_list(lists, name, "lists of int")
    if len(lists) != num_factors:
        raise ModelError(f"{name} must have {num_factors} lists, got {len(lists)}")
    return [integers(controls, f"{name}[{f}]", 0, count) for f, controls in enumerate(lists)]


def _check_exact(num_factors: int, A_lists: list[list[int]], B_lists: list[list[int]]) -> None:
    if num_factors != 1:
        raise ValueError("`exact` inference currently supports only a single hidden-state factor")
    if B_lists != [[0]] or any(factors != [0] for factors in A_lists):
        raise ValueError(
            "Exact inference requires single-factor self-dynamics only "
            "(i.e. B_dependencies == [[0]] and A_dependencies[m] == [0])"
        )


def reachability(H: Any, B: Any, threshold: Array, depth: int) -> list[Array]:
    for f, b in enumerate(B):
        if b.ndim != 4:
            raise ModelError(
                f"inductive inference from H needs factors that depend on themselves alone; "
                f"B[{f}] has shape {b.shape[1:]}"
            )
    return [backward_reachability(h, b, threshold, depth) for h, b in zip(H, B, strict=True)]


def agents_at(index: Any, batch_size: int) -> Array:
    """Return the numbers of the agents that an int, slice or array of int picks."""
    if not isinstance(index, int | slice):
        index = as_array(index, "index of agents")
        if index.dtype.kind not in "iub" or (index.dtype == bool and index.ndim == 0):
            raise TypeError(
                "index of agents must be an int, a slice or an array of int, got "
                f"{index.dtype} {index.shape}"
            )
    elif isinstance(index, bool):
        raise TypeError(f"index of agents must be an int, got {index}")
    numbers: Array = np.arange(batch_size)[index].reshape(-1)
    if not len(numbers):
        raise IndexError(f"no agents at {index} of {batch_size}")
    return numbers


def taken(array: Array, numbers: Array) -> Array:
    if array.strides[0] == 0 or array.shape[0] == 1:
        return np.broadcast_to(array[0], (len(numbers), *array.shape[1:]))
    return array[numbers]


# --- copies and comparison ------------------------------------------------------------------------


def state_of(agent: Mapping[str, Any]) -> dict[str, Any]:
    """Return what copies of an agent keep: arrays that all agents share once, nothing compiled."""
    state = {name: value for name, value in agent.items() if not name.startswith("_")}
    for name in (*ARRAYS, *PER_AGENT):
        state[name] = each(lambda array: np.ascontiguousarray(shared(array)), state[name])
    return state


def restored(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an agent that has a state of `state_of`."""
    batch = state["batch_size"]

    def of_agents(array: Array) -> Array:
        array = np.broadcast_to(array, (batch, *array.shape[1:])) if len(array) == 1 else array
        array.flags.writeable = False
        return array

    return {
        name: each(of_agents, value) if name in ARRAYS or name in PER_AGENT else value
        for name, value in state.items()
    }


def each(change: Callable[[Array], Array], value: Any) -> Any:
    """Change an array, those of a list or none."""
    if isinstance(value, list):
        return [None if a is None else change(a) for a in value]
    return None if value is None else change(value)


def same(x: Any, y: Any) -> bool:
    """Whether two nested dicts and lists of arrays and other values are equal."""
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        return np.array_equal(x, y)
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(same(x[name], y[name]) for name in x)
    if isinstance(x, list | tuple) and isinstance(y, list | tuple):
        return len(x) == len(y) and all(same(a, b) for a, b in zip(x, y, strict=True))
    return bool(x == y)
