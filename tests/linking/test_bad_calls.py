"""Whatever callers pass, the C interface returns an error with a message, and nothing changes."""

import ctypes
import threading

import numpy as np
import pytest
from c_interface import (
    ERRORS,
    QS,
    Argument,
    api,
    as_arguments,
    check,
    declared,
    new,
    new_model,
    pointer,
)

from freeagent_core import Agent
from freeagent_core.c_api import _C_API, function_address

BAD_HANDLE, BAD_ARGUMENT = ERRORS["BAD_HANDLE"], ERRORS["BAD_ARGUMENT"]
NOT_READY = ERRORS["NOT_READY"]
SIZE = 3
B = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=0)], axis=-1)
ARGUMENTS = {"A": np.eye(3), "B": B, "pA": np.eye(3), "pB": B, "pD": np.ones(3)}

FIRST = {"model": "model_sizes", "agent": "agent_infer_policies", "population": "population_reset"}
WITH_HANDLE = [name for name in declared() if name.split("_")[0] in FIRST and "from_" not in name]
WITH_HANDLE.remove("model_new")


@pytest.fixture
def handles():
    model = new_model(**ARGUMENTS)
    made = {
        "model": model,
        "agent": new("agent_new", model, 0, 0),
        "population": new("population_new", model, SIZE, 0, 0),
    }
    yield made
    for kind, handle in made.items():
        check(getattr(api, f"{kind}_free")(handle))


def kind_of(name):
    """Return which handle a function takes first."""
    return "model" if name.endswith("_new") else name.split("_")[0]


def nothing(name):
    """Return NULL and 0 for all arguments after the handle."""
    return [0] * (len(declared()[name]) - 1)


@pytest.mark.parametrize("name", WITH_HANDLE)
def test_bad_handles(name, handles):
    kind = kind_of(name)
    model = new_model(**ARGUMENTS)
    freed = model if kind == "model" else new(
        f"{kind}_new", model, *((0, 0) if kind == "agent" else (1, 0, 0))
    )  # fmt: skip
    check(getattr(api, f"{kind}_free")(freed))
    if kind != "model":
        check(api.model_free(model))
    block = np.zeros(64)
    others = [handle for other, handle in handles.items() if other != kind]
    wild = [1, 0xDEADBEEF, 2**63, 2**64 - 1, handles[kind] + 5000, handles[kind] ^ (1 << 40)]
    out = ctypes.c_void_p(7)
    for handle in [None, freed, block.ctypes.data, *others, *wild]:
        arguments = nothing(name)
        if name.endswith(("_new", "to_python")):
            arguments[-1] = ctypes.addressof(out)
        assert getattr(api, name)(handle, *arguments) == BAD_HANDLE, handle
        assert api.last_error() == BAD_HANDLE
        assert "NULL" in api.message() if handle is None else "freed" in api.message()
        assert out.value == 7  # nothing was written
    assert not block.any()


def test_a_slot_that_is_used_again():
    model = new_model(**ARGUMENTS)
    first = new("agent_new", model, 0, 0)
    check(api.agent_free(first))
    second = new("agent_new", model, 0, 0)
    assert second != first
    assert api.agent_infer_policies(first) == BAD_HANDLE
    assert api.agent_free(first) == BAD_HANDLE
    check(api.agent_infer_policies(second))
    check(api.agent_free(second))
    check(api.model_free(model))


SEEN, MASK, ACTIONS = (np.ones(SIZE, np.int64), np.ones(SIZE, np.uint8), np.zeros(SIZE, np.int64))
BELIEFS, VALUES = np.full((SIZE, 3), 1 / 3), np.zeros((SIZE, 3))


def beliefs_with(value):
    array = BELIEFS.copy()
    array[1, 2] = value
    return array


