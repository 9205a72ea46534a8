"""The direction of every import: data flows one way through the layers (CONTRIBUTING.md)."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "freeagent_core"
KERNELS = PACKAGE / "_kernels"
LAYERS = ["base", "model", "inference", "learning", "action", "planning", "agents"]
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(.*)|c?import[ \t]+([\w.]+))", re.M
)

# Of the private Python modules: what else of the package each folder may import.
PRIVATE = {
    "_model": {"_kernels.base", "_kernels.model", "maths", "utils"},
    "_functions": {"_kernels", "_model", "maths", "utils", "model"},
    "_agent": {"_kernels", "_model", "maths", "utils", "model"},
}
# Of public ones: what they must not import.
FORBIDDEN = {
    "kernels": {"agent", "population", "_agent", "managers", "report"},
    "model.py": {"agent", "population", "_agent", "managers", "_functions", "_kernels.agents"},
    "agent.py": {"population", "managers"},
    "population.py": {"managers"},
}


def sources(folder):
    """Return all Python and Cython files below `folder`."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix in (".py", ".pyx", ".pxd", ".pyi")
    )


def imports(text):
    """Yield the modules of this package that `text` imports, without the package's name."""
    for source, names, module in IMPORT.findall(text):
        name = source or module
        if name == "freeagent_core":
            for each in names.strip("( )").split(","):
                yield each.split()[0] if each.split() else ""
        elif name.startswith("freeagent_core."):
            yield name.removeprefix("freeagent_core.")


def is_below(module, roots):
    """Whether `module` is one of `roots` or within one."""
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def test_what_counts_as_an_import():
    text = (
        "from freeagent_core._kernels.base.status cimport NO_MEMORY\n"
        "    from freeagent_core.model import GenerativeModel\n"
        "import freeagent_core.maths\nfrom freeagent_core import utils, maths\n"
        "# from freeagent_core.agent import Agent\nimport numpy\n"
    )
    expected = ["_kernels.base.status", "model", "maths", "utils", "maths"]
    assert list(imports(text)) == expected


def test_every_kernel_is_in_a_layer():
    folders = {path.parent.relative_to(KERNELS).as_posix() for path in sources(KERNELS)}
    assert folders - {"."} == set(LAYERS)
    assert [path.name for path in sources(KERNELS) if path.parent == KERNELS] == ["__init__.py"]


@pytest.mark.parametrize("layer", LAYERS)
def test_kernels_import_from_the_layers_before_them(layer):
    allowed = {f"_kernels.{each}" for each in LAYERS[: LAYERS.index(layer) + 1]}
    wrong, count = [], 0
    for path in sources(KERNELS / layer):
        for module in imports(path.read_text()):
            count += 1
            if not is_below(module, allowed):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {module}")
    assert not wrong
    assert count > 0


@pytest.mark.parametrize("folder", PRIVATE)
def test_private_modules(folder):
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in sources(PACKAGE / folder)
        for module in imports(path.read_text())
        if not is_below(module, PRIVATE[folder] | {folder})
    ]
    assert not wrong


@pytest.mark.parametrize("name", FORBIDDEN)
def test_public_modules(name):
    files = sources(PACKAGE / name) or [PACKAGE / name]
    found = {module for path in files for module in imports(path.read_text())}
    assert found
    assert not [module for module in found if is_below(module, FORBIDDEN[name])]


def test_managers_are_above_all_others():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in sources(PACKAGE)
        if path.relative_to(PACKAGE).parts[0] in ("_kernels", "_model", "_agent", "_functions")
        for module in imports(path.read_text())
        if is_below(module, {"managers"})
    ]
    assert not wrong
