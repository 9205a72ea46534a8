"""Builds of this project side by side: each in a process of its own, timed in turn.

`Build` runs this file with another checkout's package first on the path; the models, the players
and what is timed are always those beside this file.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Build:
    """A process that steps agents with the package of the checkout at `path`."""

    def __init__(self, path):
        path = Path(path).resolve()
        if not (path / "freeagent_core" / "__init__.py").exists():
            raise SystemExit(f"no freeagent_core in {path}")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "builds.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(path)},
        )
        package = Path(self("package"))
        if package.parent.parent != path:
            raise SystemExit(f"{path} was asked for, {package} was imported")

    def __call__(self, *request):
        """Return what the other process answers to a request; see `Answers`."""
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        error, result = pickle.load(self._process.stdout)
        if error:
            raise RuntimeError(f"the build in another process: {error}")
        return result

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


class Answers:
    """What a `Build` can be asked."""

    def package(self):
        import freeagent_core

        return freeagent_core.__file__

    def prepare(self, arguments, size, task, ticks, seed):
        """Record an episode; return the seconds of a tick in it."""
        from players import player_of, recorded, replay

        from freeagent_core import GenerativeModel

        self.player = player_of(GenerativeModel(**arguments), size, task)
        self.observations = recorded(self.player, arguments, size, ticks, seed)
        return min(replay(self.player, self.observations, 1) for _ in range(3))

    def replay(self, episodes):
        """Return the seconds of a tick over some episodes."""
        from players import replay

        return replay(self.player, self.observations, episodes)


def main():
    answers = Answers()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            name, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            reply = (None, getattr(answers, name)(*arguments))
        except Exception as error:
            reply = (f"{type(error).__name__}: {error}", None)
        pickle.dump(reply, out)
        out.flush()


if __name__ == "__main__":
    main()
