"""The page for pymdp's users names everything that pymdp's agent has; examples run."""

import inspect
import re
from pathlib import Path

import pytest
from pymdp.legacy.agent import Agent as Reference

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coming_from_pymdp.md"


def test_every_argument_and_method_is_listed():
    named = set(re.findall(r"`([A-Za-z_]+)`", PAGE.read_text(encoding="utf-8")))
    arguments = set(inspect.signature(Reference).parameters)
    methods = {
        name
        for name, value in vars(Reference).items()
        if inspect.isfunction(value) and not name.startswith(("_construct", "_get", "__"))
    }
    assert arguments | methods <= named


PAGES = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))]


def blocks_of(page):
    """Return the examples of a page, and what it says that they print."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)])
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    code = "\n".join(blocks_of(page))
    if "freeagent_core.ray" in code:
        pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    exec(code, {"__name__": "example"})


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_examples_print_what_the_page_says(page, capsys):
    text = (ROOT / page).read_text(encoding="utf-8")
    exec("\n".join(blocks_of(page)), {"__name__": "example"})
    printed = capsys.readouterr().out
    assert printed
    for line in printed.splitlines():
        assert line in text


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    here = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
        if not target.startswith(("http://", "https://")):
            name, _, anchor = target.partition("#")
            assert not name or (here / name).exists(), target
            linked = (here / name) if name else ROOT / page
            if anchor:
                titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
                slugs = {
                    re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles
                }
                assert anchor in slugs, target
