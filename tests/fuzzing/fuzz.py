"""Coverage-guided fuzzing with atheris: ``python tests/fuzzing/fuzz.py TARGET --seconds 600``.

Needs ``pip install atheris`` and, for errors of memory to be seen, a build with the address
sanitizer (CONTRIBUTING.md). A target may raise what the documentation says of bad input
(`EXPECTED`); whatever else comes is a defect, printed with its input, and ends the command with 1.
Targets: model, observations, setters, load, pickle, interface (that of C).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import io
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

with atheris.instrument_imports(include=["freeagent_core"]):
    from freeagent_core import Agent, GenerativeModel, Population

import c_interface as c  # noqa: E402

EXPECTED = (
    *(ValueError, TypeError, NotImplementedError, FloatingPointError, IndexError),
    OverflowError,  # an index beyond 64 bits
)


class Source:
    """Values of every kind from the fuzzer's bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = atheris.FuzzedDataProvider(data)

    def integer(self, least: int, most: int) -> int:
        return self._data.ConsumeIntInRange(least, most)

    def choice(self, values: Any) -> Any:
        return values[self.integer(0, len(values) - 1)]

    def number(self) -> float:
        kind = self.integer(0, 7)
        if kind == 0:
            return self._data.ConsumeFloat()
        return (0.0, 1.0, 0.5, -1.0, 1e-300, 5e-324, float("nan"), 1e308)[kind]

    def array(self, shape: tuple[int, ...]) -> Any:
        """Return probabilities, or something that is not quite."""
        rng = np.random.default_rng(self.integer(0, 2**32 - 1))
        array = rng.random(shape) * (rng.random(shape) < self.choice([1.0, 0.5]))
        with np.errstate(all="ignore"):
            array = array / array.sum(axis=0)
        if self.integer(0, 3) == 0 and array.size:
            array.flat[self.integer(0, array.size - 1)] = self.number()
        kind = self.integer(0, 15)
        if kind == 0:
            return array.astype(self.choice(["f4", "i8", "?", "c16", "O", "U5"]))
        if kind == 1:
            return array.tolist()
        if kind == 2:
            return np.asfortranarray(array)
        if kind == 3:
            return array[..., ::-1]
        return array

    def shape(self, sizes: list[int]) -> tuple[int, ...]:
        """Return this shape, or one that is wrong."""
        if self.integer(0, 15):
            return tuple(sizes)
        wrong = [self.integer(0, 4) for _ in range(self.integer(0, 4))]
        return tuple(wrong)

    def odd(self) -> Any:
        """Return what is no observation, no array and no number."""
        return self.choice(
            [None, "x", b"x", [], {}, (), object(), -1, 2**63, 2**70, 1.5, True, [[0]], [None]]
            + [np.zeros(0), np.zeros((2, 2)), np.array("x"), np.array([2**62]), float("nan")]
        )


def objects(arrays: list[Any]) -> Any:
    made = np.empty(len(arrays), dtype=object)
    for i, array in enumerate(arrays):
        made[i] = array
    return made


