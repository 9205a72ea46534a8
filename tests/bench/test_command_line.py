"""``freeagent-core bench`` as a user runs it."""

import sys

import pytest

from freeagent_core.__main__ import main
from freeagent_core.bench.cases import CASES
from freeagent_core.bench.measuring import measure, sides_of


def test_table(capsys):
    command = ["bench", "log_eps", "sample", "--sizes", "16", "--seconds", "0", "--no-peers"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:5] == ["kernel", "size", "time", "GFLOP/s", "GB/s"]
    assert [line.split()[:2] for line in lines[2:]] == [["log_eps", "16"], ["sample", "16"]]
    assert lines[2].split()[3] == "ns"
    assert lines[2].count("x") == 1  # NumPy alone


def test_table_on_a_terminal(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["bench", "sum", "--sizes", "16", "--seconds", "0", "--no-peers"]) == 0
    assert "GFLOP/s" in capsys.readouterr().out


def test_list(capsys):
    assert main(["bench", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CASES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lgo"], "did you mean log?"),
        (["log", "--sizes", "a"], "must be numbers and commas"),
        (["log", "--sizes", "1"], "must be in 4 to"),
        (["log", "--seconds", "-1"], "must not be negative"),
    ],
)
def test_bad_arguments(capsys, arguments, message):
    with pytest.raises(SystemExit):
        main(["bench", *arguments])
    assert message in capsys.readouterr().err


def test_sides(monkeypatch):
    problem = CASES["softmax"].make(16)
    assert list(sides_of("softmax", problem)) == ["NumPy", "pymdp.legacy", "pymdp 1.x"]
    monkeypatch.setitem(sys.modules, "pymdp.legacy.maths", None)
    monkeypatch.setitem(sys.modules, "jax", None)
    assert list(sides_of("softmax", problem)) == ["NumPy"]


def test_row():
    row = measure("gemv", 16, CASES["gemv"].make(16), 0.0, with_peers=False)
    assert row.operations == 2 * 16 * 16
    assert row.seconds > 0
    assert row.share > 0
    assert list(row.others) == ["NumPy"]
