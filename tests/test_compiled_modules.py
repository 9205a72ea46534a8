"""Where imports find the compiled modules: in one shared object where a wheel is installed."""

import importlib
from pathlib import Path

import pytest

from freeagent_core._compiled_modules import FOLDER, Finder

LIST = Path(FOLDER, "_compiled_modules.txt")
NAME = "freeagent_core._kernels.base.primitives"


def test_a_module_of_the_shared_object():
    spec = Finder("/a/_compiled.so", frozenset([NAME])).find_spec(NAME, [f"{FOLDER}/_kernels/base"])
    assert (spec.name, spec.origin) == (NAME, "/a/_compiled.so")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("freeagent_core._kernels.base.other", [f"{FOLDER}/_kernels/base"]),
        (NAME, ["/another/freeagent_core/_kernels/base"]),  # another copy of this package
        (NAME, []),
        (NAME, None),
    ],
)
def test_what_is_not_its(name, path):
    assert Finder("/a/_compiled.so", frozenset([NAME])).find_spec(name, path) is None


@pytest.mark.skipif(not LIST.exists(), reason="built in place: each module has a file of its own")
def test_all_modules_are_in_one_file():
    names = LIST.read_text().split()
    assert NAME in names
    files = {importlib.import_module(name).__file__ for name in names}
    assert len(files) == 1
    assert not [path for path in Path(FOLDER).rglob("*.so") if str(path) not in files]
