"""Every argument of every public kernel: what is wrong with it is named. Kernels and arguments are
read from the module: one without an entry in CALLS fails."""

import inspect
import re
from typing import Any

import numpy as np
import pytest

from freeagent_core import GenerativeModel, kernels


def _objects(arrays):
    out = np.empty(len(arrays), dtype=object)
    out[:] = arrays
    return out


# numbers that float32 holds; modalities and factors of different sizes
A = [
    np.array([[0.5, 0.25, 0.0], [0.5, 0.75, 1.0]]),
    np.array([[[0.5, 0.25, 1.0], [0.5, 0.5, 0.25]], [[0.25, 0.5, 0.0], [0.25, 0.25, 0.5]],
              [[0.25, 0.25, 0.0], [0.25, 0.25, 0.25]]]),
]  # fmt: skip
B = [
    np.array([[[0.5, 1.0], [0.25, 0.0]], [[0.5, 0.0], [0.75, 1.0]]]),
    np.stack([np.full((3, 2, 3), 0.25) + np.eye(3)[:, np.newaxis] / 4] * 2, axis=-1),
]
A_LISTS, B_LISTS = [[1], [0, 1]], [[0], [0, 1]]
PA, PB = [a + 1.0 for a in A], [b + 1.0 for b in B]
C = [np.array([0.0, 1.0]), np.array([0.5, -1.0, 0.0])]
QS = [np.array([0.25, 0.75]), np.array([0.5, 0.25, 0.25])]
PREDICTED = [np.array([0.5, 0.5]), np.array([0.25, 0.75, 0.0])]
POLICIES = [np.array([[0, 1], [1, 0]]), np.array([[1, 1], [0, 0]])]
REACH = [np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]])]
P, X = np.array([0.25, 0.5, 0.25]), np.array([0.5, 2.0, 1.0])
M = np.array([[1.0, 2.0, 0.5], [0.25, 3.0, 1.0]])
ARRAYS = {"A": _objects(A), "B": _objects(B), "pA": _objects(PA), "pB": _objects(PB),
          "C": _objects(C), "A_factor_list": A_LISTS, "B_factor_list": B_LISTS}  # fmt: skip
MODEL = GenerativeModel(**ARRAYS)
WITH_GOALS = GenerativeModel(_objects(A), _objects([B[0], B[1][:, 0]]), A_factor_list=A_LISTS,
                             H=_objects([reach[0] for reach in REACH]))  # fmt: skip
MMP = GenerativeModel(**ARRAYS, inference_algo="MMP", policies=POLICIES)

UPDATE = {"joint_likelihood": False, "A_factor_list": A_LISTS}
ITERATION = {"num_iter": 10, "dF": 1.0, "dF_tol": 0.001, "compute_vfe": True}
STEPS = {"observations": [[0, 1], [1, 2], [0, 0]], "actions": [[0, 1], [1, 1]], "prior": QS,
         "num_iter": 4, "grad_descent": True, "tau": 0.25}  # fmt: skip
