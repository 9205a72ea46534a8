"""Where the time of a step goes: belief update, policy evaluation, sampling, and the rest."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from freeagent_core.model import GenerativeModel
from freeagent_core.population import Population
from freeagent_core.report.environment import Environments
from freeagent_core.report.rounds import EPISODE

PHASES = ("infer_states", "infer_policies", "sample_action")
LABELS = {
    "infer_states": "belief update",
    "infer_policies": "policy evaluation",
    "sample_action": "action sampling",
    "step": "all three in one call",
}


def measure(
    model: GenerativeModel,
    size: int,
    seconds: float,
    min_rounds: int,
    advance: Callable[[float], None] = lambda share: None,
) -> dict[str, list[float]]:
    """Return the seconds per agent of each phase, and of one call for all, round by round.

    A population on one thread: the cost of its calls is shared by `size` agents. Rounds of
    the three calls and of the one call alternate.
    """
    begin = time.perf_counter()
    pairs = [(Population(model, size, 1, seed=0), Environments(model, [size, k])) for k in range(2)]
    for population, environments in pairs:
        population.step(environments.reset(size))
    once = _episode(*pairs[1], 1, phased=False)["step"]
    ticks = int(min(EPISODE, max(1.0, seconds / 4 / min_rounds / max(once * size, 1e-9))))
    found: dict[str, list[float]] = {name: [] for name in (*PHASES, "step")}
    done = 0
    while done < min_rounds or (done < 40 and time.perf_counter() - begin < seconds):
        for phased in (True, False):
            for name, value in _episode(*pairs[not phased], ticks, phased).items():
                found[name].append(value)
        done += 1
        advance(min(1.0, (time.perf_counter() - begin) / seconds))
    return found


def _episode(
    population: Population, environments: Environments, ticks: int, phased: bool
) -> dict[str, float]:
    size = len(population)
    names = PHASES if phased else ("step",)
    totals = np.zeros(len(names))
    clock = time.perf_counter
    population.reset()
    observations = environments.reset(size)
    for _ in range(ticks):
        if phased:
            marks = [clock()]
            population.infer_states(observations)
            marks.append(clock())
            population.infer_policies()
            marks.append(clock())
            actions = population.sample_action()
            marks.append(clock())
            totals += np.diff(marks)
        else:
            start = clock()
            actions = population.step(observations)
            totals += clock() - start
        observations = environments.step(actions)
    return dict(zip(names, (totals / ticks / size).tolist(), strict=True))
