"""What the C interface costs, and what a compiled loop gains.

    pip install -e '.[bench]' Cython && python benchmarks/linking.py

In a checkout: the first table's loop over the kernels is compiled with their private .pxd files.

1. A step of one agent by a call of ``agent_step`` beside the kernels of that step (infer, keep,
   draw), on the same observation, in alternation.
2. 1,000 agents of the 5 x 5 grid and their environments: the Cython example
   (examples/linking/cython), beside a Python loop over ``Population.step`` whose environments are
   (a) Python, agent by agent, (b) one indexed NumPy array; on one thread and on two.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import models
import numpy as np
from Cython.Build import cythonize
from setuptools import Extension
from setuptools.dist import Distribution

import freeagent_core
from freeagent_core import GenerativeModel, Population

ROOT = Path(__file__).resolve().parents[1]
SIZE, TICKS, ROUNDS = 1000, 20, 15


def compiled(source: Path, where: str) -> Any:
    """Compile a Cython source into a directory and return the module."""
    includes = [freeagent_core.get_include(), str(ROOT / "csrc"), np.get_include()]
    extension = Extension(
        source.stem, [str(source)], include_dirs=includes, extra_compile_args=["-O3"]
    )
    (made,) = cythonize(
        [extension], build_dir=where, include_path=[str(ROOT)], language_level=3, quiet=True
    )
    build = Distribution({"ext_modules": [made]}).get_command_obj("build_ext")
    build.build_lib = build.build_temp = where
    build.ensure_finalized()
    build.run()
    sys.path.insert(0, where)
    return importlib.import_module(source.stem)


def cost_of_a_call(calls: Any) -> None:
    """Print the nanoseconds of a step through the interface and of its kernels."""
    print(f"{'ns a step, medians of 51':<36}{'agent_step':>11}{'kernels':>9}{'beyond':>8}")
    for name, make in models.MODELS.items():
        model = GenerativeModel(**make())
        seen = np.array([[n - 1 for n in model.num_obs]])
        repeats = max(1, round(0.002 / max(calls.Handles(model, 1).step_agents(seen, 3), 1e-7)))
        kept: list[Any] = []  # so that each round has other memory: where it is matters too
        pairs = np.array([_pair(calls, model, seen, repeats, kept) for _ in range(51)])
        ours, kernels = np.median(pairs, axis=0) * 1e9
        beyond = np.median(pairs[:, 0] - pairs[:, 1]) * 1e9
        print(f"{name:<36}{ours:>11.0f}{kernels:>9.0f}{beyond:>8.0f}", flush=True)


def _pair(calls: Any, model: Any, seen: Any, repeats: int, kept: list[Any]) -> tuple[float, float]:
    """Return the seconds of a step, and of its kernels, both of a new agent."""
    handles = calls.Handles(model, 1)
    kept += [handles, np.empty(int(np.random.default_rng().integers(1, 4096)))]
    handles.step_agents(seen, 5)
    return handles.step_agents(seen, repeats), calls.kernels(model, seen[0], repeats)


def python_loop(model: Any, num_threads: int, moves: Any, vectorised: bool) -> float:
    """Return the seconds of an episode of a Python loop."""
    population = Population(model, SIZE, num_threads=num_threads, seed=0)
    table = moves if vectorised else moves.tolist()
    begin = time.perf_counter()
    cells = np.zeros(SIZE, dtype=np.int64)
    for _ in range(TICKS):
        actions = population.step(cells)[:, 0]
        if vectorised:
            cells = table[cells, actions]
        else:
            for i in range(SIZE):
                cells[i] = table[cells[i]][actions[i]]
    return time.perf_counter() - begin


def cython_loop(grid: Any, model: Any, threads: ThreadPoolExecutor | None) -> float:
    """Return the seconds of an episode of the example's loop."""
    cells = np.zeros(SIZE, dtype=np.int64)
    begin = time.perf_counter()
    if threads is None:
        grid.run(model, cells, TICKS)
    else:
        half = SIZE // 2
        parts = [
            threads.submit(grid.run, model, cells[first : first + half], TICKS, 0, first)
            for first in (0, half)
        ]
        for part in parts:
            part.result()
    return time.perf_counter() - begin


def gain_of_a_loop(grid: Any) -> None:
    """Print the microseconds a tick of 1,000 agents and their environments."""
    moves = models.grid_transitions(5, 5).argmax(axis=0)
    print(f"\nus a tick of {SIZE} agents, grid 5x5, medians of {ROUNDS}; share: of the Python loop")
    print(f"{'':<26}{'Cython':>8}{'Python':>8}{'share':>7}{'NumPy':>8}{'share':>7}")
    with ThreadPoolExecutor(2) as pool:
        for policy_len in (1, 2):
            model = grid.make_model(policy_len)
            for num_threads in (1, 2):
                threads = pool if num_threads == 2 else None
                times = np.array(
                    [
                        (
                            cython_loop(grid, model, threads),
                            python_loop(model, num_threads, moves, False),
                            python_loop(model, num_threads, moves, True),
                        )
                        for _ in range(ROUNDS)
                    ]
                )
                ours, slow, fast = np.median(times, axis=0) * 1e6 / TICKS
                shares = np.median(times[:, :1] / times[:, 1:], axis=0)
                print(
                    f"{f'policy_len {policy_len}, {num_threads} threads':<26}{ours:>8.0f}"
                    f"{slow:>8.0f}{shares[0]:>7.2f}{fast:>8.0f}{shares[1]:>7.2f}",
                    flush=True,
                )


def main() -> None:
    with tempfile.TemporaryDirectory() as where:
        calls = compiled(ROOT / "benchmarks" / "linking_calls.pyx", where)
        grid = compiled(ROOT / "examples" / "linking" / "cython" / "grid.pyx", where)
        cost_of_a_call(calls)
        gain_of_a_loop(grid)


if __name__ == "__main__":
    main()