CALLS: dict[str, list[dict[str, Any]]] = {
    "action_marginals": [
        {"model": POLICIES, "q_pi": np.array([0.25, 0.75]), "num_controls": [2, 2]},
        {"model": MMP, "q_pi": np.array([0.25, 0.75])},
    ],
    "choose": [{"p": P, "tolerance": 1e-6, "first_of_ties": True}],
    "dot": [{"x": X, "y": P}],
    "entropy": [{"p": P}],
    "evaluate_policies": [{"model": MODEL, "qs": QS, "gamma": 2.0, "use_utility": True,
                           "use_states_info_gain": True, "use_param_info_gain": False}],
    "exp": [{"x": X}, {"x": M}],
    "expected_utility": [{"model": A, "qs": QS, "C": C, "step": 0, "A_factor_list": A_LISTS},
                         {"model": MODEL, "qs": QS}],
    "free_energy": [{"model": A, "observation": [0, 1], "qs": QS, "prior": PREDICTED, **UPDATE},
                    {"model": MODEL, "observation": [C[0] * 0 + 0.5, P], "qs": QS}],
    "gemm": [{"x": M, "M": np.arange(12.0).reshape(3, 4)}, {"x": M, "M": np.ones((3, 8))}],
    "gemv": [{"M": M, "x": X}],
    "gemv_t": [{"x": np.array([1.0, 0.5]), "M": M}],
    "inductive_cost": [{"model": REACH, "qs": QS, "predicted": PREDICTED},
                       {"model": WITH_GOALS, "qs": QS, "predicted": PREDICTED}],
    "joint_belief": [{"beliefs": QS}],
    "log": [{"x": X}, {"x": M}],
    "log_eps": [{"x": X}, {"x": M}],
    "outer": [{"x": X, "y": np.array([1.0, 0.5])}],
    "pA_info_gain": [{"model": A, "qs": QS, "pA": PA, "A_factor_list": A_LISTS},
                     {"model": MODEL, "qs": QS}],
    "pB_info_gain": [
        {"model": PB, "qs": QS, "action": [0, 1], "predicted": PREDICTED, "B_factor_list": B_LISTS},
        {"model": MODEL, "qs": QS, "action": [0, 1], "predicted": PREDICTED},
    ],
    "pass_messages": [{"model": A, "B": B, "policies": POLICIES, "A_factor_list": A_LISTS,
                       "B_factor_list": B_LISTS, **STEPS},
                      {"model": MMP, **STEPS, "observations": [[C[0] * 0 + 0.5, P]] * 3}],
    "policy_posterior": [{"G": -X, "E": P, "gamma": 2.0}],
    "predicted_outcomes": [{"model": A, "qs": QS, "A_factor_list": A_LISTS},
                           {"model": MODEL, "qs": QS},
                           {"model": A[:1], "qs": QS[1:]}],
    "predicted_states": [{"model": B, "qs": QS, "action": [0, 1], "B_factor_list": B_LISTS},
                         {"model": MODEL, "qs": QS, "action": np.array([0, 1])},
                         {"model": B[:1], "qs": QS[:1], "action": [1]}],
    "sample": [{"p": np.array([0.0, 1.0, 0.0])}],
    "sharpen": [{"p": P, "alpha": 2.0}],
    "softmax": [{"x": X}],
    "states_info_gain": [{"model": A, "qs": QS, "A_factor_list": A_LISTS, "joint_outcomes": False},
                         {"model": MODEL, "qs": QS}],
    "sum": [{"x": X}],
    "update_A": [{"pA": PA[1], "observation": 1, "qs": QS, "A": A[1], "lr": 0.5},
                 {"pA": PA[0], "observation": np.array([0.5, 0.5]), "qs": QS[1]}],
    "update_B": [{"pB": PB[1], "action": 1, "qs": QS[1], "qs_previous": QS, "B": B[1], "lr": 0.5},
                 {"pB": PB[0], "action": 0, "qs": QS[0], "qs_previous": QS[0]}],
    "update_D": [{"pD": X, "qs": P, "lr": 0.5}],
    "update_beliefs": [{"model": A, "observation": [0, 1], "prior": QS, **UPDATE, **ITERATION},
                       {"model": MODEL, "observation": [C[0] * 0 + 0.5, P], "prior": QS},
                       {"model": A[:1], "observation": 1, "prior": QS[1:]}],
}  # fmt: skip
# what these names of the documentation are called in an error
ALSO = {"model": ("A", "B", "pB", "I", "policies")}
# functions of any real numbers, NaN and infinities among them
ARITHMETIC = {"dot", "exp", "gemm", "gemv", "gemv_t", "joint_belief", "log", "outer", "sum"}
# arguments that may be negative
SIGNED = {"C", "G", "alpha", "dF", "dF_tol", "gamma", "lr", "tau", "x"}


