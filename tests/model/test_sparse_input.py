"""Sparse matrices and tables as A and B: the numbers of arrays, errors, memory."""

import os
import pickle
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from random_arrays import object_array

from freeagent_core import Agent, GenerativeModel, Population
from freeagent_core._model import lane_packing, packing, sparse_columns, sparse_input
from freeagent_core._model.sparse_columns import SparseColumns

FORMATS = ["csc", "csr", "coo", "lil", "dok", "bsr", "dia"]


def sparse_distribution(rng, num_rows, num_columns, kind):
    """Return columns that are mostly zeros and sum to 1."""
    out = np.zeros((num_rows, num_columns))
    for column in range(num_columns):
        count = 1 if kind == "deterministic" else int(rng.integers(1, min(num_rows, 4) + 1))
        chosen = rng.choice(num_rows, count, replace=False)
        weights = rng.random(count) + 0.05
        out[chosen, column] = weights / weights.sum()
    return out


@st.composite
def sparse_models(draw):
    """Draw arguments of a model with sparse arrays, and the same with sparse matrices."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_factors = draw(st.integers(1, 3))
    num_states = draw(st.lists(st.integers(1, 7), min_size=num_factors, max_size=num_factors))
    num_controls = draw(st.lists(st.integers(1, 3), min_size=num_factors, max_size=num_factors))
    kind = draw(st.sampled_from(["deterministic", "sparse"]))
    B = [
        np.stack([sparse_distribution(rng, n, n, kind) for _ in range(u)], axis=-1)
        for n, u in zip(num_states, num_controls, strict=True)
    ]
    lists = [[draw(st.integers(0, num_factors - 1))] for _ in range(draw(st.integers(1, 3)))]
    kind = draw(st.sampled_from(["deterministic", "sparse"]))
    num_obs = [draw(st.integers(1, 6)) for _ in lists]
    A = [
        sparse_distribution(rng, n, num_states[factor], kind)
        for n, (factor,) in zip(num_obs, lists, strict=True)
    ]
    arguments = {
        "A_factor_list": lists,
        "policy_len": draw(st.integers(1, 2)),
        "C": object_array(rng.normal(size=n) for n in num_obs),
        "D": object_array(sparse_distribution(rng, n, 1, "sparse")[:, 0] for n in num_states),
        "use_states_info_gain": draw(st.booleans()),
        "action_selection": draw(st.sampled_from(["deterministic", "stochastic"])),
        "sampling_mode": draw(st.sampled_from(["marginal", "full"])),
    }
    if draw(st.booleans()):
        arguments["H"] = object_array(np.eye(n)[rng.integers(n)] for n in num_states)
        arguments["ii_threshold"] = draw(st.sampled_from([0.0, 0.3, -1.0]))
    if arguments["policy_len"] == 1 and draw(st.booleans()):
        arguments.update(sophisticated=True, si_horizon=2)
    make = [getattr(sp, draw(st.sampled_from(FORMATS)) + "_array") for _ in range(2)]
    dense = {**arguments, "A": object_array(A), "B": object_array(B)}
    given_sparse = {
        **arguments,
        "A": [make[0](A_m) for A_m in A],
        "B": [[make[1](B_f[:, :, u]) for u in range(B_f.shape[-1])] for B_f in B],
    }
    return dense, given_sparse


def episode(model, seed, distributions=False, draws=True):
    """Return all that agents of a model compute in some steps of its own world. Without draws
    actions are given: of two policies that are equally likely NumPy's way to draw takes one or
    the other by the last bit."""
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    agent = Agent.from_model(model)
    found = []
    for _ in range(4):
        outcomes = [int(rng.integers(n)) for n in model.num_obs]
        if distributions:
            vectors = object_array(rng.dirichlet(np.ones(n)) for n in model.num_obs)
            agent.infer_states(vectors, distr_obs=True)
        else:
            agent.infer_states(outcomes)
        agent.infer_policies()
        found += [*agent.qs, agent.q_pi, agent.G]
        action = agent.sample_action()
        if draws:
            found.append(action)
        else:
            agent.action = np.array([float(rng.integers(n)) for n in model.num_controls])
    population = Population(model, 3, num_threads=1, seed=seed)
    if not distributions:
        for _ in range(3):
            rows = np.array([[int(rng.integers(n)) for n in model.num_obs] for _ in range(3)])
            found += [population.step(rows), *(q.copy() for q in population.qs)]
    return [np.array(x) for x in found]


@settings(max_examples=60, deadline=None)
@given(models=sparse_models(), seed=st.integers(0, 1000))
def test_sparse_matrices_give_the_bits_of_arrays(models, seed):
    dense, given_sparse = (GenerativeModel(**each) for each in models)
    for one, other in zip(episode(dense, seed), episode(given_sparse, seed), strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    for name in "AB":
        for one, other in zip(getattr(dense, name), getattr(given_sparse, name), strict=True):
            assert np.array_equal(one, other)


@pytest.fixture
def without_whole_arrays(monkeypatch):
    """Keep A and B as nonzero entries however small they are."""
    for module in (sparse_input, sparse_columns, lane_packing):
        monkeypatch.setattr(module, "MAX_WHOLE", 0)
    monkeypatch.setattr(sparse_columns, "SPARSE_SHARE", 1.0)


@settings(max_examples=60, deadline=None)
@given(models=sparse_models(), seed=st.integers(0, 1000), distributions=st.booleans())
def test_nonzero_entries_give_the_numbers_of_arrays(models, seed, distributions):
    dense, given_sparse = models
    reference = episode(GenerativeModel(**dense), seed, distributions, draws=False)
    with pytest.MonkeyPatch.context() as patch:
        for module in (sparse_input, sparse_columns, lane_packing):
            patch.setattr(module, "MAX_WHOLE", 0)
        patch.setattr(sparse_columns, "SPARSE_SHARE", 1.0)
        patch.setattr(packing, "MAX_GRAPH_COLUMN", np.inf)
        patch.setattr(packing, "_pack_matrices", lambda *_: None)  # of whole arrays alone
        compact = GenerativeModel(**given_sparse)
        assert all(isinstance(x, SparseColumns) for x in (*compact.A, *compact.B))
        assert all(part["A"] is None for part in compact._parts["modalities"])
        same = GenerativeModel(**dense)
    found = episode(compact, seed, distributions, draws=False)
    for expected in (reference, episode(same, seed, distributions, draws=False)):
        for one, other in zip(found, expected, strict=True):
            assert np.allclose(one, other, rtol=0, atol=1e-10, equal_nan=True)


def two_rooms(make=sp.csc_array):
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    return {"A": [make(np.eye(2))], "B": [[make(np.eye(2)), make(swap)]]}


@pytest.mark.parametrize(
    "make", [getattr(sp, f"{f}_{k}") for f in FORMATS for k in ("array", "matrix")]
)
def test_every_format(make):
    model = GenerativeModel(**two_rooms(make))
    assert np.array_equal(model.A[0], np.eye(2))
    assert np.array_equal(model.B[0][:, :, 1], 1 - np.eye(2))


def test_one_factor_and_one_modality_without_lists_around_them():
    given_sparse = two_rooms()
    model = GenerativeModel(A=given_sparse["A"][0], B=given_sparse["B"][0])
    assert model.num_states == [2]
    assert model.num_controls == [2]
    assert model.num_obs == [2]


def test_tables_of_next_states():
    table = np.array([[0, 1], [1, 2], [2, 0]])
    for B in (table, [table], [table.astype(np.uint8)]):
        model = GenerativeModel(A=np.eye(3), B=B)
        for state in range(3):
            for action in range(2):
                assert np.array_equal(model.B[0][:, state, action], np.eye(3)[table[state, action]])


def test_duplicates_add_up_and_zeros_do_not_count(without_whole_arrays):
    rows, columns, values = [0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0.25, 0.75, 0.5, 0.5, 0.0]
    matrix = sp.coo_array((values, (rows, columns)), shape=(2, 2))
    raw = sp.csc_array((np.array([1.0, 0.25, 0.75]), [1, 0, 0], [0, 1, 3]), (2, 2))
    model = GenerativeModel(A=[matrix], B=[[raw]])
    assert np.array_equal(model.A[0].toarray(), np.eye(2))
    assert np.array_equal(model.B[0].toarray()[:, :, 0], [[0, 1], [1, 0]])
    assert model.A[0].nnz == 2
    assert raw.nnz == 3  # what was given stays


class Raw:
    """Something like a sparse matrix, of any parts."""

    def __init__(self, shape, indptr, indices, data):
        self.shape = shape
        self.indptr, self.indices, self.data = (np.array(x) for x in (indptr, indices, data))

    def tocsc(self):
        return self


GOOD = sp.csc_array(np.eye(2))


def raw(start, index=(0, 1), value=(1.0, 1.0)):
    return [[Raw((2, 2), start, index, value)]]


BAD_A = {
    "A[0][:, 1] must sum to 1, got 0": sp.csc_array([[1.0, 0.0], [0.0, 0.0]]),
    "A[0][0, 1] must be finite, got nan": sp.csc_array([[1.0, np.nan], [0.0, 1.0]]),
    "A[0][0, 1] must be finite, got inf": sp.csc_array([[1.0, np.inf], [0.0, 1.0]]),
    "A[0] must have shape (3, 2), got (3, 3)": sp.csc_array(np.eye(3)),
    "A[0] must be a matrix of two axes": Raw((2,), [0, 1, 2], [0, 1], [1.0, 1.0]),
    "A[0] must not be empty": Raw((0, 2), [0, 0, 0], [], []),
    "TypeError: A[0] must have real numbers": sp.csc_array(np.eye(2) * 1j),
}
BAD_B = {
    "B[0][:, 1, 0] must sum to 1, got 0.9": [[sp.csc_array([[1.0, 0.5], [0.0, 0.4]])]],
    "B[0][1][1, 1] must be non-negative": [[GOOD, sp.csc_array([[1.0, 1.5], [0.0, -0.5]])]],
    "B[0][1] must have shape (2, 2) like B[0][0]": [[GOOD, sp.csc_array(np.eye(3))]],
    "B[0] must have shape (2, 2, 1), got (2, 1, 1)": [[sp.csc_array(np.ones((2, 1)) / 2)]],
    "TypeError: B[0][2] must be a sparse matrix like B[0][0], got ndarray": [
        GOOD, GOOD, np.eye(2)
    ],
    "TypeError: B must have a sparse matrix per action": GOOD,
    "TypeError: B[1] must have a sparse matrix per action": [np.eye(2)[:, :, None], GOOD],
    "B[0][0] has an entry in row 2 of column 1; rows must be in 0 to 1": raw([0, 1, 2], [0, 2]),
    "B[0][0] has an entry in row -1 of column 1": raw([0, 1, 2], [0, -1]),
    "B[0][0] must have column starts that": raw([0, 2, 1]),
    "B[0][0] must have column starts": raw([0, 1]),
    "B[0][0] must have column": raw([0, 1, 9]),
    "B[0][0] must have": raw([0, 1, 2], value=[1.0]),
    "B[0][1, 0] must be a state in 0 to 1, got 2": np.array([[0, 1], [2, 0]]),
    "B[0][1, 0] must be a state in 0 to 1, got -1": np.array([[0, 1], [-1, 0]]),
}  # fmt: skip


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("name", ["A", "B"])
def test_errors_name_the_entry(name, compact, monkeypatch):
    if compact:
        monkeypatch.setattr(sparse_input, "MAX_WHOLE", 0)
    for message, bad in (BAD_A if name == "A" else BAD_B).items():
        arguments = {"A": GOOD, "B": [[GOOD]], name: bad}
        with pytest.raises((ValueError, TypeError)) as caught:
            GenerativeModel(**arguments)
        assert message in f"{type(caught.value).__name__}: {caught.value}"
        assert isinstance(caught.value, TypeError) == message.startswith("TypeError")


# --- large models ------------------------------------------------------------------------------


def large_table(side=50):
    """Return next states on a grid, more than a whole array is made of without need."""
    row, column = np.divmod(np.arange(side * side), side)
    moves = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
    return np.stack(
        [
            np.clip(row + down, 0, side - 1) * side + np.clip(column + right, 0, side - 1)
            for down, right in moves
        ],
        axis=1,
    )


def large_model(**arguments):
    table = large_table()
    start = np.eye(1, len(table))[0]
    return GenerativeModel(A=sp.eye_array(len(table)), B=table, D=[start], **arguments)


def test_large_arrays_stay_nonzero_entries_and_come_whole_when_asked_for():
    model = large_model()
    A, B = model.A[0], model.B[0]
    assert (A.shape, A.nnz, A.ndim, len(A)) == ((2500, 2500), 2500, 2, 2500)
    assert (B.shape, B.nnz, B.size) == ((2500, 2500, 5), 12_500, 31_250_000)
    assert "12500" in repr(B)
    assert np.array_equal(A.toarray(), np.eye(2500))
    whole = np.asarray(B)
    assert whole.shape == B.shape
    assert np.array_equal(whole[:, 7, 3], np.eye(2500)[large_table()[7, 3]])
    agent = Agent.from_model(model)
    assert agent.B[0] is B
    agent.step([0])
    agent.step([0])


def test_what_needs_a_whole_array_says_so(monkeypatch):
    monkeypatch.setattr(sparse_columns, "MAX_DENSE", 2**20)
    model = large_model()
    with pytest.raises(ValueError, match=r"no whole array of more than 1048576 is made"):
        model.B[0].toarray()
    with pytest.raises(ValueError, match=r"'MMP' .* needs a whole array of shape \(2500"):
        large_model(inference_algo="MMP")
    with pytest.raises(ValueError, match="needs a whole array of shape"):
        large_model(pymdp_version="0.0.7.1")
    agent = Agent.from_model(model)
    agent.step([0])
    with pytest.raises(ValueError, match="update_B needs pB"):
        agent.update_B(agent.qs)


def test_a_large_model_is_pickled_saved_and_replaced():
    model = large_model()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.B[0].index, model.B[0].index)
    assert not again.B[0].index.flags.writeable
    population = Population(model, 2, seed=3)
    population.step([0, 0])
    file = BytesIO()
    population.save(file)
    loaded = Population.load(BytesIO(file.getvalue()), again)
    assert np.array_equal(loaded.step([1, 1]), population.step([1, 1]))
    other = large_table()
    other[:, 0] = 0
    with pytest.raises(ValueError, match="model"):
        Population.load(BytesIO(file.getvalue()), model.replace(B=other))
    changed = model.replace(gamma=2.0)
    assert changed.B[0] is model.B[0]
    places = [(other[:, u], np.arange(2500)) for u in range(5)]
    sparse = [sp.csc_array((np.ones(2500), at), shape=(2500, 2500)) for at in places]
    assert np.array_equal(model.replace(B=[sparse]).B[0].index, model.replace(B=other).B[0].index)


def test_a_dense_array_packs_like_the_sparse_one():
    model = large_model(C=[np.arange(2500.0)])
    dense = GenerativeModel(
        A=np.eye(2500), B=model.B[0].toarray(), D=model.D, C=[np.arange(2500.0)]
    )
    assert dense.B[0].shape == model.B[0].shape
    for one, other in zip(episode(model, 0), episode(dense, 0), strict=True):
        assert np.array_equal(one, other)


PEAK = """
import tracemalloc
import numpy as np
from freeagent_core import Agent, GenerativeModel, Population
from test_sparse_input import large_table
import scipy.sparse as sp
def peak_rss():
    with open("/proc/self/status") as file:  # of this program, where ru_maxrss has its parent's
        line, = (line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
"""


def peaks(body):
    """Return what a program prints: its peaks of memory, in MiB."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", PEAK + body]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [float(x) for x in done.stdout.split()]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_grid_of_10000_cells_takes_no_dense_memory():
    traced, resident = peaks("""
table = large_table(100)
n = len(table)
A = sp.eye_array(n)
B = [sp.csc_array((np.ones(n), (table[:, u], np.arange(n))), shape=(n, n)) for u in range(5)]
before = peak_rss()
tracemalloc.start()
model = GenerativeModel(A, [B], D=[np.eye(1, n)[0]], policy_len=2)
agent = Agent.from_model(model)
population = Population(model, 4, seed=0)
for outcome in (0, 1, 1):
    agent.step([outcome])
    population.step(np.full(4, outcome))
print(tracemalloc.get_traced_memory()[1] / 2**20, peak_rss() - before)
""")
    assert traced < 50
    assert resident < 200


def test_packing_a_dense_array_of_zeros_takes_one_copy():
    traced, whole = peaks("""
table = large_table(40)
n = len(table)
B = np.zeros((n, n, 5))
for u in range(5):
    B[table[:, u], np.arange(n), u] = 1.0
tracemalloc.start()
model = GenerativeModel(np.eye(n), B)
print(tracemalloc.get_traced_memory()[1] / 2**20, B.nbytes / 2**20)
""")
    # the copy, A and its copy (a fifth each), and the flags of an action's nonzero entries
    assert traced < 1.6 * whole
