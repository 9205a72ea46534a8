"""A report as data: sections of paragraphs, tables and figures, from which all formats are made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from freeagent_core.report.statistics import Estimate

SCHEMA = "freeagent-core/report"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Cell:
    """A cell of a table: the text that every format shows, and the numbers behind it.

    Parameters
    ----------
    text : str
    spread : str
        The interval, as text; empty where there is none.
    value, low, high : float or None
        In the unit of the text.
    mark : {"", "good", "bad"}
        Emphasis; the text says the same without it.
    """

    text: str
    spread: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first cell of each row is its heading."""

    id: str
    caption: str
    columns: list[str]
    rows: list[list[Cell]]
    is_folded: bool = False

    def is_text(self, column: int) -> bool:
        """Return whether a column holds words, not numbers."""
        return column > 0 and all(row[column].value is None for row in self.rows)


@dataclass(frozen=True)
class Series:
    """A line of a plot: y and its interval over x."""

    label: str
    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]
    style: str = ""


@dataclass(frozen=True)
class Figure:
    """A plot.

    Parameters
    ----------
    id, title, caption : str
    description : str
        What it shows, for those who do not see it.
    x_label, y_label : str
    series : list of Series
    scale : {"log", "linear", "symlog"}
        Of y.
    line : tuple of (float, str), optional
        A horizontal line and its name.
    """

    id: str
    title: str
    caption: str
    description: str
    x_label: str
    y_label: str
    series: list[Series]
    scale: str = "log"
    line: tuple[float, str] | None = None


@dataclass(frozen=True)
class Section:
    """A section."""

    id: str
    title: str
    paragraphs: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Quantity:
    """A measured figure that two reports are compared by.

    Parameters
    ----------
    label, unit : str
    better : {"lower", "higher"}
    estimate : Estimate
    repetitions : list of float
        Of the rounds; empty where the interval comes from elsewhere.
    """

    label: str
    unit: str
    better: str
    estimate: Estimate
    repetitions: list[float]


@dataclass(frozen=True)
class Document:
    """A report or a comparison.

    Parameters
    ----------
    title, subtitle : str
    kind : {"report", "comparison"}
    facts : dict
        created, machine, settings, model: what a report is of.
    sections : list of Section
    quantities : dict of str to Quantity
    raw : dict
        All repetitions.
    """

    title: str
    subtitle: str
    kind: str
    facts: dict[str, Any]
    sections: list[Section]
    quantities: dict[str, Quantity] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what report.json holds."""
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "title": self.title,
            "subtitle": self.subtitle,
            **self.facts,
            "quantities": {
                key: {
                    "label": q.label,
                    "unit": q.unit,
                    "better": q.better,
                    "median": q.estimate.median,
                    "low": q.estimate.low,
                    "high": q.estimate.high,
                    "count": q.estimate.count,
                    "repetitions": q.repetitions,
                }
                for key, q in self.quantities.items()
            },
            "sections": [asdict(section) for section in self.sections],
            "raw": self.raw,
        }


# --- numbers as text -----------------------------------------------------------------------------


MISSING = Cell("–")


def number(value: float) -> str:
    """Return a number with three significant digits, or all digits of its whole part.

    Examples
    --------
    >>> number(12345.6), number(12.345), number(0.012345), number(0)
    ('12,346', '12.3', '0.0123', '0')
    """
    if value != value or value in (float("inf"), float("-inf")):
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    digits = 2 - math.floor(math.log10(size * 1.0005))
    return f"{value:.{digits}f}"


def plain(text: str, mark: str = "") -> Cell:
    """Return a cell of text."""
    return Cell(text, mark=mark)


def count(value: float, unit: str = "") -> Cell:
    """Return a cell of a number without spread; whole numbers have all their digits."""
    text = f"{value:,.0f}" if value == int(value) else number(value)
    return Cell(text + unit, value=value)


def whole(found: Estimate) -> Cell:
    """Return a cell of a number of agents and its interval."""
    return Cell(
        f"{found.median:,.0f}",
        f"{found.low:,.0f} to {found.high:,.0f}",
        found.median,
        found.low,
        found.high,
    )


def measured(found: Estimate, unit: str = "", mark: str = "") -> Cell:
    """Return a cell of a median and its interval; a dash where there is none."""
    if not math.isfinite(found.median):
        return MISSING
    return Cell(
        number(found.median) + unit,
        f"{number(found.low)} to {number(found.high)}",
        found.median,
        found.low,
        found.high,
        mark,
    )


def percent(found: Estimate, mark: str = "") -> Cell:
    """Return a cell of a share and its interval."""
    return measured(found.scaled(100.0), "%", mark)
