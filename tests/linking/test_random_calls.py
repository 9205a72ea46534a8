"""Random calls with handles, sizes and memory of all kinds: each returns 0, or an error with a
message and nothing written."""

import ctypes
import random

import numpy as np
import pytest
from c_interface import ERRORS, Sizes, api, check, declared, new, new_model, pointer

from freeagent_core import Agent, GenerativeModel, Population

CALLS = 4000
B = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=0)], axis=-1)
NOISY = {"A": 0.7 * np.eye(3) + 0.1, "B": 0.7 * B + 0.1}
LEARNING = {"A": np.eye(3), "B": B, "pA": np.eye(3) + 0.1, "pB": B + 0.1, "pD": np.ones(3)}
ENTRIES = 512  # more than any size that is right here
COUNTS = (0, 1, 2, 3, 4, 6, 9, 20, 60, -1, 2**31, 2**62, 2**63 - 1, -(2**63))
MADE = [name for name in declared() if name.endswith(("_new", "_from_python", "_free"))]
CALLED = [name for name in declared() if name not in (*MADE, "last_error", "last_error_message")]


def _memory(rng):
    """Return an array that callers might pass: of numbers, or of the bytes of others."""
    return rng.choice(
        [np.zeros(ENTRIES), np.full(ENTRIES, np.nan), np.full(ENTRIES, -np.inf)]
        + [np.full(ENTRIES, 1 / 3), np.full(ENTRIES, 2**62), np.full(ENTRIES, -1)]
        + [np.arange(ENTRIES) % 3] * 4
    )


def _handles():
    models = [
        new_model(**LEARNING),
        new_model(**LEARNING, inference_algo="MMP", policy_len=2),
        new_model(**NOISY, policy_len=3),
    ]
    objects = [Agent(**LEARNING), Agent(**NOISY, inference_algo="MMP")]
    objects += [
        Population(GenerativeModel(**LEARNING), 3),
        Population(GenerativeModel(**NOISY), 20),
    ]
    handles = {
        "model": models,
        "agent": [new("agent_new", model, 0, 0) for model in models],
        "population": [new("population_new", model, 3, 0, 0) for model in models],
    }
    handles["agent"] += [new("agent_from_python", id(agent)) for agent in objects[:2]]
    handles["population"] += [new("population_from_python", id(made)) for made in objects[2:]]
    return handles, objects


def _wild(rng, handles):
    every = [handle for kind in handles.values() for handle in kind]
    return rng.choice(
        [None, 1, 2**63, 2**64 - 1, rng.getrandbits(64)]
        + [rng.choice(every), rng.choice(every) ^ (1 << rng.randrange(64))]
    )


def _arguments(name, rng, handles):
    """Return a call's arguments, and the memory behind its pointers."""
    kind = name.split("_")[0]
    handle = rng.choice(handles[kind]) if rng.random() < 0.8 else _wild(rng, handles)
    arguments, memory = [handle], []
    count = rng.choice(COUNTS)  # often the same for all
    for each in declared()[name][1:]:
        if each is ctypes.c_void_p and rng.random() < 0.9:
            memory.append(_memory(rng))
            arguments.append(pointer(memory[-1]))
        elif each is ctypes.c_void_p:
            arguments.append(None)
        elif each is ctypes.c_int:
            arguments.append(rng.choice([0, 1, 2, 3, -1, 2**31 - 1]))
        else:
            arguments.append(count if rng.random() < 0.8 else rng.choice(COUNTS))
    return arguments, memory


@pytest.mark.parametrize("seed", range(3))
def test_random_calls(seed):
    rng = random.Random(seed)
    handles, objects = _handles()
    successes = set()
    for _ in range(CALLS):
        name = rng.choice(CALLED)
        arguments, memory = _arguments(name, rng, handles)
        if name.endswith("_sizes") and arguments[1] is not None:
            sizes = Sizes(struct_size=rng.choice([ctypes.sizeof(Sizes), 0, -1, 39, 2**62]))
            arguments[1] = ctypes.addressof(sizes)
        elif name.endswith("_to_python") and arguments[1] is not None:
            made = ctypes.py_object()
            arguments[1] = ctypes.addressof(made)
        before = [array.copy() for array in memory]
        code = getattr(api, name)(*arguments)
        if code == 0:
            successes.add(name)
            continue
        assert min(ERRORS.values()) <= code < 0, (name, arguments, code)
        assert api.last_error() == code
        assert api.message()
        for array, kept in zip(memory, before, strict=True):
            assert array.tobytes() == kept.tobytes(), (name, arguments)
    assert len(successes) > 0.7 * len(CALLED)
    assert len(objects) == 4  # which the handles of Python's objects need
    for kind, each in handles.items():
        for handle in each:
            check(getattr(api, f"{kind}_free")(handle))
