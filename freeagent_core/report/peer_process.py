"""The process in which peers are measured: ``python -m freeagent_core.report.peer_process``.

JAX keeps threads and memory, and compiling may take any time: so it has a process of its own,
which `peers` ends when its time is up. A request comes by stdin, results go out by stdout, a
line of JSON each. Both sides are measured here in rounds that alternate, in environments of
their own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pickle
import sys
import threading
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from freeagent_core.model import GenerativeModel
from freeagent_core.report.environment import IntArray
from freeagent_core.report.rounds import measure
from freeagent_core.report.ways import Agents, Loop, Populated, Way

MAX_BYTES = 4 << 30
MAX_POLICIES = 200_000
# what the jitted step below covers of an agent's arguments; others are left out by name
JITTED = {"A", "B", "C", "D", "policy_len", "gamma", "alpha", "A_factor_list", "B_factor_list"}
DEFAULTS: dict[str, Any] = {
    "inference_algo": "VANILLA",
    "inference_horizon": 1,
    "use_utility": True,
    "use_states_info_gain": True,
    "use_param_info_gain": False,
    "action_selection": "deterministic",
    "sampling_mode": "marginal",
    "sophisticated": False,
    "pymdp_version": "legacy",
}
# of no influence on what is measured: no learning, one iteration algorithm
IGNORED = {
    "control_fac_idx", "inference_params", "modalities_to_learn", "factors_to_learn", "lr_pA",
    "lr_pB", "lr_pD", "use_BMA", "policy_sep_prior", "save_belief_hist", "si_horizon",
    "si_policy_prune_threshold", "si_state_prune_threshold", "si_prune_penalty", "num_controls",
    "ii_depth", "ii_threshold",
}  # fmt: skip


class Legacy:
    """One agent of pymdp.legacy."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        reference = importlib.import_module("pymdp.legacy.agent").Agent
        given = {k: v for k, v in arguments.items() if k != "pymdp_version"}
        self.agent = reference(**given)

    def resize(self, size: int) -> None:
        assert size == 1

    def begin_episode(self, size: int) -> None:
        self.agent.reset()
        self.agent.action = None

    def prepare(self, observations: IntArray) -> list[int]:
        seen: list[int] = observations[0].tolist()
        return seen

    def tick(self, prepared: Any) -> Any:
        self.agent.infer_states(prepared)
        self.agent.infer_policies()
        return self.agent.sample_action()

    def actions(self, results: Any) -> npt.NDArray[Any]:
        return np.asarray(results)[None]

    def close(self) -> None:
        """Nothing is to be ended."""


class Jitted:
    """A batch of pymdp 1.x's agents and their jitted step."""

    def __init__(self, arguments: dict[str, Any], size: int) -> None:
        equinox = importlib.import_module("equinox")
        self.jax: Any = importlib.import_module("jax")
        array = self.jax.numpy.asarray
        options: dict[str, Any] = {}
        for ours, theirs in (
            ("A_factor_list", "A_dependencies"),
            ("B_factor_list", "B_dependencies"),
        ):
            if arguments.get(ours) is not None:
                options[theirs] = arguments[ours]
        for name in ("C", "D"):
            if arguments.get(name) is not None:
                options[name] = [array(each) for each in arguments[name]]
        self.agent = importlib.import_module("pymdp.agent").Agent(
            [array(A_m) for A_m in arguments["A"]],
            [array(B_f) for B_f in arguments["B"]],
            policy_len=arguments.get("policy_len", 1),
            gamma=arguments.get("gamma", 16.0),
            alpha=arguments.get("alpha", 16.0),
            num_iter=10,  # pymdp.legacy's
            sampling_mode="marginal",
            batch_size=size,
            **options,
        )

        def step(agent: Any, observations: Any, prior: Any) -> Any:
            qs = agent.infer_states(observations, prior)
            q_pi, _ = agent.infer_policies(qs)
            action = agent.sample_action(q_pi)
            return action, agent.update_empirical_prior(action, qs)

        self.step = equinox.filter_jit(step)

    def resize(self, size: int) -> None:
        """The batch has a size of its own."""

    def begin_episode(self, size: int) -> None:
        self.prior = self.agent.D

    def prepare(self, observations: IntArray) -> Any:
        array = self.jax.numpy.asarray
        return [array(column[:, None]) for column in observations.T]

    def tick(self, prepared: Any) -> Any:
        action, prior = self.jax.block_until_ready(self.step(self.agent, prepared, self.prior))
        # what update_empirical_prior returns differs between releases: (prior, qs) or prior
        self.prior = prior[0] if isinstance(prior, tuple) else prior
        return action

    def actions(self, results: Any) -> npt.NDArray[Any]:
        return np.asarray(results)

    def close(self) -> None:
        """Nothing is to be ended."""


