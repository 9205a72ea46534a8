"""README's headline is what benchmarks/results/ says."""

import pytest
import results


@pytest.fixture(scope="module")
def published():
    return results.read()


def test_readme_has_the_figures_of_the_results(published):
    text = results.README.read_text(encoding="utf-8")
    found = text[text.index(results.BEGIN) : text.index(results.END) + len(results.END)]
    assert found == results.headline(published), "run `python benchmarks/results.py --readme`"


def test_the_plot_is_of_the_results(published):
    svg = (results.FOLDER / f"{results.PLOT}.svg").read_text(encoding="utf-8")
    assert results.digest(published) in svg, "run `python benchmarks/results.py --readme`"


def test_the_results_are_a_full_report_of_a_commit(published):
    assert not published["settings"]["quick"]
    assert published["machine"]["commit"]
    assert published["command"].startswith("freeagent-core report")
    assert published["created"]
    names = {path.name for path in results.FOLDER.iterdir()}
    assert {"report.html", "report.json", "report.md"} <= names
    markdown = (results.FOLDER / "report.md").read_text(encoding="utf-8")
    assert published["created"] in markdown


def test_a_changed_figure_is_noticed(published):
    """The test above can fail."""
    changed = results.headline(published).replace("agents/s |", "agents/h |", 1)
    assert changed != results.headline(published)
    published["sections"][0]["tables"][0]["rows"][0][1]["text"] = "1 ms"
    text = results.README.read_text(encoding="utf-8")
    assert results.headline(published) not in text
