"""Files are there whole or not at all."""

import pytest

from freeagent_core.report.output import OutputError, OutputFolder


def test_a_new_folder_and_an_old_one(tmp_path):
    out = tmp_path / "a" / "b"
    with OutputFolder(out) as folder:
        assert not out.exists()
        assert folder.write({"x": "1", "y": "2"}) == [out / "x", out / "y"]
    (out / "mine").write_text("kept")
    with OutputFolder(out) as folder:
        folder.write({"x": "3"})
    found = {p.name: p.read_text() for p in out.iterdir()}
    assert found == {"x": "3", "y": "2", "mine": "kept"}
    assert [p.name for p in out.parent.iterdir()] == ["b"]


@pytest.mark.parametrize("exists", [False, True])
def test_nothing_is_left_when_it_fails(tmp_path, exists):
    out = tmp_path / "a" / "b"
    if exists:
        out.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), OutputFolder(out):
        raise KeyboardInterrupt
    assert list(tmp_path.rglob("*")) == ([out.parent, out] if exists else [])


def test_a_half_written_file_does_not_arrive(tmp_path):
    out = tmp_path / "b"
    with pytest.raises(TypeError), OutputFolder(out) as folder:
        folder.write({"x": "1", "y": None})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        OutputFolder(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        OutputFolder(tmp_path / "file" / "below")


def test_permissions_are_as_usual(tmp_path):
    (tmp_path / "usual").mkdir()
    with OutputFolder(tmp_path / "made") as folder:
        folder.write({"x": ""})
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "usual").stat().st_mode
