"""What the C interface costs, and what a compiled loop gains.

    pip install -e '.[bench]' Cython && python benchmarks/linking.py
    python benchmarks/linking.py --instructions     # what is beyond, counted: needs valgrind

In a checkout: the first table's loop over the kernels is compiled with their private .pxd files.

1. A step of one agent by a call of ``agent_step``, and the kernels of that step on the memory of
   the same agent, from the same state: inference, policies and the probabilities to choose by
   (`infer`), their copy to the agent (`keep`), the draw (`draw_action`). What is beyond: the
   handle, the checks, the lock, memory to work in, the status, and the action's copy to the
   caller.
2. 1,000 agents of the 5 x 5 grid and their environments: the Cython example
   (examples/linking/cython), beside Python loops over ``Population.step``. Their environments
   are one array entry after the other, a list comprehension over lists, or one indexed NumPy
   array. All have made their agents before the clock starts.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
SIZE, TICKS, ROUNDS = 1000, 20, 25
PLACES, TURNS, WARM_UP = 5, 100, 5  # of the first table
COUNTED = 100  # steps


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
    print(
        f"{'ns a step, medians':<36}{'agent_step':>11}{'kernels':>9}{'beyond':>8}{'quartiles':>14}"
    )
    for name, model, seen in steps_to_time():
        repeats = max(1, round(5e-5 / calls.Handles(model, 1).step_agents(seen, 20)))
        kept: list[Any] = []  # so that agents have other memory: where it is matters too
        pairs = []
        for _ in range(PLACES):
            handles = calls.Handles(model, 1)
            kept += [handles, np.empty(int(np.random.default_rng().integers(1, 4096)))]
            for turn in range(TURNS):
                sides = [stepped(handles, seen, repeats, turn % 2 == side) for side in (0, 1)]
                pairs.append(sides if turn % 2 == 0 else sides[::-1])
        times = np.array(pairs) * 1e9
        ours, kernels = np.median(times, axis=0)
        low, beyond, high = np.quantile(times[:, 0] - times[:, 1], (0.25, 0.5, 0.75))
        print(
            f"{name:<36}{ours:>11.0f}{kernels:>9.0f}{beyond:>8.0f}{low:>7.0f}{high:>7.0f}",
            flush=True,
        )


def steps_to_time() -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the model and the observation of each model."""
    for name, make in models.MODELS.items():
        model = GenerativeModel(**make())
        yield name, model, np.array([[n - 1 for n in model.num_obs]])


def stepped(handles: Any, seen: Any, repeats: int, by_calls: bool) -> float:
    """Return the seconds of a step, by calls or of the kernels, of an episode's same steps."""
    handles.restart()
    handles.step_agents(seen, WARM_UP)
    if by_calls:
        return float(handles.step_agents(seen, repeats))
    return float(handles.step_kernels(seen[0], repeats))


def step_under_valgrind() -> None:
    """Do what `count_instructions` counts."""
    calls = importlib.import_module("linking_calls")
    for _, model, seen in steps_to_time():
        handles = calls.Handles(model, 1)
        handles.step_agents(seen, WARM_UP)
        handles.step_agents(seen, COUNTED)


def count_instructions(where: str) -> None:
    """Print the instructions of a step through the interface that are not in its kernels."""
    found = Path(where) / "counts"
    command = [
        *("valgrind", "--tool=callgrind", f"--callgrind-out-file={found}"),
        "--toggle-collect=*_c_api_6agents_agent_step",  # on in a call, and off in its kernels
        *(
            f"--toggle-collect=*10agent_step_{kernel}"
            for kernel in ("infer", "keep", "draw_action")
        ),
        "--dump-after=*linking_calls*Handles*step_agents",
        *(sys.executable, __file__, "--counted", where),
    ]
    subprocess.run(command, check=True, capture_output=True)
    parts = sorted(Path(where).glob("counts.*"), key=lambda path: int(path.suffix[1:]))
    print(f"{'instructions a step':<36}{'beyond':>8}")
    for name, part in zip(models.MODELS, parts[1::2], strict=True):  # others: of the warm-up
        (total,) = re.findall(r"^totals: (\d+)", part.read_text(), re.M)
        print(f"{name:<36}{int(total) / COUNTED:>8.0f}")


