"""Runs the tests against pymdp on random models for a given time, each time with new ones.

``python tests/differential.py --minutes 10``; what differs is made as small as can be by
hypothesis, printed, kept in ``.hypothesis/`` for the next run, and ends the command with 1.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# All constructor arguments at once first; then each area on its own.
FILES = [
    "tests/agent/test_parity_combinations.py",
    "tests/agent/test_parity_random.py",
    "tests/agent/test_parity_combinations.py",
    "tests/kernels/inference/test_message_passing.py",
    "tests/agent/test_parity_combinations.py",
    "tests/kernels/planning/test_sophisticated.py",
    "tests/pymdp_v0",
]
EXAMPLES = 100  # of each test in a round


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first round")
    options = parser.parse_args()
    seed = random.randrange(2**31) if options.seed is None else options.seed
    end = time.monotonic() + 60 * options.minutes
    environment = {**os.environ, "FREEAGENT_CORE_EXAMPLES": str(EXAMPLES)}
    rounds = models = 0
    while time.monotonic() < end:
        file = FILES[rounds % len(FILES)]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [file, f"--hypothesis-seed={seed + rounds}", "--hypothesis-show-statistics"]
        done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True)
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="\n")
            print(f"{file} differs with --seed {seed + rounds}, after {models} models")
            return 1
        models += sum(map(int, re.findall(r"- (\d+) passing", done.stdout)))
        rounds += 1
    print(f"{models} random models in {rounds} rounds without a difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
