"""Write ``pymdp_v0.npz``: episodes of pymdp 0.0.7.1's own Agent.

    python tests/golden/make_pymdp_v0.py

pymdp 0.0.7.1 needs NumPy below 2, so it cannot be installed beside the tests: this script
makes a virtual environment of its own, runs itself in there and removes it.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = ["inferactively-pymdp==0.0.7.1", "numpy==1.26.4"]
NUM_CASES = 120
STEPS = 4


def make_case(np, arrays, seed):
    """Return a random model for both agents, and its observations."""
    rng = np.random.default_rng(seed)
    num_factors, num_modalities = rng.integers(1, 4, size=2)
    num_states = [int(n) for n in rng.integers(2, 5, size=num_factors)]
    num_obs = [int(n) for n in rng.integers(1, 5, size=num_modalities)]
    num_controls = [int(n) for n in rng.integers(1, 4 if num_factors < 3 else 3, num_factors)]
    policy_len = int(rng.integers(1, 3))
    kind_A, kind_B, kind_D = rng.choice(arrays.KINDS, size=3)
    shapes_A = [(n, *num_states) for n in num_obs]
    shapes_B = [(n, n, u) for n, u in zip(num_states, num_controls, strict=True)]
    model = {
        "A": arrays.object_array(arrays.distribution(rng, s, kind_A) for s in shapes_A),
        "B": arrays.object_array(arrays.distribution(rng, s, kind_B) for s in shapes_B),
        "C": arrays.object_array(rng.normal(scale=2.0, size=n) for n in num_obs),
        "D": arrays.object_array(arrays.distribution(rng, (n,), kind_D) for n in num_states),
    }
    learning = seed % 3 == 0
    if learning:
        for name, shapes in (("pA", shapes_A), ("pB", shapes_B)):
            model[name] = arrays.object_array(rng.integers(1, 20, size=s) / 2.0 for s in shapes)
        model["pD"] = arrays.object_array(rng.integers(1, 5, size=n) / 2.0 for n in num_states)
    settings = {
        "policy_len": policy_len,
        "gamma": float(rng.choice([16.0, 1.0])),
        "alpha": float(rng.choice([16.0, 1.0])),
        "use_utility": bool(rng.integers(2)),
        "use_states_info_gain": bool(rng.integers(2)),
        "use_param_info_gain": bool(rng.integers(2)) and learning,
        "action_selection": ["deterministic", "stochastic"][seed % 2],
        "sampling_mode": ["marginal", "full"][seed // 2 % 2],
        "lr_pA": 0.5,
    }
    if seed % 4 == 3:
        settings["inference_algo"] = "MMP"
        settings["inference_horizon"] = int(rng.integers(1, 4))
        settings["policy_sep_prior"] = bool(rng.integers(2))
        settings["use_BMA"] = not settings["policy_sep_prior"]
        if settings["use_param_info_gain"]:
            del model["pB"]  # pymdp fails on its information gain with MMP
    return model, settings, arrays.observations(model, seed, STEPS)


def run_inside():
    """Step pymdp 0.0.7.1's agents and save what they do."""
    sys.path.insert(0, str(HERE.parent))
    import numpy as np
    import random_arrays as arrays
    from pymdp.agent import Agent

    numbers, shapes, cases = [], {}, []

    def save(case, name, values):
        arrays_ = [np.asarray(value, dtype=float) for value in values]
        numbers.extend(array.ravel() for array in arrays_)
        shapes[f"{case}/{name}"] = [array.shape for array in arrays_]

    for case in range(NUM_CASES):
        model, settings, observations = make_case(np, arrays, case)
        for name, value in model.items():
            save(case, name, value)
        agent = Agent(**model, **settings)
        before = None
        for t, observation in enumerate(observations):
            np.random.seed(t)
            qs = agent.infer_states(observation)
            if settings.get("inference_algo") == "MMP":
                qs = [np.concatenate([q for step in sequence for q in step]) for sequence in qs]
                save(case, f"{t}/F", [agent.F])
            save(case, f"{t}/qs", qs)
            q_pi, G = agent.infer_policies()
            save(case, f"{t}/policies", [q_pi, G, agent.sample_action()])
            if "pA" in model and settings.get("inference_algo") != "MMP":
                save(case, f"{t}/pA", agent.update_A(observation))
                if before is not None:
                    save(case, f"{t}/pB", agent.update_B(before))
                save(case, f"{t}/pD", agent.update_D(agent.qs))
            before = agent.qs
        cases.append({"settings": settings, "observations": observations})
    # one array and an index: a file per array would be mostly zip headers
    np.savez_compressed(
        HERE / "pymdp_v0.npz",
        numbers=np.concatenate(numbers),
        shapes=np.array(json.dumps(shapes)),
        cases=np.array(json.dumps(cases)),
    )


def main():
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        subprocess.run([python, __file__, "--inside"], check=True)


if __name__ == "__main__":
    if "--inside" in sys.argv:
        run_inside()
    else:
        main()
