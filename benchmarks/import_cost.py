"""What an import costs beyond NumPy, and the size of a wheel.

    python benchmarks/import_cost.py

Each import runs in processes of its own; medians of five, after one that fills the disk cache.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 5
MEASURE = """
import os, resource, time
import numpy
def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
before, start = memory(), time.perf_counter()
import {module}
print(time.perf_counter() - start, memory() - before)
"""


def measure(module):
    """Return the median seconds and bytes that importing `module` takes after NumPy."""
    runs = []
    for _ in range(ROUNDS + 1):
        run = subprocess.run(
            [sys.executable, "-c", MEASURE.format(module=module)],
            capture_output=True,
            text=True,
            cwd=tempfile.gettempdir(),
        )
        if run.returncode:
            return None
        runs.append([float(x) for x in run.stdout.split()])
    return [statistics.median(column) for column in zip(*runs[1:], strict=True)]


def wheel_bytes():
    """Return the size of a wheel that is built from this checkout."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, root],
            check=True,
        )
        return next(Path(folder).glob("*.whl")).stat().st_size


def main():
    for module in ("freeagent_core", "pymdp.legacy.agent"):
        cost = measure(module)
        if cost is None:
            print(f"{module:20} not installed")
        else:
            print(f"{module:20} {cost[0]:8.3f} s {cost[1] / 2**20:8.1f} MiB beyond NumPy")
    print(f"{'wheel':20} {wheel_bytes() / 2**20:8.2f} MiB")


if __name__ == "__main__":
    main()
