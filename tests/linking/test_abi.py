"""Programs that were compiled for another version of the C interface than the installed one."""

import subprocess
import sys
from pathlib import Path

import pytest
from compiled_examples import PACKAGES, build, copied, needs_compiler, run

import freeagent_core

pytestmark = needs_compiler

# A package with another interface: what it has in the place of the capsule.
OTHER = """
#include "freeagent_core.h"
#include <string.h>

static freeagent_api other;

static PyObject *capsule(PyObject *self, PyObject *args)
{
    const freeagent_api *api = freeagent_import();
    (void)self; (void)args;
    if (api == NULL) return NULL;
    memcpy(&other, api, api->struct_size);
    other.struct_size = sizeof(other);
    %s
    return PyCapsule_New(&other, FREEAGENT_CAPSULE, NULL);
}

static PyMethodDef functions[] = {{"capsule", capsule, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "other", NULL, -1, functions, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_other(void) { return PyModule_Create(&definition); }
"""
SETUP = """
from setuptools import Extension, setup

setup(name="other", ext_modules=[Extension("other", ["other.c"], include_dirs=["include"])])
"""
RUN = """
import freeagent_core.c_api
import other

freeagent_core.c_api._C_API = other.capsule()
import corridor

print(corridor.run(10, 5))
"""


def other_package(where, change, header=lambda text: text):
    """Build a module whose `capsule` makes the interface of another version."""
    (where / "include").mkdir(parents=True)
    text = (Path(freeagent_core.get_include()) / "freeagent_core.h").read_text()
    (where / "include" / "freeagent_core.h").write_text(header(text))
    (where / "other.c").write_text(OTHER % change)
    (where / "setup.py").write_text(SETUP)
    build(where)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The example in C, compiled for this version."""
    where = copied("c", tmp_path_factory.mktemp("program"))
    build(where)
    return where


def test_a_later_interface_with_one_more_function(program, tmp_path):
    def one_more(text):
        changed = text.replace("} freeagent_api;", "    int (*added)(void);\n} freeagent_api;")
        # the later package's own check does not hold for the one that it is made from
        changed = changed.replace("api->struct_size < sizeof(freeagent_api)", "0")
        assert changed.count("added") == 1
        return changed

    # a garbage address at the end: the program must not depend on it
    other_package(tmp_path / "later", "other.added = (int (*)(void))16;", one_more)
    (tmp_path / "later" / "run.py").write_text(RUN)
    paths = f"import sys; sys.path[:0] = [{str(program)!r}]; "
    printed = run(sys.executable, "-c", paths + "exec(open('run.py').read())",
                  where=tmp_path / "later")  # fmt: skip
    assert printed.strip() == "10"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("other.abi = 2;", "compiled for ABI 1 of freeagent_core's C interface, the installed "),
        ("other.struct_size -= 8;", "compiled for a later freeagent_core than the installed "),
    ],
)
def test_an_interface_that_does_not_fit(program, tmp_path, change, message):
    other_package(tmp_path / "other", change)
    code = f"import sys; sys.path[:0] = [{str(program)!r}, {str(PACKAGES)!r}]\n{RUN}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "other", capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: this program was " + message)