WRONG = [
    ("step", (None, 3, None, 0, ACTIONS, 3), "observations is NULL"),
    ("step", (SEEN, 2, None, 0, ACTIONS, 3), "observations must have 3 entries, got 2"),
    ("step", (SEEN, -1, None, 0, ACTIONS, 3), "observations must have 3 entries, got -1"),
    ("step", (SEEN, 3, MASK, 2, ACTIONS, 3), "mask must have 3 entries, got 2"),
    ("step", (SEEN, 3, None, 3, ACTIONS, 3), "mask is NULL"),
    ("step", (SEEN, 3, None, 0, None, 3), "actions is NULL"),
    ("step", (SEEN, 3, None, 0, ACTIONS, 4), "actions must have 3 entries, got 4"),
    ("step", (np.array([0, 3, 0]), 3, None, 0, ACTIONS, 3), "observations[1, 0] must be in 0 to 2"),
    ("step", (np.array([0, 1, -1]), 3, None, 0, ACTIONS, 3), "observations[2, 0] must be in"),
    ("step", (np.array([2**62, 1, 1]), 3, None, 0, ACTIONS, 3), "observations[0, 0] must be in"),
    ("infer_states", (None, 3, None, 0), "observations is NULL"),
    ("infer_states", (SEEN, 4, None, 0), "observations must have 3 entries"),
    ("infer_policies", (MASK, 4), "mask must have 3"),
    ("sample_action", (None, 0, None, 3), "actions is NULL"),
    ("reset", (MASK, 1), "mask must have 3"),
    ("update_A", (None, 3, None, 0), "observations is NULL"),
    ("update_A", (np.array([0, 0, 5]), 3, None, 0), "observations[2, 0]"),
    ("update_B", (None, 9, None, 0), "beliefs is NULL"),
    ("update_B", (BELIEFS, 8, None, 0), "beliefs must have 9 entries, got 8"),
    ("update_B", (beliefs_with(np.nan), 9, None, 0), "beliefs[1, 2] must be finite"),
    ("update_D", (beliefs_with(np.inf), 9, None, 0), "beliefs[1, 2] must be finite"),
    ("update_D", (beliefs_with(-0.5), 9, None, 0), "beliefs[1, 2] must be finite and not negative"),
    ("read", (0, None, 9), "values is NULL"),
    ("read", (0, VALUES, 8), "values must have 9 entries"),
    ("read", (7, VALUES, 9), "quantity is none of"),
    ("read", (-1, VALUES, 9), "quantity is none of"),
    ("borrow", (0, 1, VALUES), "factor is out of range"),
    ("borrow", (0, -1, VALUES), "factor is out of range"),
    ("borrow", (1, 1, VALUES), "factor is out of range"),
    ("borrow", (9, 0, VALUES), "quantity is none of"),
    ("borrow", (0, 0, None), "rows is NULL"),
    ("size", (None,), "size is NULL"),
    ("sizes", (None,), "sizes is NULL"),
    ("sizes", (VALUES,), "struct_size"),
    ("to_python", (None,), "object is NULL"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), WRONG)
def test_bad_arguments_of_a_population(name, arguments, message, handles):
    handle = handles["population"]
    check(api.population_step(handle, pointer(SEEN), 3, 0, 0, pointer(ACTIONS), 3))
    before = [np.empty((SIZE, 3)) for _ in range(2)]
    check(api.population_read(handle, QS, pointer(before[0]), 9))
    given = [pointer(a) if isinstance(a, np.ndarray) else a for a in arguments]
    assert getattr(api, f"population_{name}")(handle, *given) == BAD_ARGUMENT
    assert message in api.message()
    check(api.population_read(handle, QS, pointer(before[1]), 9))
    np.testing.assert_array_equal(*before)
    assert not VALUES.any()


@pytest.mark.parametrize("source", ["made", "python"])
def test_bad_arguments_of_an_agent(source, handles):
    agent = Agent(**ARGUMENTS)
    handle = handles["agent"] if source == "made" else new("agent_from_python", id(agent))
    seen, action, qs = np.array([1]), np.zeros(1, np.int64), np.full(3, 1 / 3)
    nan = np.array([0.5, np.nan, 0.5])
    for name, arguments, message in [
        ("step", (None, 1, pointer(action), 1), "is NULL"),
        ("step", (pointer(seen), 2, pointer(action), 1), "must have 1 entries, got 2"),
        ("step", (pointer(seen), 1, None, 1), "is NULL"),
        ("step", (pointer(seen), 1, pointer(action), 0), "must have 1 entries, got 0"),
        ("step", (pointer(seen + 5), 1, pointer(action), 1), "must be in 0 to 2"),
        ("infer_states", (pointer(seen - 9), 1), "must be in 0 to 2"),
        ("sample_action", (None, 1), "is NULL"),
        ("update_A", (pointer(seen), 0), "must have 1 entries"),
        ("update_D", (pointer(qs), 4), "must have 3 entries, got 4"),
        ("update_D", (None, 3), "is NULL"),
        ("update_D", (pointer(nan), 3), "must be finite"),
        ("read", (0, None, 3), "is NULL"),
        ("read", (0, pointer(qs), 2), "must have 3 entries, got 2"),
        ("read", (5, pointer(qs), 3), "quantity is none of"),
        ("sizes", (None,), "is NULL"),
    ]:
        assert getattr(api, f"agent_{name}")(handle, *arguments) == BAD_ARGUMENT, name
        assert message in api.message(), name
    if source == "python":
        assert agent.curr_timestep == 0
        assert agent.action is None
        check(api.agent_free(handle))


