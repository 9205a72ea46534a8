"""The examples in the docstrings of compiled modules, which pytest does not look into."""

import doctest
import importlib
import pkgutil
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import freeagent_core

LIST = Path(freeagent_core.__path__[0], "_compiled_modules.txt")  # of a wheel
FOUND = [
    module.name
    for module in pkgutil.walk_packages(freeagent_core.__path__, "freeagent_core.")
    if not module.ispkg
    and str(getattr(importlib.util.find_spec(module.name), "origin", "")).endswith(
        tuple(EXTENSION_SUFFIXES)
    )
]
COMPILED = LIST.read_text().split() if LIST.exists() else FOUND


def test_all_compiled_modules_are_found():
    sources = {
        "freeagent_core." + ".".join(path.relative_to(root).with_suffix("").parts)
        for root in map(Path, freeagent_core.__path__)
        for path in root.rglob("*.pyx")
    }
    assert sources <= set(COMPILED)
    assert "freeagent_core._kernels.base.primitives" in COMPILED


@pytest.mark.parametrize("name", COMPILED)
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    source = Path(module.__file__).parent / f"{name.rpartition('.')[2]}.pyx"
    if source.exists():  # no example is overlooked
        assert result.attempted >= source.read_text().count(">>> ")
    assert result.failed == 0
