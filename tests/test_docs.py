"""The page for pymdp's users names everything that pymdp's agent has; examples run."""

import inspect
import re
from pathlib import Path

import pytest
from pymdp.legacy.agent import Agent as Reference

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coming_from_pymdp.md"


def test_every_argument_and_method_is_listed():
    named = set(re.findall(r"`([A-Za-z_]+)`", PAGE.read_text(encoding="utf-8")))
    arguments = set(inspect.signature(Reference).parameters)
    methods = {
        name
        for name, value in vars(Reference).items()
        if inspect.isfunction(value) and not name.startswith(("_construct", "_get", "__"))
    }
    assert arguments | methods <= named


@pytest.mark.parametrize("page", ["README.md", "docs/many_agents.md"])
def test_examples_run(page):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    assert len(blocks) > 1
    exec("\n".join(blocks), {"__name__": "example"})
