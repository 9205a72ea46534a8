"""The model of a report: names, Python files, .npz files, gymnasium ids, and what is wrong."""

import numpy as np
import pytest

from freeagent_core import Agent, GenerativeModel
from freeagent_core.report import arguments, worlds
from freeagent_core.report.loading import ModelError, arguments_of, load

SCRIPT = """
import numpy as np
A = np.eye(3)
B = np.stack([np.roll(np.eye(3), k, axis=0) for k in (0, 1)], axis=-1)
C = np.array([0.0, 0.0, 2.0])
policy_len = 2
unrelated = object()
"""


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_names(name):
    loaded = load(name)
    agent = Agent.from_model(loaded.model)
    agent.step([0] * loaded.model.num_modalities)
    assert loaded.description


def test_the_help_names_every_world():
    parser = __import__("argparse").ArgumentParser()
    arguments.add_arguments(parser)
    text = " ".join(parser.format_help().split())
    assert all(name in text for name in worlds.WORLDS)
    assert arguments.DEFAULT_MODEL in worlds.WORLDS


def test_variables_of_a_python_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT)
    loaded = load(str(path))
    assert loaded.model.num_states == [3]
    assert len(loaded.model.policies) == 4
    assert set(loaded.arguments) == {"A", "B", "C", "policy_len"}


@pytest.mark.parametrize("form", ["function of a dict", "dict", "model", "function of a model"])
@pytest.mark.parametrize("member", ["model", "other"])
def test_object_of_a_python_file(tmp_path, form, member):
    path = tmp_path / "mine.py"
    made = {
        "function of a dict": "lambda: {'A': A, 'B': B, 'policy_len': 3}",
        "dict": "{'A': A, 'B': B, 'policy_len': 3}",
        "model": "GenerativeModel(A, B, policy_len=3)",
        "function of a model": "lambda: GenerativeModel(A, B, policy_len=3)",
    }[form]
    path.write_text(f"from freeagent_core import GenerativeModel\n{SCRIPT}\n{member} = {made}\n")
    loaded = load(str(path) if member == "model" else f"{path}:other")
    assert len(loaded.model.policies) == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A = 1\n", "neither `model`"),
        ("import numpy as np\nA = np.eye(2)\n", "neither `model`"),
        ("x = 1\ny = 1 / 0\n", "mine.py:2: ZeroDivisionError"),
        ("def model(:\n", "mine.py:1: SyntaxError"),
        ("def model(n):\n    return n\n", "callable without arguments"),
        ("def model():\n    raise KeyError('k')\n", "mine.py:2: model\\(\\) raised KeyError"),
        ("model = 3\n", "must be, or return, a GenerativeModel or a dict .* got int"),
        ("model = {'A': [[1.0]]}\n", "B is missing"),
        ("model = {'A': 1, 'B': 2, 'steps': 3}\n", "'steps' is not an argument"),
        (
            "import numpy as np\nmodel = {'A': np.ones((2, 2)), 'B': np.eye(2)[:, :, None]}\n",
            "A.* sum",
        ),
        ("import sys\nsys.exit(3)\n", "mine.py:2: SystemExit"),
    ],
)
def test_bad_python_files(tmp_path, text, said):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ModelError, match=said):
        load(str(path))


def test_a_missing_file_and_a_missing_name(tmp_path):
    with pytest.raises(ModelError, match="there is no file"):
        load(str(tmp_path / "absent.py"))
    with pytest.raises(ModelError, match="no such file"):
        load(str(tmp_path / "absent.npz"))
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT)
    with pytest.raises(ModelError, match="there is no 'absent' in it"):
        load(f"{path}:absent")
    with pytest.raises(ModelError, match="neither a name"):
        load("cue-gird")


def test_npz(tmp_path):
    """Two modalities and factors, and single values."""
    arguments_in = worlds.cue_grid()
    arrays = {f"{name}_{i}": x for name in "ABCD" for i, x in enumerate(arguments_in[name])}
    np.savez(tmp_path / "m.npz", policy_len=2, gamma=4.0, **arrays)
    model = load(str(tmp_path / "m.npz")).model
    assert (model.policy_len, model.gamma) == (2, 4.0)
    for m, A_m in enumerate(arguments_in["A"]):
        assert np.array_equal(model.A[m], A_m)


def test_npz_of_one_modality(tmp_path):
    B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
    np.savez(tmp_path / "m.npz", A=np.eye(2), B=B, E=np.array([0.25, 0.75]))
    model = load(str(tmp_path / "m.npz")).model
    assert model.num_states == [2]
    assert np.array_equal(model.E, [0.25, 0.75])


def test_one_array_under_the_name_of_an_archive(tmp_path):
    with open(tmp_path / "m.npz", "wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(ModelError, match="npz file: it is no zip archive"):
        load(str(tmp_path / "m.npz"))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"A": np.eye(2)}, "B is missing"),
        ({"A_0": np.eye(2), "A_2": np.eye(2)}, "numbered from 0 without gaps .A_0, A_1., got"),
        ({"A": np.eye(2), "A_0": np.eye(2)}, "both A and A_0"),
        ({"A": np.eye(2), "B": np.eye(2)[:, :, None], "what": np.eye(2)}, "'what' is not"),
        ({"A": np.array([np.eye(2), None], dtype=object)}, "A_0, A_1"),
        ({"A": np.eye(3), "B": np.eye(2)[:, :, None]}, "A\\[0\\] must have shape"),
    ],
)
def test_bad_npz(tmp_path, arrays, said):
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(ModelError, match=said):
        load(str(tmp_path / "m.npz"))


def test_npz_that_is_none(tmp_path):
    path = tmp_path / "m.npz"
    for contents in (b"", b"no", b"PK\x03\x04 damaged"):
        path.write_bytes(contents)
        with pytest.raises(ModelError, match="npz file: it is no zip archive"):
            load(str(path))


def test_arguments_of_a_model_make_it_again():
    rng = np.random.default_rng(0)
    A = rng.random((3, 2, 2))
    B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
    for changes in (
        {},
        {"E": np.array([0.7, 0.3] * 2)},
        {"policies": [np.array([[0, 1]]), np.array([[1, 1]])]},
        {"inference_algo": "MMP", "inference_horizon": 2},
    ):
        both = np.empty(2, dtype=object)
        both[:] = [B, B]
        model = GenerativeModel(A / A.sum(axis=0), both, **changes)
        again = GenerativeModel(**arguments_of(model))
        assert np.array_equal(model.E, again.E)
        assert np.array_equal(np.array(model.policies), np.array(again.policies))
        assert again.inference_algo == model.inference_algo


def test_gymnasium():
    pytest.importorskip("gymnasium")
    loaded = load("FrozenLake-v1")
    model = loaded.model
    assert model.num_states == [16]
    assert np.array_equal(model.D[0], np.eye(16)[0])
    assert model.C[1].argmax() == model.A[1][:, 15].argmax()  # the goal's reward is preferred
    # slippery: a move to the right from the first cell stays, goes right or down
    assert np.allclose(model.B[0][[0, 1, 4], 0, 2], 1 / 3)
    assert np.allclose(model.B[0][:, 15], np.eye(16)[:, [15]])  # the goal is absorbing
    with pytest.raises(ModelError, match="no transition table"):
        load("CartPole-v1")
    with pytest.raises(ModelError, match="gymnasium cannot make 'Nothing-v1'"):
        load("Nothing-v1")


def test_without_gymnasium(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(ModelError, match=r"pip install 'freeagent-core\[gymnasium\]'"):
        load("FrozenLake-v1")
