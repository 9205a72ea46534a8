"""The examples of linking: copied, compiled and run where this package is found."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import freeagent_core

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "linking"
PACKAGES = Path(freeagent_core.__file__).resolve().parents[1]
INCLUDES = [f"-I{freeagent_core.get_include()}", f"-I{sysconfig.get_path('include')}"]

needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("c++") is None, reason="no compiler"
)


def run(*command, where):
    """Run a command in a directory where this package is found, and return what it prints."""
    paths = [str(PACKAGES), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copied(name, tmp_path):
    """Return a copy of an example's directory, to build in."""
    return Path(shutil.copytree(EXAMPLES / name, tmp_path / name))


def build(where):
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", where=where)