@pytest.mark.parametrize("source", ["made", "python"])
def test_calls_out_of_order(source, handles):
    agent = Agent(**ARGUMENTS)
    handle = handles["agent"] if source == "made" else new("agent_from_python", id(agent))
    action, qs = np.zeros(1, np.int64), np.full(3, 1 / 3)
    assert api.agent_sample_action(handle, pointer(action), 1) == NOT_READY
    assert "infer_policies" in api.message()
    assert api.agent_read(handle, 1, pointer(qs), 2) == NOT_READY
    assert api.agent_update_B(handle, pointer(qs), 3) == NOT_READY
    assert "sample_action" in api.message()
    if source == "python":
        check(api.agent_free(handle))


def test_learning_without_parameters():
    model = new_model(A=np.eye(3), B=B)
    agent, population = new("agent_new", model, 0, 0), new("population_new", model, SIZE, 0, 0)
    seen = np.array([1])
    for _ in range(2):
        assert api.agent_update_A(agent, pointer(seen), 1) == BAD_ARGUMENT
        assert "needs pA" in api.message()
    assert api.population_update_D(population, pointer(BELIEFS), 9, 0, 0) == BAD_ARGUMENT
    assert "needs pD" in api.message()
    check(api.population_step(population, pointer(SEEN), 3, 0, 0, pointer(ACTIONS), 3))
    for kind, handle in (("agent", agent), ("population", population), ("model", model)):
        check(getattr(api, f"{kind}_free")(handle))


def with_entry(array, value):
    array = np.array(array, dtype=float)
    array.flat[1] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"A": np.eye(3)}, "needs B"),
        ({**ARGUMENTS, "A": with_entry(np.eye(3), np.nan)}, "A[0]"),
        ({**ARGUMENTS, "B": with_entry(B, np.inf)}, "B[0]"),
        ({**ARGUMENTS, "A": np.eye(4)}, "A[0]"),
        ({**ARGUMENTS, "C": np.array([0.0, np.nan, 0.0])}, "C[0]"),
        ({**ARGUMENTS, "D": np.array([0.5, 0.2, 0.2])}, "D[0]"),
        ({**ARGUMENTS, "E": np.ones(3)}, "E"),
        ({**ARGUMENTS, "gamma": np.nan}, "gamma must be finite"),
        ({**ARGUMENTS, "gamma": "much"}, "gamma"),
        ({**ARGUMENTS, "policy_len": 0}, "policy_len"),
        ({**ARGUMENTS, "policy_len": 1.5}, "policy_len"),
        ({**ARGUMENTS, "use_utility": 2}, "use_utility must be 0 or 1"),
        ({**ARGUMENTS, "action_selection": "any"}, "action_selection"),
        ({**ARGUMENTS, "colour": 1}, "no argument 'colour'"),
        ({**ARGUMENTS, "inference_params.steps": 1}, "steps"),
        ({**ARGUMENTS, "A.rows": 1}, "A"),
        ({**ARGUMENTS, "A_factor_list": [[5]]}, "A_factor_list"),
    ],
)
def test_models_that_python_refuses(arguments, message):
    given, _kept = as_arguments(arguments)
    handle = ctypes.c_void_p()
    code = api.model_new(ctypes.addressof(given), len(given), ctypes.addressof(handle))
    assert code == BAD_ARGUMENT
    assert message in api.message()
    assert handle.value is None


