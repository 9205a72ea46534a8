"""Files that `Population.save` did not write: an error before memory is taken, no code is run."""

import errno
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from manager_agents import model

from freeagent_core import Agent, Population

LEARNING = {"pA": np.ones((3, 4)), "pB": np.ones((4, 4, 2))}
MMP = {"inference_algo": "MMP", "inference_horizon": 3}


def saved(**changes):
    """Return a model and the arrays of a file of its population."""
    shared = model(**changes)
    population = Population(shared, 4, seed=0)
    for _ in range(2):
        population.step(np.zeros(4, int))
        if "pA" in changes:
            population.update_A(np.zeros(4, int))
    file = io.BytesIO()
    population.save(file)
    file.seek(0)
    with np.load(file) as contents:
        return shared, {name: contents[name] for name in contents.files}


def loads(shared, arrays, save=np.savez):
    file = io.BytesIO()
    save(file, **arrays)
    file.seek(0)
    return Population.load(file, shared)


def test_what_is_not_changed_loads():
    for changes in ({}, LEARNING, MMP):
        shared, arrays = saved(**changes)
        population = loads(shared, arrays)
        population.step(np.zeros(4, int))


BAD_VALUES = [
    ({}, "state/action", 2),
    ({}, "state/action", -1),
    ({}, "state/action", 2**40),
    ({}, "state/has_action", 2),
    ({}, "state/time", -1),
    ({}, "state/qs", np.nan),
    ({}, "state/qs", -0.5),
    ({}, "state/q_pi", np.inf),
    ({}, "state/G", np.nan),
    (LEARNING, "pA/agents", 4),
    (LEARNING, "pA/agents", -1),
    (LEARNING, "pA/0", -1.0),
    (LEARNING, "pA/0", np.nan),
    (MMP, "state/past", 3),
    (MMP, "state/past_len", 4),
    (MMP, "state/num_actions", 2**40),
    (MMP, "state/num_actions", 3),  # the action after it was written beyond the row
    (MMP, "state/past_actions", 2),
    (MMP, "state/sequences", np.nan),
]


@pytest.mark.parametrize(("changes", "name", "value"), BAD_VALUES)
def test_values_that_no_population_has(changes, name, value):
    shared, arrays = saved(**changes)
    arrays[name] = arrays[name].copy()
    arrays[name].flat[-1] = value
    with pytest.raises(ValueError, match=name.split("/")[0] + "/" + name.split("/")[1]):
        loads(shared, arrays)


@pytest.mark.parametrize("change", [lambda a: a[:-1], lambda a: a[:, :0], lambda a: a.astype("f4")])
@pytest.mark.parametrize("name", ["state/qs", "state/action", "pA/0"])
def test_shapes_and_types_that_do_not_fit(name, change):
    shared, arrays = saved(**LEARNING)
    arrays[name] = change(arrays[name])
    with pytest.raises(ValueError, match=name):
        loads(shared, arrays)


def test_members_that_are_missing_or_too_many():
    shared, arrays = saved(**LEARNING)
    for name in arrays:
        fewer = {key: value for key, value in arrays.items() if key != name}
        if name == "pA/agents":
            loads(shared, fewer)
            continue
        with pytest.raises(ValueError, match=r"file"):
            loads(shared, fewer)
    plain, arrays = saved()
    arrays.update({"pA/agents": np.array([0]), "pA/0": np.ones((1, 3, 4))})
    with pytest.raises(ValueError, match="the model has none"):
        loads(plain, arrays)


