"""The command line as a user runs it."""

import io
import os
import subprocess
import sys

import pytest

import freeagent_core
from freeagent_core import demo
from freeagent_core.__main__ import main


def test_info(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for word in (freeagent_core.__version__, "SIMD level", "threads", "NumPy"):
        assert word in out


def test_demo(capsys, monkeypatch):
    monkeypatch.setattr(demo, "REFERENCE_SECONDS", 0.01)
    assert main(["demo", "--agents", "20", "--ticks", "12"]) == 0
    out = capsys.readouterr().out
    assert "20 agents, 12 ticks, 625 policies" in out
    alone = out.index("One agent (@)")
    assert alone < out.index("tick 1") < out.index("cue: L") < out.index("20 agents")
    assert "reward\n" in out
    assert "docs/" in out.split("\n\n")[-1]
    assert max(map(len, out.splitlines())) <= demo.WIDEST
    assert "pymdp.legacy" in out
    row = next(line for line in out.splitlines() if line.startswith("freeagent_core"))
    assert row.split()[1] == "240"
    assert int(row.split()[-1].rstrip("%")) > 90


def test_no_bar_is_left_when_the_time_is_up(capsys, monkeypatch):
    """A bar that lives on is drawn again between the lines that follow."""
    bars = []

    def bar(ticks, label):
        bars.append(label)
        try:
            yield from range(ticks)
        finally:
            print(f"end of {bars.pop()}")

    monkeypatch.setattr(demo, "progress", bar)
    monkeypatch.setattr(demo, "REFERENCE_SECONDS", 0.0)
    demo.run(2, 2)
    out = capsys.readouterr().out
    ends = [out.index(f"end of {name}") for name in ("freeagent_core", "pymdp.legacy")]
    assert ends[0] < ends[1] < out.index("reached the reward")


def test_demo_without_extras(capsys, monkeypatch):
    """Without pymdp there is no comparison."""
    monkeypatch.setitem(sys.modules, "pymdp.legacy.agent", None)
    demo.run(2, 2)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "not compared" in captured.out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("with_rich", [False, True])
def test_progress(monkeypatch, with_rich):
    """Nothing in a pipe; on a terminal a bar, which is gone at the end."""
    if with_rich:
        pytest.importorskip("rich")
    else:
        monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(demo.progress(3, "agents")) == [0, 1, 2]
    assert sys.stderr.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(demo.progress(3, "agents")) == [0, 1, 2]
    shown = sys.stderr.getvalue()
    assert "agents" in shown
    assert ("3/3" in shown) is not with_rich
    assert "\033[" in shown


def test_a_walk_is_drawn():
    world = demo.GridWorld(0)
    steps = demo.Walk([world.cue, world.ends[0]], [[0, 1, 0], [0, 0, 1]], [0.9, 1.0])
    assert demo.drawn(world, steps).splitlines() == [
        "tick 1    tick 2",
        "L...R     @...R",
        "##.##     ##.##",
        "##@##     ##C##",
        ".....     .....",
        "cue: L    reward",
        "L 90%     L 100%",
    ]


def test_text_fits_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setitem(sys.modules, "pymdp.legacy.agent", None)
    demo.run(2, 2)
    text, frames, rest = capsys.readouterr().out.partition("tick 1    tick 2    tick 3    tick 4\n")
    assert frames
    table = rest.index("steps/s")
    for line in (text + rest[:table]).splitlines()[:-1]:
        assert len(line) <= 40


def test_ctrl_c_ends_the_demo_without_a_traceback(capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "walk", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["demo", "--agents", "0"],
        ["demo", "--seed", "-1"],
        ["demo", "--seed", "4294967296"],
    ],
)
def test_bad_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as info:
        main(arguments)
    assert info.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_uncompiled_sources_say_what_to_do(tmp_path):
    """`python -m freeagent_core` in a directory with the sources, but not the modules."""
    package = tmp_path / "freeagent_core"
    (package / "_kernels").mkdir(parents=True)
    source = next(iter(freeagent_core.__path__))
    for name in (
        "__init__.py",
        "_compiled_modules.py",
        "_version.py",
        "__main__.py",
        "_kernels/__init__.py",
    ):
        with open(f"{source}/{name}") as file:
            (package / name).write_text(file.read())
    run = subprocess.run(
        [sys.executable, "-m", "freeagent_core", "info"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "freeagent_core is not compiled here" in run.stderr
    assert "pip install -e ." in run.stderr


def test_a_reader_that_ends_leaves_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [sys.executable, "-m", "freeagent_core", "info"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert run.returncode == 1
    assert run.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("command", [["info"], ["demo", "--agents", "3", "--ticks", "2"]])
def test_a_full_disk_is_one_line(command):
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "freeagent_core", *command], stdout=full, stderr=subprocess.PIPE
        )
    assert run.returncode == 1
    assert run.stderr.decode() == "freeagent-core: No space left on device\n"


@pytest.mark.parametrize("closed", ["1", "2", "1, 2"])
@pytest.mark.parametrize("command", ["info", "demo"])
def test_closed_streams(closed, command):
    program = (
        f"import os, sys\nfor number in ({closed},): os.close(number)\n"
        f"os.execv(sys.executable, [sys.executable, '-m', 'freeagent_core', {command!r}]"
        f" + ['--agents', '3', '--ticks', '2'] * ({command!r} == 'demo'))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr == ""
    assert ("1" in closed) == (run.stdout == "")
