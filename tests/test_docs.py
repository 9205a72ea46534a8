"""The page for pymdp's users names everything that pymdp's agent has."""

import inspect
import re
from pathlib import Path

from pymdp.legacy.agent import Agent as Reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "coming_from_pymdp.md"


def test_every_argument_and_method_is_listed():
    named = set(re.findall(r"`([A-Za-z_]+)`", PAGE.read_text(encoding="utf-8")))
    arguments = set(inspect.signature(Reference).parameters)
    methods = {
        name
        for name, value in vars(Reference).items()
        if inspect.isfunction(value) and not name.startswith(("_construct", "_get", "__"))
    }
    assert arguments | methods <= named