def member(name, header, contents=b""):
    """Return a file of one member with a header of its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        text = (header + " " * 64).encode() + b"\n"
        start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
        archive.writestr(name, start + text + contents)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|V1000000000', 'fortran_order': False, 'shape': (1000,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}",
        "not a header",
    ],
)
def test_headers_that_lie_take_no_memory(header):
    with pytest.raises(ValueError, match="is not a file of"):
        Population.load(member("state/random.npy", header), model())


def test_a_size_that_the_state_does_not_have_takes_no_memory():
    shared, arrays = saved(policy_len=12)
    arrays["state/random"] = np.zeros((10_000_000, 4), np.uint64)
    with pytest.raises(ValueError, match="state/"):
        loads(shared, arrays)


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/evil-was-here",)


def test_no_code_is_run(tmp_path):
    shared, arrays = saved()
    evil = np.empty(1, dtype=object)
    evil[0] = Evil()
    for contents in ({**arrays, "state/qs": evil}, {"evil": evil}):
        with pytest.raises(ValueError, match="is not a file of"):
            loads(shared, contents)
    path = tmp_path / "pickle"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match="is not a file of"):
        Population.load(path, shared)
    assert not os.path.exists("/tmp/evil-was-here")


@pytest.mark.parametrize("infer_len", [2**40, 2**62, -1, 2])
def test_a_state_that_lies_about_its_steps_takes_no_memory(infer_len):
    agent = Agent.from_model(model(inference_algo="MMP", inference_horizon=2, policy_len=2))
    agent.step([0])
    state = pickle.loads(pickle.dumps(agent.__getstate__()))
    state["core"]["infer_len"] = infer_len
    other = Agent.__new__(Agent)
    other.__setstate__(state)
    other.infer_states([1])
    agent.infer_states([1])
    np.testing.assert_array_equal(other.qs[0][0][0], agent.qs[0][0][0])


def test_an_interrupt_is_not_taken_for_a_bad_file(monkeypatch):
    """Also where zipfile raises something else as it ends."""
    shared, arrays = saved()

    def interrupted(archive, member):
        raise KeyboardInterrupt

    def fails(archive, *error):
        raise ValueError("cannot close")

    file = io.BytesIO()
    np.savez(file, **arrays)
    monkeypatch.setattr(zipfile.ZipFile, "open", interrupted)
    monkeypatch.setattr(zipfile.ZipFile, "__exit__", fails)
    with pytest.raises(KeyboardInterrupt):
        Population.load(file, shared)


def test_compressed_files_are_refused():
    """np.savez does not compress; what does could be a bomb."""
    shared, arrays = saved()
    with pytest.raises(ValueError, match="is not a file of"):
        loads(shared, arrays, np.savez_compressed)


def test_every_byte_that_is_changed_or_missing():
    shared = model()
    file = io.BytesIO()
    Population(shared, 2, seed=0).save(file)
    contents = file.getvalue()
    rng = np.random.default_rng(0)
    for i in range(0, len(contents), 7):
        changed = bytearray(contents)
        changed[i] ^= int(rng.integers(1, 256))
        for each in (bytes(changed), contents[:i]):
            try:
                Population.load(io.BytesIO(each), shared).step([0, 0])
            except ValueError:
                continue


class Failing(io.BytesIO):
    """A file of which one call fails, and with `for_ever` each after it."""

    def __init__(self, contents, error, at, for_ever):
        super().__init__(contents)
        self.count, self.error, self.at, self.for_ever = 0, error, at, for_ever

    def _may_fail(self):
        self.count += 1
        if self.count == self.at or (self.for_ever and self.count > self.at):
            raise self.error

    def read(self, *arguments):
        self._may_fail()
        return super().read(*arguments)

    def write(self, *arguments):
        self._may_fail()
        return super().write(*arguments)

    def seek(self, *arguments):
        self._may_fail()
        return super().seek(*arguments)


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("error", [MemoryError("none"), OSError(errno.EIO, "disk")], ids=repr)
def test_what_no_file_is_to_blame_for_is_raised_as_it_is(error, for_ever):
    population, contents = Population(model(), 3, seed=0), io.BytesIO()
    population.save(contents)
    failed = 0
    for at in range(1, 60):
        for call in (population.save, lambda file: Population.load(file, population.model)):
            file = Failing(contents.getvalue(), error, at, for_ever)
            raised = None
            try:
                call(file)
            except Exception as caught:
                raised = caught
            if raised is None:
                assert file.count < at or isinstance(error, OSError)
            elif raised is error:
                failed += 1
            else:  # zipfile takes some errors of the disk for damage, or goes on without `seek`
                assert isinstance(raised, ValueError)
                assert isinstance(error, OSError)
    assert failed > 30
