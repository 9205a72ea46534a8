"""The machine, the versions and the commit that a report is of."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import freeagent_core
from freeagent_core import __main__ as main_module

PACKAGES = ("numpy", "scipy", "inferactively-pymdp", "jax", "matplotlib", "Jinja2", "gymnasium")


def describe() -> dict[str, Any]:
    """Return what to know about this machine, as JSON takes it."""
    details = [line.split(maxsplit=2) for line in main_module.info().splitlines()]
    simd = next((" ".join(d[2:]) for d in details if d[:2] == ["SIMD", "level"]), "unknown")
    return {
        "processor": _processor(),
        "processors": num_processors(),
        "simd": simd,
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": _load(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "freeagent_core": freeagent_core.__version__,
        "commit": commit(),
        "packages": versions(),
    }


def num_processors() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions of the packages that matter and are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Return the commit of the checkout that the package is imported from, if it is one."""
    root = Path(freeagent_core.__file__).resolve().parent
    run = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    # a package installed below another project's checkout is not of that project's commit
    tracked = ["git", "-C", str(root), "ls-files", "--error-unmatch", "__init__.py"]
    changed = ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no", "."]
    try:
        subprocess.run(tracked, capture_output=True, check=True, timeout=10)
        found = subprocess.run(run, capture_output=True, check=True, timeout=10, text=True)
        is_changed = subprocess.run(
            changed, capture_output=True, check=True, timeout=10, text=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() + ("-modified" if is_changed else "")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None
