"""``freeagent-core report`` as a user runs it, and interrupts it."""

import importlib.util
import json
import os
import signal
import time

import pytest
from short_reports import SHORT_COMMAND, command

from freeagent_core.__main__ import main

PATIENCE = 120  # seconds on a busy machine


def group_is_empty(group):
    """Return whether no process of a group is left, but for a moment to end."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def wait_for(process, text):
    """Read what a report says on stderr until a line has `text`."""
    said = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return
    raise AssertionError("".join(said))


def test_whole_report(tmp_path):
    """The whole command, with all files; without `run_short_command` it takes longer."""
    out = tmp_path / "deep" / "out"
    model = tmp_path / "mine.py"
    model.write_text(
        "import numpy as np\n"
        "A = np.eye(3)\n"
        "B = np.stack([np.roll(np.eye(3), k, axis=0) for k in (0, 1)], axis=-1)\n"
        "C = np.array([0.0, 0.0, 2.0])\n"
    )
    options = ("--model", model, "--agents", "1,3", "--budget-ms", "5", "--quick", "--out", out)
    process = command(*options, program=SHORT_COMMAND)
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert sorted(p.name for p in out.iterdir()) == ["report.html", "report.json", "report.md"]
    report = json.loads((out / "report.json").read_text())
    assert report["settings"]["agents"] == [1, 3, 30]
    assert report["settings"]["budget_ms"] == 5.0
    assert report["settings"]["quick"] is True
    assert report["model"]["name"] == str(model)
    assert "Key figures" in said
    assert len(said.splitlines()) < 50  # about a screen
    assert os.listdir(out.parent) == ["out"]
    assert group_is_empty(process.pid)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("30 agents, each way", signal.SIGINT),
        ("30 agents, each way", signal.SIGTERM),
        ("peers that are installed", signal.SIGINT),
    ],
)
def test_interrupted(tmp_path, moment, number):
    """With worker processes, and with the peers' process: no files, no processes."""
    out = tmp_path / "out"
    process = command("--model", "grid-5x5", "--out", out, program=SHORT_COMMAND)
    wait_for(process, moment)
    time.sleep(0.3)
    # Ctrl-C reaches all processes of a terminal
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted; nothing was written" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
    assert group_is_empty(process.pid)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--agents", "1,x"], "whole numbers separated by commas, got 'x'"),
        (["--agents", "0"], "must be in 1 to 1,000,000, got 0"),
        (["--budget-ms", "-1"], "must be a positive number, got '-1'"),
        (["--budget-ms", "nan"], "must be a positive number"),
        (["--compare", "a.json"], "expected 2 arguments"),
    ],
)
def test_bad_options(arguments, said, capsys):
    with pytest.raises(SystemExit) as info:
        main(["report", *arguments])
    assert info.value.code == 2
    assert said in capsys.readouterr().err


def test_bad_models_and_folders(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for arguments, said in (
        (["--model", "nothing"], "neither a name"),
        (["--model", "grid-5x5", "--out", str(tmp_path / "file")], "is a file, not a folder"),
    ):
        assert main(["report", *arguments]) == 2
        assert said in capsys.readouterr().err


def test_without_the_extra(monkeypatch, capsys):
    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jinja2" else whole(name)
    )
    with pytest.raises(SystemExit):
        main(["report"])
    assert "needs Jinja2: pip install 'freeagent-core[report]'" in capsys.readouterr().err
