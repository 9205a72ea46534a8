"""What `Population.save` leaves behind, whatever happens meanwhile."""

import io
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from manager_agents import model

from freeagent_core import Population
from freeagent_core._agent import atomic_file

SUPPORT = Path(__file__).parents[1] / "support"


def population(size=20, seed=0):
    made = Population(model(), size, seed=seed)
    made.step(np.zeros(size, int))
    return made


@pytest.fixture(params=["without a name", "with a name"])
def way(request, monkeypatch):
    """Both ways to write a file that is not complete yet."""
    if request.param == "with a name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


def test_a_new_file_has_the_mode_of_the_umask(tmp_path, way):
    before = os.umask(0o027)
    try:
        population().save(tmp_path / "saved")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "saved").st_mode) == 0o640


def test_an_existing_file_keeps_its_mode(tmp_path, way):
    path = tmp_path / "saved"
    for mode in (0o644, 0o600, 0o664):
        path.touch()
        path.chmod(mode)
        population().save(path)
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        assert os.listdir(tmp_path) == ["saved"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_followed(tmp_path, way, exists):
    target = tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    link = tmp_path / "link"
    link.symlink_to(Path("elsewhere") / "target")
    if exists:
        target.write_text("old")
    population().save(link)
    assert link.is_symlink()
    assert len(Population.load(target, model())) == 20
    assert os.listdir(target.parent) == ["target"]


def test_what_is_not_a_regular_file_is_written_to():
    population().save("/dev/null")
    assert not stat.S_ISREG(os.stat("/dev/null").st_mode)


SAVER = """
import sys
sys.path.insert(0, {support!r})
import os
if {named}:
    del os.O_TMPFILE
import numpy as np
from manager_agents import model
from freeagent_core import Population
population = Population(model(), 20_000, seed=0)
print("ready", flush=True)
while True:
    population.save({path!r})
"""


@pytest.mark.parametrize("named", [False, True])
def test_a_kill_leaves_the_file_whole_and_no_parts(tmp_path, named):
    path = tmp_path / "saved"
    shared = model()
    for i in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER.format(support=str(SUPPORT), named=named, path=str(path))],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(0.05 + 0.013 * i)
        process.kill()
        process.wait()
        process.stdout.close()
        if path.exists():
            assert len(Population.load(path, shared)) == 20_000
    Population(shared, 5, seed=0).save(path)
    assert os.listdir(tmp_path) == ["saved"]


def test_the_parts_of_a_process_that_lives_stay(tmp_path, way):
    living = tmp_path / f".saved.{os.getppid()}-0.part"
    living.touch()
    gone = tmp_path / f".saved.{2**22 + 1}-7.part"
    gone.touch()
    population().save(tmp_path / "saved")
    assert living.exists()
    assert not gone.exists()


def test_a_file_that_cannot_grow_leaves_the_old_one(tmp_path, way):
    """As on a full disk."""
    path = tmp_path / "saved"
    population(seed=1).save(path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            population(seed=2).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["saved"]


def test_a_directory_that_is_not_there(tmp_path, way):
    with pytest.raises(FileNotFoundError):
        population().save(tmp_path / "nowhere" / "saved")


def test_several_threads_save_to_one_file(tmp_path, way):
    path = tmp_path / "saved"
    made = [population(seed=i) for i in range(4)]
    threads = [threading.Thread(target=lambda p=p: [p.save(path) for _ in range(10)]) for p in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = Population.load(path, model())
    assert any(np.array_equal(loaded.qs[0], each.qs[0]) for each in made)
    assert os.listdir(tmp_path) == ["saved"]


def test_an_error_while_writing_leaves_nothing(tmp_path, way):
    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_file.write_atomically(tmp_path / "saved", fail)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call", ["open", "fchmod", "fsync", "link", "replace"])
def test_an_interrupt_as_a_call_returns_leaves_one_whole_file(tmp_path, monkeypatch, way, call):
    """Python looks for Ctrl-C when a call has returned: then it has done its work."""
    path = tmp_path / "saved"
    population().save(path)
    original = getattr(os, call)

    def interrupted(*arguments, **options):
        original(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, call, interrupted)
        try:
            population(seed=1).save(path)
        except KeyboardInterrupt:
            pass
        else:
            assert (call, hasattr(os, "O_TMPFILE")) == ("link", False)
    assert len(Population.load(path, model())) == 20
    assert os.listdir(tmp_path) == ["saved"]


def test_an_open_file_is_written_to():
    file = io.BytesIO()
    population().save(file)
    file.seek(0)
    assert len(Population.load(file, model())) == 20