def arguments(source: Source) -> dict[str, Any]:
    """Return a model's arguments, most of them right."""
    states = [source.integer(1, 4) for _ in range(source.integer(1, 3))]
    outcomes = [source.integer(1, 4) for _ in range(source.integer(1, 3))]
    controls = [source.integer(1, 3) for _ in states]
    given: dict[str, Any] = {
        "A": objects([source.array(source.shape([n, *states])) for n in outcomes]),
        "B": objects(
            [source.array(source.shape([n, n, u])) for n, u in zip(states, controls, strict=True)]
        ),
        "policy_len": source.integer(1, 2),
    }
    makers: dict[str, Callable[[], Any]] = {
        "C": lambda: objects([source.array(source.shape([n])) for n in outcomes]),
        "D": lambda: objects([source.array(source.shape([n])) for n in states]),
        "E": lambda: source.array((int(np.prod(controls)) ** given["policy_len"],)),
        "H": lambda: objects([source.array(source.shape([n])) for n in states]),
        "pA": lambda: objects([source.array((n, *states)) for n in outcomes]),
        "pB": lambda: objects(
            [source.array((n, n, u)) for n, u in zip(states, controls, strict=True)]
        ),
        "pD": lambda: objects([source.array((n,)) for n in states]),
        "A_factor_list": lambda: [[source.integer(-1, 3)] for _ in outcomes],
        "B_factor_list": lambda: [[source.integer(-1, 3)] for _ in states],
        "policies": lambda: [
            np.array([[source.integer(-1, 3) for _ in states] for _ in range(source.integer(0, 3))])
            for _ in range(source.integer(0, 4))
        ],
        "gamma": source.number,
        "alpha": source.number,
        "inference_horizon": lambda: source.integer(-1, 4),
        "inference_algo": lambda: source.choice(["VANILLA", "MMP", "x", None]),
        "action_selection": lambda: source.choice(["stochastic", "deterministic", "x"]),
        "sampling_mode": lambda: source.choice(["full", "marginal", "x"]),
        "sophisticated": lambda: bool(source.integer(0, 1)),
        "use_param_info_gain": lambda: bool(source.integer(0, 1)),
        "modalities_to_learn": lambda: [source.integer(-1, 3)],
        "factors_to_learn": lambda: [source.integer(-1, 3)],
        "control_fac_idx": lambda: [source.integer(-1, 3)],
        "num_controls": lambda: [source.integer(-1, 4) for _ in states],
        "lr_pA": source.number,
        "si_horizon": lambda: source.integer(-1, 3),
        "ii_depth": lambda: source.integer(-1, 3),
        "inference_params": lambda: {source.choice(["num_iter", "dF", "x"]): source.number()},
        "save_belief_hist": lambda: bool(source.integer(0, 1)),
    }
    for name, make in makers.items():
        if source.integer(0, 5) == 0:
            given[name] = source.odd() if source.integer(0, 15) == 0 else make()
    return given


def observation(source: Source, model: Any) -> Any:
    kind = source.integer(0, 7)
    right = [source.integer(0, n - 1) for n in model.num_obs]
    if kind == 0:
        return source.odd()
    if kind == 1:
        return [source.integer(-2, 5) for _ in range(source.integer(0, 4))]
    if kind == 2:
        return objects([source.array(source.shape([n])) for n in model.num_obs])
    if kind == 3:
        return tuple(np.eye(n)[k] for n, k in zip(model.num_obs, right, strict=True))
    return right


def model(source: Source) -> None:
    """Packing, and a step of what was packed."""
    made = GenerativeModel(**arguments(source))
    agent = Agent.from_model(made)
    agent.step([0] * made.num_modalities)
    population = Population(made, 2, num_threads=1, seed=0)
    population.step(np.zeros((2, made.num_modalities), int))


def plain(source: Source) -> Any:
    """Return an agent of a small model, with parameters to learn."""
    A, B = np.full((3, 2, 2), 1 / 3), np.full((2, 2, 2), 0.5)
    kind = source.integer(0, 2)
    extra: dict[str, Any] = {"inference_algo": "MMP"} if kind == 1 else {}
    if kind == 2:
        extra = {"save_belief_hist": True, "policy_len": 2}
    return Agent(
        objects([A, A]), objects([B, B]), pA=objects([A, A]), pB=objects([B, B]),
        pD=objects([np.ones(2), np.ones(2)]), **extra,
    )  # fmt: skip


def observations(source: Source) -> None:
    """Every call that takes an observation or beliefs."""
    agent = plain(source)
    population = Population(agent.model, 2, num_threads=1, seed=0)
    for _ in range(source.integer(1, 6)):
        call = source.integer(0, 8)
        try:
            seen = observation(source, agent.model)
            if call <= 1:
                agent.step(seen, bool(source.integer(0, 1)))
            elif call == 2:
                agent.infer_states(seen)
            elif call == 3:
                agent.infer_policies()
                agent.sample_action()
            elif call == 4:
                agent.update_A(seen)
            elif call == 5:
                agent.update_B(objects([source.array(source.shape([2])) for _ in range(2)]))
            elif call == 6:
                agent.update_D(objects([source.array(source.shape([2])) for _ in range(2)]))
            elif call == 7:
                population.step([seen, seen] if source.integer(0, 1) else source.odd())
            else:
                mask = source.odd() if source.integer(0, 1) else np.array([True, False])
                population.step(np.zeros((2, 2), int), mask=mask)
        except EXPECTED:
            continue
        except AttributeError as error:  # what pymdp has not set yet either
            if "before" not in str(error) and "set" not in str(error):
                raise


