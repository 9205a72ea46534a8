"""Figures as SVG, by matplotlib, with colours that the page's style sheet sets.

matplotlib draws with placeholder colours, which are then replaced by CSS variables, so that one
figure serves light and dark pages; a standalone file gets colours of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from freeagent_core.report.document import Figure

WAYS = ("loop", "sequential", "asyncio", "threads", "processes", "population")
MARKERS = dict(zip(WAYS, "svD^Xo", strict=True))
# placeholders: no colour of matplotlib's own looks like them
PLACEHOLDERS = {name: f"#00ff{i:02x}" for i, name in enumerate(("ink", "faint", *WAYS), start=1)}
STANDALONE = {
    "ink": "#6b7280", "faint": "#9ca3af", "loop": "#8a6d3b", "sequential": "#7b7f8a",
    "asyncio": "#c2410c", "threads": "#2563eb", "processes": "#9333ea", "population": "#0f8a5f",
}  # fmt: skip
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.size": 11,
    "axes.edgecolor": PLACEHOLDERS["ink"],
    "axes.labelcolor": PLACEHOLDERS["ink"],
    "text.color": PLACEHOLDERS["ink"],
    "xtick.color": PLACEHOLDERS["ink"],
    "ytick.color": PLACEHOLDERS["ink"],
    "grid.color": PLACEHOLDERS["faint"],
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def svg(figure: Figure) -> str:
    """Return a figure for the page: an ``<svg>`` element whose colours are CSS variables."""
    colours = {name: f"var(--plot-{name})" for name in PLACEHOLDERS}
    drawn = _draw(figure, {})
    return _inline(_coloured(drawn, colours), f"plot-{figure.id}")


def standalone(figure: Figure, metadata: Mapping[str, str]) -> str:
    """Return a figure as a file, readable on light and on dark pages."""
    return _coloured(_draw(figure, metadata), STANDALONE)


def _draw(figure: Figure, metadata: Mapping[str, str]) -> str:
    style: Any = {**STYLE, "svg.hashsalt": figure.id}
    with matplotlib.rc_context(style):
        canvas = Canvas(figsize=(4.6, 3.9), layout="constrained")
        axes = canvas.subplots()
        _lines(axes, figure)
        handles, _ = axes.get_legend_handles_labels()
        canvas.legend(
            loc="outside lower center",
            ncols=2,
            frameon=False,
            fontsize=10,
            handlelength=2.4,
            columnspacing=1.2,
            handles=handles,
        )
        out = io.StringIO()
        canvas.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, **dict(metadata)}
        )
    return out.getvalue()


def _lines(axes: Axes, figure: Figure) -> None:
    for series in figure.series:
        way, _, style = series.style.partition("/")
        colour = PLACEHOLDERS[way]
        shown = [
            (x, y, low, high)
            for x, y, low, high in zip(series.x, series.y, series.low, series.high, strict=True)
            if figure.scale != "log" or y > 0
        ]
        if not shown:
            continue
        x, y, low, high = map(list, zip(*shown, strict=True))
        if figure.scale == "log":
            low = [max(value, min(y) / 10) for value in low]
        line: dict[str, Any] = {"linestyle": "--" if style == "dashed" else "-", "color": colour}
        axes.plot(x, y, marker=MARKERS[way], markersize=4, label=series.label, **line)
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    if figure.line is not None:
        value, label = figure.line
        axes.axhline(value, color=PLACEHOLDERS["ink"], linestyle=":", label=label)
    axes.set_xscale("log")
    if figure.scale == "log":
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
    elif figure.scale == "symlog":
        axes.set_yscale("symlog", linthresh=1.0)
        axes.axhline(0.0, color=PLACEHOLDERS["ink"], linewidth=0.8)
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(figure.x_label)
    axes.set_ylabel(figure.y_label)
    axes.grid(True, alpha=0.35, linewidth=0.6)


def _short(value: float, _: int | None = None) -> str:
    """Return 10k for 10000 and 2M for two million."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _coloured(drawn: str, colours: Mapping[str, str]) -> str:
    for name, placeholder in PLACEHOLDERS.items():
        drawn = drawn.replace(placeholder, colours[name])
    return drawn


def _inline(drawn: str, id: str) -> str:
    """Return the element alone, as an image with a name, its ids unlike other figures'."""
    element = drawn[drawn.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.S)
    element = re.sub(r'\bid="', f'id="{id}-', element)
    element = re.sub(r'(href="#|url\(#)', rf"\g<1>{id}-", element)
    opening = f'<svg role="img" aria-labelledby="{id}-name" aria-describedby="{id}-text" '
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    return opening + element[len("<svg ") :]
