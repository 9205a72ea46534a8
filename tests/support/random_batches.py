"""Random batches of agents, as keyword arguments of pymdp 1.x's ``Agent``.

What pymdp compiles for (shapes, dependencies, settings) hangs on one seed, the numbers on
another: a structure is compiled once for many models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from random_arrays import KINDS, distribution, subset


def random_batch(algorithm: str, structure_seed: int, seed: int) -> dict[str, Any]:
    """Return a batch of 1 to 4 agents of 1 to 3 factors and modalities.

    Arrays are shared or per agent; dependencies, several controls a factor, time-dependent C,
    own policies, E, H, pA, pB and the flags come and go.
    """
    rng, numbers = np.random.default_rng(structure_seed), np.random.default_rng(seed)

    def perhaps(chance: float = 0.5) -> bool:
        return bool(rng.random() < chance)

    batch = int(rng.integers(1, 5))
    num_factors = 1 if algorithm == "exact" else int(rng.integers(1, 4))
    num_obs = [int(n) for n in rng.integers(1, 5, rng.integers(1, 4))]
    num_states = [int(n) for n in rng.integers(2, 5, num_factors)]
    num_controls = [int(n) for n in rng.integers(1, 4 if num_factors < 3 else 3, num_factors)]
    A_lists = [list(range(num_factors)) for _ in num_obs]
    B_lists = [[f] for f in range(num_factors)]
    if perhaps():
        A_lists = [subset(rng, num_factors) for _ in num_obs]
    # pymdp smooths one parent alone
    if algorithm not in ("ovf", "exact") and perhaps():
        B_lists = [
            [int(k) for k in rng.permutation(sorted({f, *subset(rng, num_factors)}))]
            for f in range(num_factors)
        ]
    controls = [[f] for f in range(num_factors)]
    model: dict[str, Any] = {
        "batch_size": batch,
        "inference_algo": algorithm,
        "A_dependencies": A_lists,
        "B_dependencies": B_lists,
        "num_iter": int(rng.choice([1, 3, 16])),
        "policy_len": int(rng.integers(1, 3)),
    }
    if perhaps(0.25):
        controls = [subset(rng, num_factors) if perhaps(0.8) else [] for _ in num_states]
        model |= {"B_action_dependencies": controls, "num_controls": num_controls}
    axis_A, axis_B = perhaps(), perhaps()
    shapes_A = [(n, *(num_states[f] for f in fs)) for n, fs in zip(num_obs, A_lists, strict=True)]
    shapes_B = [
        (n, *(num_states[f] for f in fs), *(num_controls[c] for c in cs))
        for n, fs, cs in zip(num_states, B_lists, controls, strict=True)
    ]

    def arrays(shapes: list[tuple[int, ...]], axis: bool, kinds: tuple[str, ...]) -> list[Any]:
        kind = str(numbers.choice(kinds))
        if not axis:
            return [distribution(numbers, shape, kind) for shape in shapes]
        return [np.stack([distribution(numbers, s, kind) for _ in range(batch)]) for s in shapes]

    model["A"], model["B"] = arrays(shapes_A, axis_A, KINDS), arrays(shapes_B, axis_B, KINDS)
    num_policies = int(np.prod(num_controls)) ** model["policy_len"]
    if perhaps():
        steps = [(model["policy_len"],) if perhaps(0.3) else () for _ in num_obs]
        model["C"] = [
            numbers.normal(scale=2.0, size=(*((batch,) if axis_A else ()), *s, n))
            for n, s in zip(num_obs, steps, strict=True)
        ]
    if perhaps():
        model["D"] = arrays([(n,) for n in num_states], axis_B, ("smooth",))
    if "B_action_dependencies" not in model and perhaps(0.25):
        num_policies = int(rng.integers(1, 6))
        shape = (num_policies, model["policy_len"])
        model["policies"] = np.stack([rng.integers(0, n, shape) for n in num_controls], axis=-1)
    if perhaps():
        model["E"] = distribution(numbers, (num_policies,), "smooth")
    for name, shapes, axis in (("A", shapes_A, axis_A), ("B", shapes_B, axis_B)):
        if perhaps():
            model[f"p{name}"] = [a * numbers.integers(1, 9) for a in arrays(shapes, axis, KINDS)]
            model[f"learn_{name}"] = perhaps(0.7)
    model["use_param_info_gain"] = ("pA" in model or "pB" in model) and perhaps()
    model["use_utility"], model["use_states_info_gain"] = perhaps(0.7), perhaps(0.7)
    if all(len(fs) == 1 for fs in B_lists) and perhaps(0.3):
        model |= {
            "use_inductive": True,
            "H": [(numbers.random(n) < 0.4).astype(float) for n in num_states],
            "inductive_depth": int(rng.integers(1, 5)),
            "inductive_threshold": float(numbers.choice([0.0, 0.1, 0.6])),
        }
    model["gamma"], model["alpha"] = float(rng.choice([1.0, 16.0])), float(rng.choice([1.0, 4.0]))
    model["action_selection"] = str(rng.choice(["deterministic", "stochastic"]))
    model["sampling_mode"] = str(rng.choice(["full", "marginal"]))
    if algorithm in ("mmp", "vmp"):
        model["inference_horizon"] = [None, 2][int(perhaps(0.3))]
    return model
