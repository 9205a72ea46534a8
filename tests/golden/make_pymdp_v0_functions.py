"""Write ``pymdp_v0_functions.json``: results of pymdp 0.0.7.1's functions, and its names.

    python tests/golden/make_pymdp_v0_functions.py

Runs itself in an environment of its own, as ``make_pymdp_v0.py`` does. Only functions are
called here whose results could differ from those of pymdp.legacy's: tests compare the
others with pymdp.legacy itself.
"""

import inspect
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = ["utils", "maths", "learning", "inference", "control", "algos"]


def plain(value):
    """Return a result as lists and numbers, with the shapes of arrays."""
    import numpy as np

    if isinstance(value, np.ndarray) and value.dtype == object:
        return {"object": [plain(item) for item in value]}
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "values": value.ravel().tolist()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def calls(pymdp, arrays):
    """Yield names of functions and their results, for arguments that are made again each time.

    ``pymdp`` has the modules as attributes: those of 0.0.7.1, or ours in the test.
    """
    import numpy as np

    for seed in range(12):
        rng = np.random.default_rng(seed)
        num_states = [int(n) for n in rng.integers(2, 5, size=1 + seed % 3)]
        num_controls = [int(n) for n in rng.integers(1, 4, size=len(num_states))]
        num_obs = [int(n) for n in rng.integers(2, 5, size=1 + seed % 2)]
        policies = pymdp.control.construct_policies(num_states, num_controls, 1 + seed % 2)
        A = arrays.object_array(
            arrays.distribution(rng, (n, *num_states), "smooth") for n in num_obs
        )
        B = arrays.object_array(
            arrays.distribution(rng, (n, n, u), "smooth")
            for n, u in zip(num_states, num_controls, strict=True)
        )
        C = arrays.object_array(rng.normal(size=n) for n in num_obs)
        D = arrays.object_array(arrays.distribution(rng, (n,), "smooth") for n in num_states)
        qs = arrays.object_array(arrays.distribution(rng, (n,), "smooth") for n in num_states)
        ties = rng.integers(1, 3, size=len(policies)).astype(float)
        # a draw from p = 0.5 and from p = 0.5 + 1e-16 need not be the same: no ties
        smooth = arrays.distribution(rng, (len(policies),), "smooth")
        observation = [int(rng.integers(n)) for n in num_obs]
        for selection, q_pi in (
            ("deterministic", ties / ties.sum()),
            ("deterministic", smooth),
            ("stochastic", smooth),
        ):
            for name in (
                "sample_action",
                "_sample_action_test",
                "sample_policy",
                "_sample_policy_test",
            ):
                np.random.seed(seed)
                function = getattr(pymdp.control, name)
                yield name, function(q_pi, policies, num_controls, selection, 2.0)
        yield "spm_cross", pymdp.maths.spm_cross(rng.random(3), rng.random(1), rng.random((2, 1)))
        yield "spm_cross", pymdp.maths.spm_cross(rng.random((2, 1)))
        yield "spm_MDP_G", pymdp.maths.spm_MDP_G(A, qs)
        labels = {"observations": {"a": ["x", "y"]}, "states": {"b": ["x"], "c": ["y", "z"]}}
        yield "labels", pymdp.utils.get_model_dimensions_from_labels(labels)
        labels["actions"] = {"u": ["p", "q"], "v": ["r"]}
        yield "labels", pymdp.utils.get_model_dimensions_from_labels(labels)
        yield "dimensions", pymdp.utils.get_model_dimensions(A, B)
        np.random.seed(seed)
        yield "random_A_matrix", pymdp.utils.random_A_matrix(num_obs, num_states)
        yield "random_B_matrix", pymdp.utils.random_B_matrix(num_states, num_controls)
        yield "norm_dist", pymdp.utils.norm_dist(rng.random((3, 2, 2)))
        yield (
            "update_posterior_states",
            pymdp.inference.update_posterior_states(
                A, observation if len(observation) > 1 else observation[0], D
            ),
        )
        yield (
            "update_posterior_policies",
            pymdp.control.update_posterior_policies(qs, A, B, C, policies, gamma=4.0),
        )
        vectors = arrays.object_array(
            np.eye(n)[o] for n, o in zip(num_obs, observation, strict=True)
        )
        yield (
            "run_vanilla_fpi",
            pymdp.algos.run_vanilla_fpi(
                A, vectors if len(num_obs) > 1 else vectors[0], num_obs, num_states, prior=None
            ),
        )


def run_inside():
    """Call pymdp 0.0.7.1's functions and save what they return."""
    sys.path.insert(0, str(HERE.parent))
    import importlib

    import random_arrays as arrays

    modules = {name: importlib.import_module(f"pymdp.{name}") for name in MODULES}
    names = {
        module: sorted(
            name
            for name, value in vars(found).items()
            if not name.startswith("_")
            and (inspect.isfunction(value) or inspect.isclass(value))
            and value.__module__.startswith(found.__name__)
        )
        for module, found in modules.items()
    }
    results = [[name, plain(value)] for name, value in calls(type("pymdp", (), modules), arrays)]
    target = HERE / "pymdp_v0_functions.json"
    target.write_text(json.dumps({"names": names, "results": results}))


def main():
    from make_pymdp_v0 import REQUIREMENTS

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