NOT_NUMBERS = {
    "text": "x", "no text": "", "bytes": b"x", "an object": object(), "a dict": {}, "a set": {1.0},
    "two in a set": {0, 1}, "two in a dict": {0: 0, 1: 1},
    "a type": float, "complex": 1j, "complex array": np.array([1j, 1.0]), "ragged": [[1.0], [0, 1]],
    "array of text": np.array(["a", "b"]), "list of objects": [object(), object()],
    "list of None": [None, None], "object array of None": np.array([None, 1.0], dtype=object),
    "0-d object": np.array(None, dtype=object), "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "records": np.zeros(2, dtype=[("a", float)]), "generator": (i for i in ()), "None": None,
    "masked": np.ma.array([0.5, 0.5], mask=[True, False]), "NaN": float("nan"), "inf": float("inf"),
    "list of hugest": [10**400] * 2, "hugest": 10**400,
}  # fmt: skip
OF_NO_USE = {
    "no list": [], "no array": np.empty(0), "no rows": [[]], "5-d": np.zeros((1, 1, 1, 1, 1)),
    "2-d objects": np.full((2, 2), 0.5, dtype=object), "huge": 2**70, "list of huge": [2**70] * 2,
    "negative": -1, "fraction": 1.5, "least integer": -(2**63), "a number": np.float64(0.5),
}  # fmt: skip
FLAGS = {"joint_likelihood", "compute_vfe", "grad_descent", "joint_outcomes", "first_of_ties",
         "use_utility", "use_states_info_gain", "use_param_info_gain"}  # fmt: skip


def _is_list(value):
    """Return whether `value` is several arrays, or one entry for each of several steps."""
    return isinstance(value, list | tuple) or (
        isinstance(value, np.ndarray) and value.dtype == object
    )


def _with(items, i, item):
    return [*items[:i], item, *items[i + 1 :]]


def _wrong(value, name):
    """Yield wrong forms of a valid value: what is wrong, the form, how the error must begin, None
    where these may be numbers of use, or be at odds with another argument."""
    begins = re.escape(name)
    for what, wrong in NOT_NUMBERS.items():
        may_be_count = isinstance(wrong, list | np.ndarray) and (
            _is_list(value) or not isinstance(value, np.ndarray | float)
        )
        yield f"{name} = {what}", wrong, None if may_be_count else begins
    for what, wrong in OF_NO_USE.items():
        yield f"{name} = {what}", wrong, None
    if _is_list(value):
        items = list(value)
        yield f"{name} one short", items[:-1], None
        yield f"{name} one more", [*items, items[-1]], None
        for i, item in enumerate(items):
            for what, wrong, begins in _wrong(item, f"{name}[{i}]"):
                yield what, [*items[:i], wrong, *items[i + 1 :]], begins
    elif isinstance(value, np.ndarray):
        yield f"{name} one short", value[:-1], None
        yield f"{name} one more", np.concatenate([value, value[-1:]]), None
        yield f"{name} one dimension more", value[np.newaxis], None
        last = tuple(n - 1 for n in value.shape)
        begins += re.escape(str([*last]))
        for number in (np.nan, np.inf, -np.inf, -1.0):
            wrong = value.astype(float)
            wrong[last] = number
            signed = number < 0 and name.split("[")[0] in SIGNED
            yield f"{name}{[*last]} = {number}", wrong, None if signed else begins


def _calls():
    for name in kernels.__all__:
        function = getattr(kernels, name)
        for i, arguments in enumerate(CALLS.get(name, [])):
            for argument in inspect.signature(function).parameters:
                if argument in arguments:
                    yield pytest.param(name, i, argument, id=f"{name}-{i}-{argument}")


def _copy(out):
    if isinstance(out, np.ndarray) and out.dtype == object:
        return _objects([_copy(item) for item in out])
    return np.array(out)


def _same(left, right):
    if isinstance(left, tuple) or (isinstance(left, np.ndarray) and left.dtype == object):
        return len(left) == len(right) and all(map(_same, left, right))
    return np.array_equal(left, right, equal_nan=True)


def _complaint(name, argument, given, begins):
    """Return what is wrong with how a call ends."""
    named = [argument, *ALSO.get(argument, ())]
    if begins is None:
        known = inspect.signature(getattr(kernels, name)).parameters
        patterns = [*known, *(also for known_name in known for also in ALSO.get(known_name, ()))]
    else:
        patterns = [begins.replace(argument, also, 1) for also in named]
    try:
        found = getattr(kernels, name)(**given)
    except (TypeError, ValueError) as error:
        if any(re.match(rf"{pattern}(?!\w)", str(error)) for pattern in patterns):
            return None
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if name in ARITHMETIC or (begins is None and not _has_nan(found)):
        return None
    return f"returned {found!r:.80}"


