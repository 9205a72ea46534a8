"""Each kernel over sizes, beside the NumPy expression, pymdp.legacy's and pymdp 1.x's functions.

    pip install -e '.[bench]' && pytest benchmarks/test_kernels.py -k states_info_gain
    pytest benchmarks/test_kernels.py --benchmark-only --benchmark-group-by=param:name,param:size

A test is a kernel, a size and a side; ours runs many times in one call, without Python between
(`freeagent_core.kernels`), and the table at the end has the time of one run. The cases are those of
``freeagent-core bench``, which alternates the sides and has the distance to the machine's limit;
tests/bench/test_cases.py compares the results of all sides.
"""

import contextlib
import io

import pytest

from freeagent_core.bench.cases import CASES
from freeagent_core.bench.measuring import SIDES, runs_within, sides_of

CALL_SECONDS = 1e-4  # of a timed call of ours: pytest-benchmark times many of them


@pytest.mark.parametrize("side", ["kernel", *SIDES])
@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name, case in CASES.items() for size in case.sizes]
)
def test_kernel(benchmark, name, size, side):
    problem = CASES[name].make(size)
    benchmark.extra_info.update(kernel=name, size=size, side=side, runs=1)
    if side == "kernel":
        runs = runs_within(problem.ours, CALL_SECONDS)
        benchmark.extra_info["runs"] = runs
        benchmark(problem.ours, runs)
        return
    sides = sides_of(name, problem)
    if side not in sides:
        pytest.skip(f"{side} has no function for {name}, or is not installed")
    with contextlib.redirect_stdout(io.StringIO()):  # pymdp prints from inside MMP
        benchmark(sides[side])
