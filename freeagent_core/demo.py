"""``freeagent-core demo``: agents in a grid world with walls and a cue.

The reward is at one of two ends of the upper corridor; the cue, on the way there, tells
which, most of the time. Each agent plans all 625 sequences of four moves at every tick.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from freeagent_core.agent import Agent
from freeagent_core.model import GenerativeModel
from freeagent_core.utils import obj_array_from_list

GRID = """
L...R
##.##
##C##
.....
"""
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))  # up, down, left, right, stay
POLICY_LEN = 4
CUE_VALIDITY = 0.9
REFERENCE_SECONDS = 5.0
MAX_TICKS_ALONE = 16
FRAME_WIDTH = 10
WIDEST = 80
BAR_WIDTH = 10
READ_NEXT = (
    "Read next, in the project's folder docs/: quickstart.md (a model of your own in 20 lines), "
    "active_inference.md (what the agent above did, and why), many_agents.md (populations)."
)


class GridWorld:
    """The grid, as a generative model and as the process that it describes.

    Factors: the cell, and the side of the reward. Modalities: the cell, the cue (nothing,
    left, right) and the outcome (nothing, reward, shock).
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        rows = GRID.split()
        self.cells = [
            (r, c) for r, row in enumerate(rows) for c, mark in enumerate(row) if mark != "#"
        ]
        marks = {rows[r][c]: i for i, (r, c) in enumerate(self.cells)}
        self.ends = [marks["L"], marks["R"]]
        self.cue = marks["C"]
        self.starts = [i for i, (r, _) in enumerate(self.cells) if r == len(rows) - 1]

    def following(self, cell: int, action: int) -> int:
        """Return the cell that a move leads to; walls and edges stop it."""
        row, column = self.cells[cell]
        down, right = MOVES[action]
        target = (row + down, column + right)
        return self.cells.index(target) if target in self.cells else cell

    def model(self) -> dict[str, Any]:
        """Return the arguments of an `Agent`."""
        n = len(self.cells)
        A_cell = np.zeros((n, n, 2))
        A_cell[range(n), range(n)] = 1.0
        A_cue = np.zeros((3, n, 2))
        A_cue[0] = 1.0
        A_cue[0, self.cue] = 0.0
        A_cue[1, self.cue] = CUE_VALIDITY, 1 - CUE_VALIDITY
        A_cue[2, self.cue] = 1 - CUE_VALIDITY, CUE_VALIDITY
        A_outcome = np.zeros((3, n, 2))
        A_outcome[0] = 1.0
        for side, end in enumerate(self.ends):
            A_outcome[0, end] = 0.0
            A_outcome[1, end, side] = 1.0
            A_outcome[2, end, 1 - side] = 1.0
        B_cell = np.zeros((n, n, len(MOVES)))
        for cell in range(n):
            for action in range(len(MOVES)):
                B_cell[self.following(cell, action), cell, action] = 1.0
        D_cell = np.zeros(n)
        D_cell[self.starts] = 1.0 / len(self.starts)
        return {
            "A": obj_array_from_list([A_cell, A_cue, A_outcome]),
            "B": obj_array_from_list([B_cell, np.eye(2)[:, :, None]]),
            "C": obj_array_from_list([np.zeros(n), np.zeros(3), np.array([0.0, 3.0, -3.0])]),
            "D": obj_array_from_list([D_cell, np.array([0.5, 0.5])]),
            "policy_len": POLICY_LEN,
        }

    def observe(self, cell: int, side: int) -> list[int]:
        """Return what an agent in `cell` sees."""
        cue = outcome = 0
        if cell == self.cue:
            told = side if self.rng.random() < CUE_VALIDITY else 1 - side
            cue = 1 + told
        if cell in self.ends:
            outcome = 1 if cell == self.ends[side] else 2
        return [cell, cue, outcome]


def simulate(
    world: GridWorld,
    agents: list[Any],
    ticks: Iterable[int],
    step: Callable[[Any, list[int]], Any],
    seconds: float = np.inf,
) -> tuple[int, float, float]:
    """Run the environment loop.

    Parameters
    ----------
    world : GridWorld
    agents : list
    ticks : iterable of int
    step : callable
        From an agent and its observation to an action.
    seconds : float
        Stop after this time.

    Returns
    -------
    steps : int
        Steps of agents taken.
    duration : float
        Time they took, in seconds.
    share : float
        Agents that have been at the reward.
    """
    cells = [int(cell) for cell in world.rng.choice(world.starts, size=len(agents))]
    sides = [int(side) for side in world.rng.integers(2, size=len(agents))]
    reached = [False] * len(agents)
    start = time.perf_counter()
    steps = 0
    for _ in ticks:
        for i, agent in enumerate(agents):
            action = step(agent, world.observe(cells[i], sides[i]))
            cells[i] = world.following(cells[i], int(action[0]))
            reached[i] |= cells[i] == world.ends[sides[i]]
            steps += 1
            if time.perf_counter() - start > seconds:
                return steps, time.perf_counter() - start, float(np.mean(reached))
    return steps, time.perf_counter() - start, float(np.mean(reached))


class Walk(NamedTuple):
    """What one agent did: per tick the cell, the observation and the belief in "left"."""

    cells: list[int]
    observations: list[list[int]]
    left: list[float]