def of_entries(moves: Any) -> Callable[[Any, Any], Any]:
    """Return environments that are moved one array entry after the other."""
    table = moves.tolist()

    def move(cells: Any, actions: Any) -> Any:
        for i in range(SIZE):
            cells[i] = table[cells[i]][actions[i]]
        return cells

    return move


def of_lists(moves: Any) -> Callable[[Any, Any], Any]:
    """Return environments that are moved in a list comprehension."""
    table = moves.tolist()

    def move(cells: Any, actions: Any) -> Any:
        pairs = zip(cells.tolist(), actions.tolist(), strict=True)
        return np.array([table[cell][action] for cell, action in pairs])

    return move


def of_arrays(moves: Any) -> Callable[[Any, Any], Any]:
    """Return environments that are moved by one indexed array."""
    return lambda cells, actions: moves[cells, actions]


def python_loop(population: Any, move: Callable[[Any, Any], Any]) -> float:
    """Return the seconds of an episode of a Python loop."""
    population.reset()
    cells = np.zeros(SIZE, dtype=np.int64)
    begin = time.perf_counter()
    for _ in range(TICKS):
        cells = move(cells, population.step(cells)[:, 0])
    return time.perf_counter() - begin


def cython_loop(parts: list[Any], threads: ThreadPoolExecutor) -> float:
    """Return the seconds of an episode of the example's loop, a thread for each part."""
    for part in parts:
        part.reset()
    begin = time.perf_counter()
    if len(parts) == 1:
        parts[0].run(TICKS)
    else:
        for done in [threads.submit(part.run, TICKS) for part in parts]:
            done.result()
    return time.perf_counter() - begin


def gain_of_a_loop(grid: Any) -> None:
    """Print the microseconds a tick of 1,000 agents and their environments."""
    moves = models.grid_transitions(5, 5).argmax(axis=0)
    environments = (of_entries(moves), of_lists(moves), of_arrays(moves))
    print(
        f"\nus a tick of {SIZE} agents, grid 5x5, medians of {ROUNDS}; share: of each Python loop"
    )
    print(
        f"{'':<26}{'Cython':>8}{'entries':>9}{'share':>7}{'lists':>8}{'share':>7}"
        f"{'arrays':>8}{'share':>7}"
    )
    with ThreadPoolExecutor(2) as threads:
        for policy_len, num_threads in itertools.product((1, 2, 3), (1, 2)):
            model = grid.make_model(policy_len)
            population = Population(model, SIZE, num_threads=num_threads, seed=0)
            size = SIZE // num_threads
            parts = [grid.Simulation(model, size, 0, size * i) for i in range(num_threads)]
            times = np.array(
                [
                    [cython_loop(parts, threads)]
                    + [python_loop(population, move) for move in environments]
                    for _ in range(ROUNDS)
                ]
            )
            ours, *others = np.median(times, axis=0) * 1e6 / TICKS
            shares = np.median(times[:, :1] / times[:, 1:], axis=0)
            columns = "".join(
                f"{other:>{width}.0f}{share:>7.2f}"
                for width, other, share in zip((9, 8, 8), others, shares, strict=True)
            )
            label = f"policy_len {policy_len}, {num_threads} thread{'s'[: num_threads - 1]}"
            print(f"{label:<26}{ours:>8.0f}{columns}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--instructions", action="store_true", help="count, do not time")
    parser.add_argument("--counted", metavar="DIRECTORY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.counted:
        sys.path.insert(0, options.counted)
        step_under_valgrind()
        return
    with tempfile.TemporaryDirectory() as where:
        calls = compiled(ROOT / "benchmarks" / "linking_calls.pyx", where)
        if options.instructions:
            count_instructions(where)
            return
        grid = compiled(ROOT / "examples" / "linking" / "cython" / "grid.pyx", where)
        cost_of_a_call(calls)
        gain_of_a_loop(grid)


if __name__ == "__main__":
    main()
