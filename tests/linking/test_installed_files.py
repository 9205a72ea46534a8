"""What a wheel has for compiled callers: the header and c_api.pxd, no file of private kernels."""

import subprocess
import sys
from pathlib import Path

import pytest

import freeagent_core

PACKAGE = Path(freeagent_core.__file__).resolve().parent
SETUP = PACKAGE.parent / "setup.py"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as it is installed."""
    if not SETUP.exists():
        return PACKAGE
    where = tmp_path_factory.mktemp("built")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(where)]
    subprocess.run(command, cwd=SETUP.parent, check=True, capture_output=True)
    return where / "freeagent_core"


def test_files_for_compilers(installed):
    names = {
        path.relative_to(installed).as_posix()
        for path in installed.rglob("*")
        if path.suffix in (".h", ".pxd", ".pxi", ".c", ".pyx")
    }
    assert names == {"include/freeagent_core.h", "c_api.pxd"}
    assert (installed / "c_api.pyi").exists()
