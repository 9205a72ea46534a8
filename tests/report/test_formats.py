"""The three formats show the same figures, and each is what it should be."""

import json
import re
from html.parser import HTMLParser

import pytest

from freeagent_core.report import plots
from freeagent_core.report.document import number


class Page(HTMLParser):
    """Tables, ids and references of a page."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.ids, self.tags = {}, [], []
        self.references = []
        self._table = self._row = self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        for name in ("aria-labelledby", "aria-describedby"):
            self.references += found.get(name, "").split()
        self.references += re.findall(r"url\(#([^)]*)\)", " ".join(map(str, found.values())))
        if found.get("xlink:href", "").startswith("#"):
            self.references.append(found["xlink:href"][1:])
        if tag == "a" and found.get("href", "").startswith("#"):
            self.references.append(found["href"][1:])
        if tag == "table":
            self._table = self.tables.setdefault(found["id"], [])
        elif tag == "tr" and self._table is not None:
            self._row = []
            self._table.append(self._row)
        elif tag in ("td", "th") and self._row is not None:
            self._cell = []
            self._row.append(self._cell)

    def handle_endtag(self, tag):
        if tag == "table":
            self._table = self._row = self._cell = None
        elif tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None and data.strip():
            self._cell.append(data.strip())


@pytest.fixture(scope="module")
def page(files):
    return Page(files["report.html"])


def shown(cell):
    """Return the numbers of a cell's text, without thousands separators."""
    return [float(x.replace(",", "")) for x in re.findall(r"-?\d[\d,]*\.?\d*", cell)]


