"""The function modules of pymdp 0.0.7.1, against what its own functions returned."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import random_arrays

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CONTENTS = json.loads((GOLDEN / "pymdp_v0_functions.json").read_text())
# models in spreadsheets, for which pandas would be needed
LEFT_OUT = {
    "create_A_matrix_stub",
    "create_B_matrix_stubs",
    "read_A_matrix",
    "read_B_matrices",
    "convert_A_stub_to_ndarray",
    "convert_B_stubs_to_ndarray",
}


def module(name):
    return importlib.import_module(f"freeagent_core.pymdp_v0.{name}")


@pytest.mark.parametrize("name", CONTENTS["names"])
def test_every_public_name_is_here(name):
    assert len(CONTENTS["names"][name]) > 1
    assert set(CONTENTS["names"][name]) - set(vars(module(name))) <= LEFT_OUT
    assert set(CONTENTS["names"][name]) - LEFT_OUT == set(module(name).__all__)


def assert_same(ours, golden):
    if isinstance(golden, dict) and "object" in golden:
        assert ours.dtype == object
        for mine, theirs in zip(ours, golden["object"], strict=True):
            assert_same(mine, theirs)
    elif isinstance(golden, dict):
        assert list(np.shape(ours)) == golden["shape"]
        np.testing.assert_allclose(np.ravel(ours), golden["values"], rtol=1e-9, atol=1e-11)
    elif isinstance(golden, list):
        assert isinstance(ours, list | tuple)
        for mine, theirs in zip(ours, golden, strict=True):
            assert_same(mine, theirs)
    else:
        assert ours == pytest.approx(golden, rel=1e-9, abs=1e-11)


def test_results_are_those_of_pymdp():
    spec = importlib.util.spec_from_file_location(
        "make_pymdp_v0_functions", GOLDEN / "make_pymdp_v0_functions.py"
    )
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    ours = type("ours", (), {name: module(name) for name in maker.MODULES})
    results = list(maker.calls(ours, random_arrays))
    assert len(results) == len(CONTENTS["results"]) > 200
    for (name, mine), (theirs, golden) in zip(results, CONTENTS["results"], strict=True):
        assert name == theirs
        assert_same(mine, golden)