def not_jitted(arguments: dict[str, Any]) -> str:
    """Return what of the arguments the jitted step does not cover; empty if it covers all."""
    for name, value in arguments.items():
        if name in JITTED | IGNORED or value is None:
            continue
        if name not in DEFAULTS or value != DEFAULTS[name]:
            return name
    if arguments.get("C") is not None and any(np.ndim(C_m) > 1 for C_m in arguments["C"]):
        return "C with an axis of time"
    return ""


def bytes_of_policies(model: GenerativeModel) -> int:
    """Return what predicted beliefs and outcomes of all policies take in float32."""
    columns = sum(model.num_states) + sum(model.num_obs) + 64
    return 4 * len(model.policy_arrays) * model.policy_len * columns


def send(**line: Any) -> None:
    """Write a line."""
    print(json.dumps(line), file=sys.__stdout__, flush=True)


def compare(
    peer: str, ours: Way, theirs: Way, model: GenerativeModel, size: int, request: dict[str, Any]
) -> None:
    """Measure both sides and send their rounds."""
    ours.resize(size)
    rounds = measure(
        {"ours": ours, "theirs": theirs},
        model,
        size,
        request["seconds"],
        request["min_rounds"],
        in_step=False,
    )
    send(
        peer=peer,
        size=size,
        ours=rounds["ours"].seconds,
        theirs=rounds["theirs"].seconds,
        ticks=[rounds["ours"].ticks, rounds["theirs"].ticks],
    )


def measure_legacy(request: dict[str, Any], model: GenerativeModel) -> None:
    """Measure pymdp.legacy, one agent."""
    if model.pymdp_version != "legacy":
        send(peer="pymdp.legacy", reason="not measured: the model has another pymdp_version")
        return
    if len(model.policy_arrays) > MAX_POLICIES:
        count = len(model.policy_arrays)
        send(peer="pymdp.legacy", reason=f"not measured: {count:,} policies, each a list")
        return
    try:
        theirs = Legacy(request["arguments"])
    except ImportError as error:
        send(peer="pymdp.legacy", reason=f"not installed ({error})")
        return
    np.random.seed(0)
    compare("pymdp.legacy", Loop(Agents(model)), theirs, model, 1, request)


def measure_jitted(request: dict[str, Any], model: GenerativeModel) -> None:
    """Measure pymdp 1.x, jitted, at each batch size."""
    name = "pymdp 1.x, jitted"
    try:
        release = importlib.metadata.version("inferactively-pymdp")
        importlib.import_module("equinox")
        importlib.import_module("jax")
    except ImportError as error:
        send(peer=name, reason=f"not installed ({error})")
        return
    if int(release.split(".")[0]) < 1:
        send(peer=name, reason=f"not installed (inferactively-pymdp is {release})")
        return
    uncovered = not_jitted(request["arguments"])
    if uncovered:
        send(peer=name, reason=f"not measured: the model has {uncovered}")
        return
    for size in request["sizes"]:
        needed = size * bytes_of_policies(model)
        if needed > MAX_BYTES:
            send(peer=name, reason=f"not measured at {size}: some {needed / 2**30:,.1f} GiB")
            break
        begin = time.perf_counter()
        theirs = Jitted(request["arguments"], size)
        ours: Way = Loop(Agents(model)) if size == 1 else Populated(model)
        send(building=name, size=size, seconds=time.perf_counter() - begin)
        compare(name, ours, theirs, model, size, request)


def _end_with_parent() -> None:
    """End when the other side of stdin does, whatever ended it."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> None:
    """Serve one request."""
    request = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout = sys.stderr  # pymdp prints
    model = GenerativeModel(**request["arguments"])
    for name, part in (
        ("pymdp.legacy", measure_legacy),
        ("pymdp 1.x, jitted", measure_jitted),
    ):
        try:
            part(request, model)
        except Exception as error:  # a peer's failure is a line of the report
            send(peer=name, reason=f"failed: {type(error).__name__}: {str(error)[:200]}")


if __name__ == "__main__":
    main()