def _has_nan(found):
    if isinstance(found, tuple) or (isinstance(found, np.ndarray) and found.dtype == object):
        return any(map(_has_nan, found))
    return bool(np.isnan(found).any())


def test_all_kernels_and_arguments_are_here():
    assert set(CALLS) == set(kernels.__all__)
    for name, calls in CALLS.items():
        known = set(inspect.signature(getattr(kernels, name)).parameters) - {"out", "repeats"}
        assert known == {argument for arguments in calls for argument in arguments}, name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "i", "argument"), list(_calls()))
def test_what_is_wrong_is_named(name, i, argument):
    valid = CALLS[name][i]
    optional = inspect.signature(getattr(kernels, name)).parameters[argument].default is None
    complaints = []
    for what, wrong, begins in _wrong(valid[argument], argument):
        if optional and wrong is None:
            continue
        if argument in FLAGS:  # what has a truth is one
            begins = None
        complaint = _complaint(name, argument, {**valid, argument: wrong}, begins)
        if complaint is not None:
            complaints.append(f"{what}: {complaint}")
    assert not complaints, "\n".join(complaints)


def _forms(array):
    """Yield other forms of the same numbers."""
    yield "read-only", _locked(array)
    yield "Fortran order", np.asfortranarray(array)
    yield "strided", np.repeat(array, 2, axis=-1)[..., ::2]
    yield "backwards", np.ascontiguousarray(array[::-1])[::-1]
    yield "float32", array.astype(np.float32)
    yield "other byte order", array.astype(array.dtype.newbyteorder())
    yield "objects", array.astype(object)
    yield "list", array.tolist()


def _locked(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _same(left, right):
    if isinstance(left, tuple) or (isinstance(left, np.ndarray) and left.dtype == object):
        return len(left) == len(right) and all(map(_same, left, right))
    return np.array_equal(left, right)


@pytest.mark.parametrize(("name", "i", "argument"), list(_calls()))
def test_another_form_of_the_same_numbers_gives_the_same(name, i, argument):
    function, valid = getattr(kernels, name), CALLS[name][i]
    value, expected = valid[argument], getattr(kernels, name)(**CALLS[name][i])
    others = {}
    if isinstance(value, np.ndarray) and value.dtype != object:
        others = dict(_forms(value))
    elif _is_list(value):
        others = {"object array": _objects(list(value)), "tuple": tuple(value)}
        if all(isinstance(item, np.ndarray) for item in value):
            for k, item in enumerate(value):
                for what, form in _forms(item):
                    others[f"[{k}] {what}"] = [*value[:k], form, *value[k + 1 :]]
    for what, form in others.items():
        assert _same(expected, function(**{**valid, argument: form})), what


@pytest.mark.parametrize("name", kernels.__all__)
def test_repeats(name):
    for wrong in ("x", 1.5, None, True, 0, -1, 2**70, [1], float("nan")):
        with pytest.raises((TypeError, ValueError), match=r"^repeats must be "):
            getattr(kernels, name)(**CALLS[name][0], repeats=wrong)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in kernels.__all__
        if "out" in inspect.signature(getattr(kernels, name)).parameters
    ],
)
def test_out(name):
    function, valid = getattr(kernels, name), CALLS[name][0]
    expected = function(**valid)
    several = expected.dtype == object
    arrays = list(expected) if several else [expected]
    for k, array in enumerate(arrays):
        wrong = {
            "shape": np.empty((*array.shape, 1)), "float32": array.astype(np.float32),
            "integers": array.astype(int), "read-only": _locked(array), "list": array.tolist(),
            "strided": np.repeat(array, 2, axis=-1)[..., ::2], "text": "x",
        }  # fmt: skip
        for what, form in wrong.items():
            out = [np.full(a.shape, 7.0) for a in arrays]
            given = [*out[:k], form, *out[k + 1 :]] if several else form
            with pytest.raises((TypeError, ValueError), match=rf"^out(\[{k}\])? must "):
                function(**valid, out=given)
            assert all((a == 7.0).all() for a in out), what
