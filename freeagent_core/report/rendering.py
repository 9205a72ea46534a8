"""A document as JSON, Markdown and HTML."""

from __future__ import annotations

import json
from typing import Any

import jinja2

from freeagent_core.report import plots
from freeagent_core.report.document import Document

FORMATS = ("json", "md", "html")
DIGITS = 6


def render(document: Document, name: str) -> dict[str, str]:
    """Return the files of a document: ``{file name: text}`` for each of `FORMATS`."""
    return {
        f"{name}.json": as_json(document),
        f"{name}.md": markdown(document),
        f"{name}.html": html(document),
    }


def as_json(document: Document) -> str:
    """Return a document as JSON: a line for each name of the top and of `raw`."""
    lines = []
    for name, value in _rounded(document.to_json()).items():
        if name == "raw":
            inner = ",\n".join(f"  {json.dumps(k)}: {_compact(v)}" for k, v in value.items())
            lines.append(f'"raw": {{\n{inner}\n}}')
        else:
            lines.append(f"{json.dumps(name)}: {_compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _rounded(value: Any) -> Any:
    """Return data with floats of `DIGITS` significant digits: timers have no more."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value


def markdown(document: Document) -> str:
    """Return a document as Markdown."""
    return _environment(autoescape=False).get_template("report.md.j2").render(document=document)


def html(document: Document) -> str:
    """Return a document as one page that needs nothing else."""
    environment = _environment(autoescape=True)
    style = environment.loader.get_source(environment, "style.css")[0]  # type: ignore[union-attr]
    figures = {
        figure.id: plots.svg(figure) for section in document.sections for figure in section.figures
    }
    template = environment.get_template("report.html.j2")
    return template.render(document=document, style=style, figures=figures)


def _environment(autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("freeagent_core.report"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["pipe"] = _escape_pipes
    return environment


def _escape_pipes(text: Any) -> str:
    """Return text that may stand in a cell of a Markdown table."""
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