def test_arguments_that_are_malformed():
    entries, shape = np.eye(3), np.array([3, 3], dtype=np.int64)

    def argument(**changes):
        fields = {"name": b"A", "item": 0, "kind": 2, "ndim": 2, "shape": pointer(shape)}
        return Argument(**{**fields, "data": pointer(entries), **changes})

    huge = np.array([2**40, 2**40], dtype=np.int64)
    for changed, message in [
        (argument(name=None), "name is NULL"),
        (argument(name=b"\xff\xfe"), "utf-8"),
        (argument(data=None), "data is NULL"),
        (argument(shape=None), "shape is NULL"),
        (argument(ndim=-1), "ndim must be in"),
        (argument(ndim=99), "ndim must be in"),
        (argument(kind=9), "kind is none of"),
        (argument(item=1), "not those from 0"),
        (argument(shape=pointer(huge)), "shape[1] must be positive, and all entries at most"),
        (argument(shape=pointer(-shape)), "shape[0] must be positive"),
        (argument(shape=pointer(0 * shape)), "shape[0] must be positive"),
    ]:
        given = (Argument * 1)(changed)
        handle = ctypes.c_void_p()
        code = api.model_new(ctypes.addressof(given), 1, ctypes.addressof(handle))
        assert code == BAD_ARGUMENT, message
        assert message in api.message()
    twice = (Argument * 2)(argument(), argument())
    assert api.model_new(ctypes.addressof(twice), 2, ctypes.addressof(handle)) == BAD_ARGUMENT
    assert "A is given twice" in api.message()
    for count in (0, -1, 2**40):
        assert api.model_new(ctypes.addressof(twice), count, ctypes.addressof(handle)) != 0
    assert api.model_new(None, 2, ctypes.addressof(handle)) == BAD_ARGUMENT
    assert api.model_new(ctypes.addressof(twice), 2, None) == BAD_ARGUMENT
    assert handle.value is None


def test_bad_sizes_of_what_is_made(handles):
    out = ctypes.c_void_p()
    for size, first in ((0, 0), (-5, 0), (1, -1)):
        code = api.population_new(handles["model"], size, 0, first, ctypes.addressof(out))
        assert code == BAD_ARGUMENT
    assert api.agent_new(handles["model"], 0, -1, ctypes.addressof(out)) == BAD_ARGUMENT
    for size in (2**50, 2**62, 2**63 - 1):
        code = api.population_new(handles["model"], size, 0, 0, ctypes.addressof(out))
        assert code == ERRORS["NO_MEMORY"]
        assert f"size = {size} agents" in api.message()
    assert out.value is None
    numbers = np.zeros(2, dtype=np.int64)
    for name in ("num_obs", "num_states", "num_controls"):
        function = getattr(api, f"model_{name}")
        assert function(handles["model"], None, 1) == BAD_ARGUMENT
        assert function(handles["model"], pointer(numbers), 2) == BAD_ARGUMENT
        assert not numbers.any()
        check(function(handles["model"], pointer(numbers), 1))
        assert numbers[0] == (2 if name == "num_controls" else 3)
        numbers[:] = 0


@pytest.mark.parametrize("kind", ["model", "agent", "population"])
def test_null_objects_and_objects_of_another_class(kind):
    out = ctypes.c_void_p()
    function = getattr(api, f"{kind}_from_python")
    assert function(None, ctypes.addressof(out)) == BAD_ARGUMENT
    assert function(id("text"), None) == BAD_ARGUMENT
    assert function(id("text"), ctypes.addressof(out)) == BAD_ARGUMENT
    assert "got str" in api.message()
    assert out.value is None


def test_each_thread_has_its_own_error():
    api.model_free(None)
    seen = []

    def other():
        seen.append((api.last_error(), api.message()))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [(0, "")]
    assert api.last_error() == BAD_HANDLE


def test_long_messages_are_cut_between_characters():
    given = (Argument * 1)(Argument(name=("ä" * 2000).encode(), item=-1))
    out = ctypes.c_void_p()
    assert api.model_new(ctypes.addressof(given), 1, ctypes.addressof(out)) == BAD_ARGUMENT
    assert 1000 < len(api.last_error_message()) < 1024
    assert "ää" in api.message()


def test_the_table_is_in_the_order_of_the_header():
    """The struct in the capsule has each function where the header says."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = get(_C_API, b"freeagent_core.c_api._C_API")
    names = list(declared())
    abi, size = (ctypes.c_uint32 * 2).from_address(address)
    assert (abi, size) == (1, 16 + 8 * len(names))
    found = list((ctypes.c_uint64 * len(names)).from_address(address + 16))
    assert found == [function_address(name) for name in names]