NAMES = ["A", "B", "C", "D", "E", "pA", "pB", "pD", "qs", "q_pi", "G", "action", "gamma", "alpha"]
NAMES += ["policies", "prev_actions", "curr_timestep", "modalities_to_learn", "lr_pA", "H", "I"]
NAMES += ["inference_params", "factors_to_learn", "qs_hist", "si_horizon", "use_utility"]


def setters(source: Source) -> None:
    """Attributes are assigned anything; what is accepted must be safe to step with."""
    agent = plain(source)
    for _ in range(source.integer(1, 5)):
        name = source.choice(NAMES)
        kind = source.integer(0, 5)
        value: Any = source.odd()
        if kind == 1:
            value = objects([source.array(source.shape([3, 2, 2])) for _ in range(2)])
        elif kind == 2:
            value = objects([source.array(source.shape([2])) for _ in range(2)])
        elif kind == 3:
            value = source.array(source.shape([source.integer(0, 5)]))
        elif kind == 4:
            value = source.number()
        elif kind == 5:
            value = objects([source.array(source.shape([2, 2, 2])) for _ in range(2)])
        try:
            setattr(agent, name, value)
            agent.step([0, 0])
            agent.update_A([0, 0])
        except EXPECTED:
            continue
        except AttributeError as error:
            if name not in ("prev_actions", "curr_timestep", "qs_hist") and "set" not in str(error):
                raise


def saved() -> tuple[Any, bytes]:
    shared = GenerativeModel(np.eye(2), np.eye(2)[:, :, None], pA=np.ones((2, 2)))
    population = Population(shared, 2, seed=0)
    population.step([0, 1])
    population.update_A([0, 1])
    file = io.BytesIO()
    population.save(file)
    return shared, file.getvalue()


SHARED, FILE = saved()


def load(source: Source) -> None:
    """A saved file with bytes changed; checksums are made right again."""
    contents = bytearray(FILE)
    if source.integer(0, 1):
        for _ in range(source.integer(1, 8)):
            contents[source.integer(0, len(contents) - 1)] = source.integer(0, 255)
        file = io.BytesIO(bytes(contents[: source.integer(0, len(contents))]))
    else:
        file = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(FILE)) as before,
            zipfile.ZipFile(file, "w", source.choice([0, 0, 0, 8])) as after,
        ):
            for name in before.namelist():
                member = bytearray(before.read(name))
                for _ in range(source.integer(0, 2)):
                    member[source.integer(0, len(member) - 1)] = source.integer(0, 255)
                after.writestr(source.choice([name] * 9 + ["x", "../x"]), bytes(member))
        file.seek(0)
    population = Population.load(file, SHARED, num_threads=1)
    population.step([0, 1])
    population.update_A([0, 1])


def pickles(source: Source) -> None:
    """States of agents and models with values changed. (A pickle runs code by its nature: this
    is about states, not about untrusted files.)"""
    agent = plain(source)
    agent.step([0, 0])
    state = pickle.loads(pickle.dumps(agent.__getstate__()))
    part = state[source.choice(["attributes", "parameters", "core", "core"])]
    name = source.choice(sorted(part))
    part[name] = (
        source.odd()
        if source.integer(0, 1)
        else objects([source.array(source.shape([2])) for _ in range(2)])
    )
    other = Agent.__new__(Agent)
    try:
        other.__setstate__(state)
        other.step([0, 0])
        pickle.loads(pickle.dumps(other)).step([0, 0])
    except (AttributeError, KeyError):
        return  # an attribute of another kind


def handle_of(kind: str, *given: Any) -> int | None:
    """Return a new handle, or None where the interface says what is wrong."""
    handle = ctypes.c_void_p()
    checked(f"{kind}_new", getattr(c.api, f"{kind}_new")(*given, ctypes.addressof(handle)))
    return handle.value


def checked(name: str, code: int) -> None:
    """An error has a code of the header and a message."""
    if code == 0:
        return
    if not (min(c.ERRORS.values()) <= code < 0 and c.api.last_error() == code and c.api.message()):
        raise AssertionError(f"{name} returned {code}, last_error {c.api.last_error()}")


CALLED = [name for name in c.declared() if name.split("_")[0] in ("model", "agent", "population")]
CALLED = [name for name in CALLED if not name.endswith(("_new", "_python", "_free", "_sizes"))]
ENTRIES = 4096  # doubles behind each pointer: more than any right size here
COUNTS = (0, 1, 2, 3, 4, 6, 9, -1, 2**31, 2**62, 2**63 - 1, -(2**63))


