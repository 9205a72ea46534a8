#!/usr/bin/env -S uv run
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Tasks: `nox -l` lists them, `nox -s tests` runs one."""

from __future__ import annotations

import shutil
import time
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

MOST_BYTES = 6 * 2**20  # that a wheel may add to an installation, byte code included
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests and doctests, built in place."""
    session.install("-e", ".[test,report]")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def ray(session: nox.Session) -> None:
    """Run the tests on a Ray cluster of two nodes."""
    session.install("-e", ".[ray]", "pytest>=8", "hypothesis>=6.100")
    session.run("pytest", "tests/ray", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("sp-repo-review", ".")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation into `site/`, warnings as errors; `-- serve` shows it."""
    session.install("--group", "docs")
    if session.posargs[:1] == ["serve"]:
        session.run("mkdocs", "serve")
        return
    session.run("mkdocs", "build", "--strict")


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Time this beside pymdp; arguments name files of `benchmarks/`."""
    session.install("-e", ".[bench]")
    for name in session.posargs or ["peers.py", "coordination.py"]:
        session.run("python", f"benchmarks/{name}")


@nox.session(default=False)
@nox.parametrize("sanitizer", ["address", "thread"])
def sanitizers(session: nox.Session, sanitizer: str) -> None:
    """Run the tests with memory or data-race checks (GCC's), in an environment of their own."""
    session.run("bash", f"tests/sanitizers/{sanitizer}_sanitizer.sh", external=True)


@nox.session(python=PYTHONS, default=False)
def wheel(session: nox.Session) -> None:
    """Build and repair a wheel, and run the tests against it where no compiler is found."""
    session.install("--group", "build")
    work = Path(session.create_tmp()).resolve()
    for name in ("built", "repaired", "checkout"):
        shutil.rmtree(work / name, ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(work / "built"))
    (built,) = (work / "built").glob("*.whl")
    session.run("auditwheel", "repair", "--strip", "-w", str(work / "repaired"), str(built))
    (repaired,) = (work / "repaired").glob("*.whl")
    session.run("python", "-m", "venv", "--clear", str(work / "empty"))
    python = str(work / "empty" / "bin" / "python")
    no_compiler = {"CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}
    install = [python, "-m", "pip", "install", "--only-binary=:all:"]
    session.run(*install, "numpy", external=True)
    before, begin = _size_of(work / "empty"), time.monotonic()
    session.run(*install, str(repaired), external=True, env=no_compiler)
    seconds, added = time.monotonic() - begin, _size_of(work / "empty") - before
    with zipfile.ZipFile(repaired) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    session.log(
        f"beyond NumPy: {seconds:.1f} s to install; {_mib(repaired.stat().st_size)} to download, "
        f"{_mib(unpacked)} unpacked, {_mib(added)} with the byte code that pip makes"
    )
    if added > MOST_BYTES:
        session.error(f"a wheel may have {_mib(MOST_BYTES)}")
    session.run(*install, f"freeagent-core[test,report] @ {repaired.as_uri()}", external=True)
    (work / "checkout").mkdir()
    for name in ("tests", "benchmarks", "docs", "examples"):  # without the package's sources
        shutil.copytree(name, work / "checkout" / name)
    for path in [*Path().glob("*.md"), Path("LICENSE"), Path("pyproject.toml")]:
        shutil.copy(path, work / "checkout")
    of_sources = "--ignore=tests/test_layers.py"  # it reads the package's sources
    with session.chdir(work / "checkout"):
        session.run(python, "-m", "pytest", "tests", of_sources, *session.posargs, external=True)


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"


if __name__ == "__main__":
    nox.main()