def walk(world: GridWorld, agent: Any, side: int, ticks: int) -> Walk:
    """Let an agent look for the reward until it is there.

    Parameters
    ----------
    world : GridWorld
    agent : Agent
    side : {0, 1}
        Where the reward is: left or right.
    ticks : int
        Stop after so many.

    Returns
    -------
    steps : Walk
    """
    cell = world.starts[len(world.starts) // 2]
    steps = Walk([], [], [])
    for _ in range(ticks):
        observation = world.observe(cell, side)
        action = agent.step(observation)
        steps.cells.append(cell)
        steps.observations.append(observation)
        steps.left.append(float(agent.qs[1][0]))
        if observation[2] == 1:
            break
        cell = world.following(cell, int(action[0]))
    return steps


def columns() -> int:
    """Return how wide text may be: at most `WIDEST`, and not beyond the terminal."""
    return max(min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST), 1)


def say(text: str) -> None:
    """Print a paragraph."""
    print(textwrap.fill(text, max(columns() - 1, 20)))


def drawn(world: GridWorld, steps: Walk) -> str:
    """Return a walk as text: a frame per tick, and what the agent believes then."""
    frames = []
    for tick, (cell, observation, left) in enumerate(zip(*steps, strict=True), start=1):
        rows = [list(row) for row in GRID.split()]
        row, column = world.cells[cell]
        rows[row][column] = "@"
        cue, outcome = observation[1], observation[2]
        seen = ("", "cue: L", "cue: R")[cue] or ("", "reward", "shock")[outcome]
        frames.append([f"tick {tick}", *map("".join, rows), seen, f"L {left:.0%}"])
    lines = []
    frames_in_line = max(columns() // FRAME_WIDTH, 1)
    for start in range(0, len(frames), frames_in_line):
        some = frames[start : start + frames_in_line]
        lines += [
            "".join(f"{part:{FRAME_WIDTH}}" for part in row).rstrip()
            for row in zip(*some, strict=True)
        ]
        lines.append("")
    return "\n".join(lines)


def progress(ticks: int, label: str) -> Generator[int, None, None]:
    """Count to `ticks` with a progress bar on stderr, where that is a terminal.

    The bar is rich's; without rich it is one of signs. It is gone at the end, and when the
    generator is closed.
    """
    if not sys.stderr.isatty():
        yield from range(ticks)
        return
    try:
        rich = importlib.import_module("rich.progress")
    except ImportError:
        try:
            for tick in range(ticks):
                bar = "#" * (BAR_WIDTH * (tick + 1) // ticks)
                text = f"\r{label} [{bar:{BAR_WIDTH}}] {tick + 1}/{ticks}"
                print(text, end="", file=sys.stderr, flush=True)
                yield tick
        finally:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    else:
        console = importlib.import_module("rich.console").Console(stderr=True)
        yield from rich.track(range(ticks), description=label, console=console, transient=True)


def step_three_calls(agent: Any, observation: list[int]) -> Any:
    """Step an agent of pymdp."""
    agent.infer_states(observation)
    agent.infer_policies()
    return agent.sample_action()


def run(num_agents: int = 300, ticks: int = 12, seed: int = 0) -> None:
    """Run the demo and print its summary.

    Parameters
    ----------
    num_agents, ticks, seed : int
    """
    np.random.seed(seed)
    world = GridWorld(seed)
    arguments = world.model()
    model = GenerativeModel(**arguments)
    agent = Agent.from_model(model)
    alone = walk(world, agent, side=0, ticks=MAX_TICKS_ALONE)
    say(
        "One agent (@). The reward is at L or R, the other has a shock; C has a cue that is right "
        f"{CUE_VALIDITY:.0%} of the time. Nobody tells the agent to ask for the cue: of its "
        f"{len(model.policies)} plans of {POLICY_LEN} moves it prefers those that lead to what "
        "it likes and those that tell it what it does not know. Below each tick: what it sees, "
        "and how sure it is that the reward is at L."
    )
    print()
    print(drawn(world, alone))
    np.random.seed(seed)
    world = GridWorld(seed)
    agents = [Agent.from_model(model) for _ in range(num_agents)]
    say(
        f"Now {num_agents:,} agents, {ticks} ticks, {len(model.policies)} policies each, "
        "the reward at L for some and at R for others:"
    )
    with closing(progress(ticks, "freeagent_core")) as bar:
        ours = simulate(world, agents, bar, Agent.step)
    rows = [("freeagent_core", *ours)]
    try:
        reference = importlib.import_module("pymdp.legacy.agent").Agent
    except ImportError:
        note = "pymdp.legacy is not installed (pip install inferactively-pymdp): not compared."
    else:
        np.random.seed(seed)
        others = [reference(**arguments) for _ in range(3)]
        with closing(progress(ticks, "pymdp.legacy")) as bar:
            theirs = simulate(GridWorld(seed), others, bar, step_three_calls, REFERENCE_SECONDS)
        rows.append(("pymdp.legacy", *theirs))
        speed = [steps / duration for _, steps, duration, _ in rows]
        note = (
            f"The same loop with {len(others)} agents of pymdp.legacy, for at most "
            f"{REFERENCE_SECONDS:g} s: {speed[0] / speed[1]:,.0f} times fewer steps/s."
        )
    print(f"\n{'':16}{'steps':>8}{'seconds':>10}{'steps/s':>12}{'reached the reward':>20}")
    for name, steps, duration, share in rows:
        whole = steps >= ticks * (num_agents if name == "freeagent_core" else 3)
        shown = f"{share:.0%}" if whole else "-"
        print(f"{name:16}{steps:>8,}{duration:>10.2f}{steps / duration:>12,.1f}{shown:>20}")
    say(note)
    print()
    say(READ_NEXT)
