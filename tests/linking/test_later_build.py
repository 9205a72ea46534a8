"""A later version of this package, built from these sources: its interface has one more function.
Programs that were compiled for either version meet both packages."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiled_examples import PACKAGES, build, copied, needs_compiler, run

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(importlib.util.find_spec("Cython") is None, reason="no Cython"),
    pytest.mark.skipif(
        not (ROOT / "freeagent_core" / "c_api.pyx").is_file(), reason="no sources here"
    ),
]

SETUP = """
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

extension = Extension(
    "freeagent_core.c_api",
    ["freeagent_core/c_api.pyx"],
    include_dirs=["csrc", "freeagent_core/include", numpy.get_include()],
)
setup(name="later", packages=[], ext_modules=cythonize([extension], language_level=3))
"""
# A program that calls the function that this version does not have.
PROGRAM = """
#include <freeagent_core.h>

static PyObject *call(PyObject *self, PyObject *args)
{
    const freeagent_api *api = freeagent_import();
    (void)self; (void)args;
    return api == NULL ? NULL : PyLong_FromLong(api->added());
}

static PyMethodDef functions[] = {{"call", call, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "new_program", NULL, -1, functions, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_new_program(void) { return PyModule_Create(&definition); }
"""
PROGRAM_SETUP = """
from setuptools import Extension, setup

extension = Extension("new_program", ["new_program.c"], include_dirs=[{include!r}])
setup(name="new_program", ext_modules=[extension])
"""


def changed(path, *replacements):
    """Replace texts that a file has once."""
    text = path.read_text()
    for old, new in replacements:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """The directory of the later package: this one, with another module of the interface."""
    sources = tmp_path_factory.mktemp("sources")
    for folder, names in (
        ("csrc", ("*.h",)),
        ("freeagent_core", ("*.pxd", "*.h", "__init__.py", "c_api.pyx")),
    ):
        for name in names:
            for path in (ROOT / folder).rglob(name):
                target = sources / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    package = sources / "freeagent_core"
    changed(
        package / "include" / "freeagent_core.h",
        ("} freeagent_api;", "    int (*added)(void);\n} freeagent_api;"),
    )
    last = "        int (*population_free)(freeagent_population* population) noexcept nogil\n"
    changed(package / "c_api.pxd", (last, last + "        int (*added)() noexcept nogil\n"))
    changed(
        package / "c_api.pyx",
        ("\n_api.abi = ", "\ncdef int added() noexcept nogil:\n    return 42\n\n_api.abi = "),
        ("\n_C_API = ", "_api.added = added\n\n_C_API = "),
    )
    (sources / "setup.py").write_text(SETUP)
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", where=sources)
    where = tmp_path_factory.mktemp("later")
    skipped = shutil.ignore_patterns("*.c", "*.pyx", "__pycache__", "c_api.*.so")
    shutil.copytree(PACKAGES / "freeagent_core", where / "freeagent_core", ignore=skipped)
    (built,) = package.glob("c_api.*.so")
    shutil.copy(built, where / "freeagent_core")
    shutil.copytree(package / "include", where / "freeagent_core" / "include", dirs_exist_ok=True)
    return where


def run_with(packages, program, code):
    """Run code with a program and the package of one version; return the process's end."""
    begin = f"""
import sys
sys.path[:0] = [{str(packages)!r}, {str(program)!r}]
import freeagent_core.c_api
assert freeagent_core.c_api.__file__.startswith(sys.path[0])
"""
    command = [sys.executable, "-c", begin + code]
    return subprocess.run(command, cwd=program, capture_output=True, text=True)


def test_a_program_of_this_version_runs_with_the_later_one(later, tmp_path):
    program = copied("c", tmp_path)
    build(program)  # with the header of this version
    done = run_with(later, program, "import corridor; print(corridor.run(10, 5))")
    assert done.stdout.strip() == "10", done.stderr


def test_a_program_of_the_later_version(later, tmp_path):
    include = str(later / "freeagent_core" / "include")
    (tmp_path / "new_program.c").write_text(PROGRAM)
    (tmp_path / "setup.py").write_text(PROGRAM_SETUP.format(include=include))
    build(tmp_path)
    code = "import new_program; print(new_program.call())"
    done = run_with(later, tmp_path, code)
    assert done.stdout.strip() == "42", done.stderr
    done = run_with(PACKAGES, tmp_path, code)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ImportError: this program was compiled for a later freeagent_core")
