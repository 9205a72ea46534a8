"""`Agent` in the API reference, with its compiled methods.

Their signatures are those of the stub, their docstrings those of the ``.pyx``; neither is imported.
"""

import re
from pathlib import Path
from typing import Any

import griffe

AGENT = "freeagent_core.agent.Agent"
SOURCE = Path(__file__).resolve().parents[2] / "freeagent_core" / "_agent" / "calls.pyx"
STUB = SOURCE.with_suffix(".pyi")
PARAMETERS = re.compile(r"Parameters\n-{10}\n.*?\n\n", re.S)


class CompiledMethods(griffe.Extension):
    """Put a function in the place of ``infer_states = calls.infer_states`` and the like."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """See `griffe.Extension`."""
        if cls.path != AGENT:
            return
        assert cls.docstring is not None
        cls.docstring.value = PARAMETERS.sub(  # a table of forty rows that say the same
            "The arguments are those of `GenerativeModel`.\n\n", cls.docstring.value
        )
        functions = griffe.visit("calls", filepath=STUB, code=STUB.read_text()).functions
        methods = [
            name
            for name, member in cls.attributes.items()
            if str(member.value) == f"calls.{name}" and name in functions
        ]
        if not methods:
            raise griffe.GriffeError(f"{AGENT} has no method of {SOURCE.name}")
        for name in methods:
            stub = functions[name]
            cls.set_member(
                name,
                griffe.Function(
                    name,
                    parameters=stub.parameters,
                    returns=stub.returns,
                    lineno=cls.attributes[name].lineno,
                    docstring=griffe.Docstring(docstring_of(name), parser="numpy"),
                ),
            )


def docstring_of(name: str) -> str:
    """Return what a function of the ``.pyx`` has as its docstring."""
    source = SOURCE.read_text(encoding="utf-8")
    found = re.search(rf'^def {name}\(.*?\):\n    """(.*?)"""', source, re.M | re.S)
    if found is None:
        raise griffe.GriffeError(f"{SOURCE} has no docstring of {name}")
    return re.sub(r"^    ", "", found.group(1), flags=re.M)