def wrong_argument(source: Source, argument: Any) -> None:
    """Change what a caller may get wrong. Sizes of memory that is not there no callee can see."""
    kind = source.integer(0, 5)
    if kind == 0:
        argument.name = source.choice([None, b"", b"x", b"A", b"policies", b"gamma"])
    elif kind == 1:
        argument.item = source.choice([-1, 0, 1, 70, 2**62, -(2**63)])
    elif kind == 2:
        argument.ndim = source.choice([-1, 0, argument.ndim - 1, 2**31 - 1])
    elif kind == 3 and argument.ndim > 0:
        shape = (ctypes.c_int64 * argument.ndim).from_address(argument.shape)
        shape[source.integer(0, argument.ndim - 1)] = source.choice([0, 1, -1, -(2**63)])
    elif kind == 4:
        argument.number = source.number()
    else:
        argument.data = None


def right_arguments(source: Source) -> dict[str, Any]:
    A, B = np.full((3, 2, 2), 1 / 3), np.full((2, 2, 2), 0.5)
    learned = {"pA": objects([A, A]), "pB": objects([B, B]), "pD": objects([np.ones(2)] * 2)}
    extra = source.choice(
        [{}, learned, {"policy_len": 3}, {"inference_algo": "MMP", "policy_len": 2}]
        + [{"sophisticated": True, "si_horizon": 2}, {"sampling_mode": "full", **learned}]
    )
    return {"A": objects([A, A]), "B": objects([B, B]), **extra}


def memory(source: Source) -> Any:
    array = np.full(ENTRIES, source.choice([0.0, 1.0, 1 / 3, np.nan, -np.inf, 1e300]))
    return array if source.integer(0, 1) else np.full(ENTRIES, source.integer(-1, 3))


def interface(source: Source) -> None:
    """The C interface: models of arrays that are not quite right, then calls with pointers, sizes
    and handles of which some are wrong. Each returns 0 or an error with its message."""
    is_right = source.integer(0, 1)
    encoded, kept = c.as_arguments(right_arguments(source) if is_right else arguments(source))
    if not is_right and source.integer(0, 3) == 0:
        wrong_argument(source, encoded[source.integer(0, len(encoded) - 1)])
    model = handle_of("model", ctypes.addressof(encoded), len(encoded))
    if model is None:
        return
    handles = {
        "model": model,
        "agent": handle_of("agent", model, source.integer(0, 9), 0),
        "population": handle_of("population", model, source.choice(COUNTS[:7]), 0, 0),
    }
    for _ in range(source.integer(1, 12)):
        name = source.choice(CALLED)
        handle = handles[name.split("_")[0]]
        if source.integer(0, 9) == 0:
            handle = source.choice([None, 1, 2**64 - 1, *handles.values()])
        given, count = [handle], source.choice(COUNTS[1:5])  # often the same for all
        for each in c.declared()[name][1:]:
            if each is ctypes.c_void_p:
                kept.append(memory(source))
                given.append(c.pointer(kept[-1]) if source.integer(0, 15) else None)
            elif each is ctypes.c_int:
                given.append(source.choice([0, 1, 2, 3, -1, 2**31 - 1]))
            else:
                given.append(source.choice(COUNTS) if source.integer(0, 5) == 0 else count)
        checked(name, getattr(c.api, name)(*given))
    for kind, handle in handles.items():
        checked(f"{kind}_free", getattr(c.api, f"{kind}_free")(handle))


TARGETS = {
    "interface": interface,
    "model": model,
    "observations": observations,
    "setters": setters,
    "load": load,
    "pickle": pickles,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    options, rest = parser.parse_known_args()
    target = TARGETS[options.target]

    def run(data: bytes) -> None:
        with np.errstate(all="ignore"), contextlib.suppress(*EXPECTED):
            target(Source(data))

    corpus = ROOT / ".fuzzing" / options.target
    os.makedirs(corpus, exist_ok=True)
    arguments = [sys.argv[0], f"-max_total_time={options.seconds}", "-rss_limit_mb=4096"]
    arguments += [
        "-timeout=60",
        "-max_len=4096",
        "-len_control=20",
        f"-artifact_prefix={corpus}-",
        str(corpus),
        *rest,
    ]
    atheris.Setup(arguments, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
