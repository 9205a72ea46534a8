"""Worker processes killed at random, for a given time: ``python tests/long/worker_deaths.py``.

Each agent's history must equal that of a twin that was never disturbed; ends with 1 if not.
(tests/faults/test_worker_processes.py has deaths at each point, one by one.)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from manager_agents import own_agents  # noqa: E402

from freeagent_core.managers import ProcessPoolManager  # noqa: E402

AGENTS = 8


def run(start_method: str, waits: tuple[float, float], seconds: float) -> bool:
    rng, choose = np.random.default_rng(0), random.Random(0)
    twins = own_agents(AGENTS)
    kills = ticks = failed = wrong = 0
    with ProcessPoolManager(2, seed=0, start_method=start_method) as manager:
        for i, agent in enumerate(own_agents(AGENTS)):
            manager.register_agent(i, agent)
        end = time.monotonic() + seconds

        def kill() -> None:
            nonlocal kills
            while time.monotonic() < end:
                time.sleep(choose.uniform(*waits))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(choose.choice(manager.get_pool_status()["pids"]), signal.SIGKILL)
                    kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        calm = 0
        while calm < 3:  # and ticks afterwards
            calm += time.monotonic() > end
            seen = {i: [int(rng.integers(3))] for i in range(AGENTS)}
            for i, result in manager.step_all_agents(seen).items():
                if result.success:
                    wrong += not np.array_equal(result.result, twins[i].step(seen[i]))
                else:
                    failed += 1
            ticks += 1
        killer.join()
        for i, twin in enumerate(twins):
            agent = manager.unregister_agent(i)
            wrong += agent.curr_timestep != twin.curr_timestep
            wrong += not np.array_equal(agent.qs[0], twin.qs[0])
            wrong += not np.array_equal(agent.prev_actions, twin.prev_actions)
    print(
        f"{start_method}, a kill every {waits[0]} to {waits[1]} s: {kills} kills, {ticks} ticks, "
        f"{failed} results of a worker that died, {wrong} wrong",
        flush=True,
    )
    return wrong == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    seconds = 60 * parser.parse_args().minutes / 6
    holds = [
        run(method, waits, seconds)
        for method in ("spawn", "forkserver", "fork")
        for waits in ((0.1, 0.5), (0.01, 0.1))
    ]
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
