"""The same from pymdp, where it is installed: its NumPy functions and its jitted ones."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from freeagent_core.bench.model_cases import SWEEPS, objects

Call = Callable[[], Any]


def legacy(name: str, arrays: dict[str, Any]) -> Call | None:
    """Return pymdp.legacy's function of a kernel on the arrays of a problem, or None.

    Raises
    ------
    ImportError
        Where pymdp is not installed.
    """
    maths, control, learning, algos, utils = (
        importlib.import_module(f"pymdp.legacy.{module}")
        for module in ("maths", "control", "learning", "algos", "utils")
    )
    a, own = arrays, [[0]]
    one = {key: objects([a[key]]) for key in ("A", "B", "C", "pA", "pB", "q", "prior") if key in a}

    def vectors(A: Any, seen: list[int]) -> Any:
        return objects(utils.onehot(o, len(array)) for o, array in zip(seen, A, strict=True))

    def three(compute_vfe: bool) -> Call:
        lists = {"A_factor_list": [[0, 1, 2]] * 2, "A_modality_list": [[0, 1]] * 3}
        sizes = [len(p) for p in a["prior"]]
        seen = vectors(a["A"], [1, 2])
        return lambda: algos.run_vanilla_fpi_factorized(
            a["A"], seen, [4, 4], sizes, lists, prior=a["prior"], num_iter=SWEEPS,
            compute_vfe=compute_vfe,
        )  # fmt: skip

    def free_energy() -> Any:
        LL = np.log(a["A"][0][1] + 1e-16) + np.log(a["A"][1][2] + 1e-16)
        return maths.calc_free_energy(a["qs"], maths.spm_log_obj_array(a["prior"]), 3, LL)

    def single() -> Any:
        lists = {"A_factor_list": own, "A_modality_list": own}
        n = len(a["q"])
        seen = vectors(one["A"], [1])
        return algos.run_vanilla_fpi_factorized(one["A"], seen, [n], [n], lists, one["prior"])

    def messages() -> Any:
        lists = {"A_factor_list": own, "A_modality_list": own}
        seen = [objects([a["A"][o]]) for o in (0, 1)]
        return algos.run_mmp_factorized(
            seen, lists, one["B"], own, np.zeros((1, 1), int), np.zeros((1, 1), int), one["prior"],
            num_iter=SWEEPS,
        )  # fmt: skip

    action = np.array([[1]])
    calls: dict[str, Callable[[], Call]] = {
        "log_eps": lambda: lambda: maths.spm_log_single(a["x"]),
        "softmax": lambda: lambda: maths.softmax(a["x"]),
        "joint_belief": lambda: lambda: maths.spm_cross(objects(a["qs"])),
        "predicted_states": lambda: (
            lambda: control.get_expected_states_interactions(one["q"], one["B"], own, action)
        ),
        "predicted_outcomes": lambda: (
            lambda: control.get_expected_obs_factorized([one["q"]], one["A"], own)
        ),
        "update_beliefs": lambda: single,
        "fixed_point_iteration": lambda: three(False),
        "free_energy": lambda: free_energy,
        "pass_messages": lambda: messages,
        "expected_utility": lambda: (
            lambda: control.calc_expected_utility(
                control.get_expected_obs_factorized([one["q"]], one["A"], own), one["C"]
            )
        ),
        "states_info_gain": lambda: (
            lambda: control.calc_states_info_gain_factorized(one["A"], [one["q"]], own)
        ),
        "pA_info_gain": lambda: (
            lambda: control.calc_pA_info_gain_factorized(
                one["pA"],
                control.get_expected_obs_factorized([one["q"]], one["A"], own),
                [one["q"]],
                own,
            )
        ),
        "pB_info_gain": lambda: (
            lambda: control.calc_pB_info_gain_interactions(
                one["pB"], [objects([a["predicted"]])], one["q"], own, action
            )
        ),
        "inductive_cost": lambda: (
            lambda: control.calc_inductive_cost(
                objects([a["q"]]), [objects([a["predicted"]])], [a["I"]]
            )
        ),
        "evaluate_policies": lambda: (
            lambda: control.update_posterior_policies_factorized(
                one["q"], one["A"], one["B"], one["C"], own, own, a["model"].policies
            )
        ),
        "update_A": lambda: (
            lambda: learning.update_obs_likelihood_dirichlet_factorized(
                one["pA"], one["A"], vectors(one["A"], [1]), one["q"], own
            )
        ),
        "update_B": lambda: (
            lambda: learning.update_state_likelihood_dirichlet_interactions(
                one["pB"], one["B"], np.array([1]), one["q"], one["prior"], own
            )
        ),
        "update_D": lambda: (
            lambda: learning.update_state_prior_dirichlet(objects([a["pD"]]), objects([a["q"]]))
        ),
        "sample": lambda: lambda: utils.sample(a["p"]),
        "choose": lambda: lambda: control.select_highest(a["p"]),
    }
    return calls[name]() if name in calls else None


def jitted(name: str, arrays: dict[str, Any]) -> Call | None:
    """Return pymdp 1.x's jitted function of a kernel, or None; in float32, JAX's default.

    Raises
    ------
    ImportError
        Where pymdp 1.x is not installed.
    """
    jax = importlib.import_module("jax")
    jnp = importlib.import_module("jax.numpy")
    maths, control, learning, algos = (
        importlib.import_module(f"pymdp.{module}")
        for module in ("maths", "control", "learning", "algos")
    )
    a, own = arrays, [[0]]

    def arrays_of(value: Any) -> Any:
        return [jnp.asarray(array, dtype=jnp.float32) for array in value]

    def onehots(A: Any, seen: list[int]) -> Any:
        return arrays_of(np.eye(len(array))[o] for o, array in zip(seen, A, strict=True))

    def ready(function: Callable[..., Any], *given: Any) -> Call:
        compiled = jax.jit(function)
        return lambda: jax.block_until_ready(compiled(*given))

    def one(*names: str) -> list[Any]:
        return [arrays_of([a[key]]) for key in names]

    def outcomes(q: Any, A: Any) -> Any:
        return control.compute_expected_obs(q, A, own)

    every = [[0, 1, 2]] * 2
    calls: dict[str, Callable[[], Call]] = {
        "log_eps": lambda: ready(maths.log_stable, jnp.asarray(a["x"], jnp.float32)),
        "softmax": lambda: ready(jax.nn.softmax, jnp.asarray(a["x"], jnp.float32)),
        "entropy": lambda: ready(maths.stable_entropy, jnp.asarray(a["x"], jnp.float32)),
        "joint_belief": lambda: ready(maths.multidimensional_outer, arrays_of(a["qs"])),
        "predicted_states": lambda: ready(
            lambda q, B: control.compute_expected_state(q, B, [1], own), *one("q", "B")
        ),
        "predicted_outcomes": lambda: ready(outcomes, *one("q", "A")),
        "update_beliefs": lambda: ready(
            lambda A, o, p: algos.run_factorized_fpi(A, o, p, own, num_iter=1),
            arrays_of([a["A"]]), onehots([a["A"]], [1]), arrays_of([a["prior"]]),
        ),
        "fixed_point_iteration": lambda: ready(
            lambda A, o, p: algos.run_factorized_fpi(A, o, p, every, num_iter=SWEEPS),
            arrays_of(a["A"]), onehots(a["A"], [1, 2]), arrays_of(a["prior"]),
        ),
        "expected_utility": lambda: ready(
            lambda q, A, C: control.compute_expected_utility(outcomes(q, A), C),
            *one("q", "A", "C"),
        ),
        "states_info_gain": lambda: ready(
            lambda q, A: control.compute_info_gain(q, outcomes(q, A), A, own), *one("q", "A")
        ),
        "pA_info_gain": lambda: ready(
            lambda p, q, A: -control.calc_negative_pA_info_gain(p, outcomes(q, A), q, own),
            *one("pA", "q", "A"),
        ),
        "pB_info_gain": lambda: ready(
            lambda p, after, before: control.calc_negative_pB_info_gain(
                p, after, before, own, [1]
            ),
            *one("pB", "predicted", "q"),
        ),
        "inductive_cost": lambda: ready(
            control.calc_inductive_value_t, *one("q", "predicted", "I")
        ),
        "evaluate_policies": lambda: ready(
            lambda q, A, B, C, E: control.update_posterior_policies(
                jnp.asarray(a["model"].policies), q, A, B, C, E, None, None, own, own
            ),
            *one("q", "A", "B", "C"),
            jnp.full(len(a["model"].policies), 1.0 / len(a["model"].policies)),
        ),
        "update_A": lambda: ready(
            lambda p, o, q: learning.update_obs_likelihood_dirichlet_m(p, o, q, [0])[0],
            jnp.asarray(a["pA"], jnp.float32), onehots([a["A"]], [1])[0][None],
            [jnp.asarray(a["q"], jnp.float32)[None]],
        ),
        "update_B": lambda: ready(
            lambda p, u, q, b: learning.update_state_transition_dirichlet_f(p, u, [q, b])[0],
            jnp.asarray(a["pB"], jnp.float32), jnp.eye(a["pB"].shape[-1])[1][None],
            jnp.asarray(a["q"], jnp.float32)[None], jnp.asarray(a["prior"], jnp.float32)[None],
        ),
        "action_marginals": lambda: ready(
            lambda q: control.get_marginals(q, jnp.asarray(a["policies"]), [4]),
            jnp.asarray(a["q_pi"], jnp.float32),
        ),
    }  # fmt: skip
    return calls[name]() if name in calls else None
