"""The examples of linking, compiled and run against the package that is imported here: .ci/run also
runs this file where nothing but an installed wheel is."""

import importlib.util
import shutil
import sys

import pytest
from compiled_examples import INCLUDES, build, copied, needs_compiler, run

pytestmark = needs_compiler

CORRIDORS = (
    "import corridor; print(corridor.run(1000, 5), corridor.run(1000, 3)); corridor.run(0, 1)"
)


def assert_corridors(where):
    code = f"try:\n    {CORRIDORS}\nexcept RuntimeError as error:\n    print(error)"
    printed = run(sys.executable, "-c", code, where=where)
    assert printed.splitlines() == ["1000 0", "size must be at least 1, got 0"]


def test_c(tmp_path):
    where = copied("c", tmp_path)
    build(where)
    assert_corridors(where)


def test_the_same_source_as_cpp(tmp_path):
    where = copied("c", tmp_path)
    (where / "corridor.c").rename(where / "corridor.cpp")
    setup = (where / "setup.py").read_text()
    (where / "setup.py").write_text(setup.replace("corridor.c", "corridor.cpp"))
    build(where)
    assert_corridors(where)


def test_cython(tmp_path):
    where = copied("cython", tmp_path)
    build(where)
    printed = run(sys.executable, "run.py", where=where).splitlines()
    assert printed[0].startswith("in the last cell: ")
    assert int(printed[0].rpartition(" ")[2]) > 0
    assert printed[1] == "the same from two threads: True"


@pytest.mark.parametrize("name", ["ctypes", "cffi", "numba"])
def test_python(name, tmp_path):
    if name != "ctypes" and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed (extra test)")
    where = copied(name, tmp_path)
    # corridor.py is not beside a module of the library's name
    shutil.move(where / "corridor.py", tmp_path / "corridor.py")
    assert run(sys.executable, "corridor.py", where=tmp_path).strip() == "1000"


@pytest.mark.parametrize(
    ("compiler", "language", "standard"),
    [("cc", "c", "c99"), ("cc", "c", "c17"), ("c++", "c++", "c++11"), ("c++", "c++", "c++20")],
)
def test_the_header_compiles_without_a_warning(compiler, language, standard, tmp_path):
    (tmp_path / "includes.h").write_text(
        "#include <freeagent_core.h>\n#include <freeagent_core.h>\n"
        "static inline int use(const freeagent_api *api) { (void)freeagent_number;"
        "(void)freeagent_text; (void)freeagent_doubles; (void)freeagent_indices;"
        "return api->last_error(); }\n"
    )
    flags = [f"-std={standard}", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsyntax-only"]
    source = ["-x", language, "includes.h"]
    system = [include.replace("-I", "-isystem", 1) for include in INCLUDES[1:]]
    run(compiler, *flags, INCLUDES[0], *system, *source, where=tmp_path)
    without = ["-pedantic", "-DFREEAGENT_NO_PYTHON", INCLUDES[0]]
    run(compiler, *flags, *without, *source, where=tmp_path)