def markdown_tables(text):
    """Return ``{caption: rows of cells}``."""
    found, caption = {}, None
    for line in text.splitlines():
        if line.startswith("**"):
            caption = line.strip("*")
        elif line.startswith("| ") and caption:
            found.setdefault(caption, []).append(
                [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
            )
    return {name: rows[2:] for name, rows in found.items()}


def tables(report):
    return [table for section in report["sections"] for table in section["tables"]]


def test_figures_of_the_three_formats_agree(report, files, page):
    """Every cell of every table: the JSON's value is what Markdown and HTML show."""
    in_markdown = markdown_tables(files["report.md"])
    cells = 0
    assert len(tables(report)) > 12
    for table in tables(report):
        in_html = page.tables[table["id"]][1:]
        rows = in_markdown[table["caption"]]
        assert len(in_html) == len(rows) == len(table["rows"])
        for json_row, md_row, html_row in zip(table["rows"], rows, in_html, strict=True):
            for cell, md, html in zip(json_row, md_row, html_row, strict=True):
                text = cell["text"] + (f" ({cell['spread']})" if cell["spread"] else "")
                assert md == text
                assert " ".join(html) == f"{cell['text']} {cell['spread']}".strip()
                if cell["value"] is not None:
                    cells += 1
                    value = shown(cell["text"])[0]
                    assert value == pytest.approx(cell["value"], rel=6e-3, abs=0.51)
                if cell["spread"]:
                    low, high = shown(cell["spread"].replace(" to ", " ; "))
                    assert low == pytest.approx(cell["low"], rel=6e-3, abs=0.51)
                    assert high == pytest.approx(cell["high"], rel=6e-3, abs=0.51)
                    assert cell["low"] <= cell["value"] <= cell["high"]
    assert cells > 100


def test_quantities_follow_from_the_raw_repetitions(report):
    by_way = {(e["way"], e["agents"]): e["tick_seconds"] for e in report["raw"]["scaling"]}
    for (way, size), seconds in by_way.items():
        quantity = report["quantities"][f"tick/{way}/{size}"]
        assert quantity["repetitions"] == seconds
        middle = sorted(seconds)[len(seconds) // 2]
        assert quantity["low"] <= middle <= quantity["high"]
    rates = next(t for t in tables(report) if t["id"] == "throughput-table")["rows"]
    for row in rates:
        tick = report["quantities"][f"tick/population/{int(row[0]['value'])}"]
        assert row[-1]["value"] == pytest.approx(row[0]["value"] / tick["median"], rel=1e-4)


def test_every_measured_figure_has_its_spread(report):
    """All but counts, shares of resamples, maxima, theory and ratios to claims."""
    without = {
        "winners-all", "winners-managers", "crossings", "holds", "machine-table",
        "repetitions-table", "capacity-table", "claims-table", "peers-table",
    }  # fmt: skip
    checked = 0
    for table in tables(report):
        if table["id"] in without:
            continue
        for row in table["rows"]:
            for column, cell in zip(table["columns"][1:], row[1:], strict=True):
                if cell["value"] is not None and column != "Processors used":
                    assert cell["spread"], (table["id"], column)
                    checked += 1
    assert checked > 40


def test_claims_of_the_original_report(report):
    """Each claim stands beside what is measured, or a dash."""
    rows = next(t for t in tables(report) if t["id"] == "claims-table")["rows"]
    said = " ".join(row[1]["text"] for row in rows)
    for claim in ("834/s", "2,920/s", "6,719/s", "3.50", "8.05", "28.4%", "757%", "275%", "1.9 ms",
                  "300 to 400", "50 to 100"):  # fmt: skip
        assert claim in said
    assert sum(row[2]["value"] is not None for row in rows) >= 12


def test_schema(report):
    assert (report["schema"], report["schema_version"]) == ("freeagent-core/report", 1)
    for name in ("created", "command", "machine", "model", "settings", "left_out", "quantities",
                 "sections", "raw"):  # fmt: skip
        assert name in report
    assert {"processor", "processors", "commit", "packages", "simd"} <= set(report["machine"])
    for quantity in report["quantities"].values():
        assert set(quantity) == {"label", "unit", "better", "median", "low", "high", "count",
                                 "repetitions"}  # fmt: skip
    ids = [section["id"] for section in report["sections"]]
    assert ids == ["summary", "coordination", "overhead", "scaling", "inflection", "capacity",
                   "time", "peers", "claims", "recommendation", "machine",
                   "repetitions"]  # fmt: skip
    figures = [f["id"] for s in report["sections"] for f in s["figures"]]
    assert sorted(figures) == ["efficiency", "latency", "overhead", "throughput"]


def test_page_is_one_file(files):
    """No script, and nothing to fetch."""
    text = files["report.html"]
    assert "<script" not in text
    links = re.findall(r"""(?:src|href)=["']([^"']*)""", text)
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.findall(r"url\((?!#)[^)]*\)|@import", text)


def test_page_is_accessible(page):
    """Ids are unique and referred to; tables have captions and scopes; plots have names."""
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table")
    assert tags.count("h1") == tags.count("main") == 1
    assert all("scope" in a for tag, a in page.tags if tag == "th")
    images = [a for tag, a in page.tags if tag == "svg"]
    assert len(images) == 4
    assert all(a["role"] == "img" and a["aria-labelledby"] for a in images)
    assert ("html", {"lang": "en"}) in page.tags


def test_plots_take_their_colours_from_the_page(files):
    for placeholder in plots.PLACEHOLDERS.values():
        assert placeholder not in files["report.html"]
    used = set(re.findall(r"var\((--plot-[a-z]+)\)", files["report.html"]))
    style = files["report.html"].split("</style>")[0]
    assert len(used) == 8
    assert all(style.count(f"{name}:") == 2 for name in used)  # light and dark


def contrast(one, other):
    """Return WCAG's contrast of two colours."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast(files):
    """Text at least 4.5 to 1 (WCAG AA), lines of plots 3 to 1, on both colour schemes."""
    style = files["report.html"].split("</style>")[0]
    blocks = [dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6})", b)) for b in style.split(":root")[1:]]
    assert len(blocks) == 2
    for colours in blocks:
        for ground in ("--page", "--card", "--stripe"):
            for name in ("--ink", "--muted", "--link", "--good", "--bad"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name, colour in colours.items():
            if name.startswith("--plot") and name != "--plot-faint":
                assert contrast(colour, colours["--card"]) >= 3, name


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1.00"), (9.996, "10.0"), (99.96, "100"), (99.94, "99.9"), (1234.5, "1,234"),
     (0.0032, "0.00320"), (-1.85, "-1.85"), (float("inf"), "–")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_json_has_no_constants_that_json_has_not(files):
    def refuse(name):
        raise AssertionError(name)

    json.loads(files["report.json"], parse_constant=refuse)
