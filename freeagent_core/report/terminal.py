"""What the terminal shows: live progress, and one screen at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable
from rich.text import Text

from freeagent_core.report.document import Cell, Document, Table

MAX_ROWS = 16  # of a table, so that all stays on one screen


class LiveProgress:
    """Progress on a terminal: a bar for the whole, the measurement at work beside it. Where
    there is no terminal, a line for each measurement.

    Parameters
    ----------
    console : rich.console.Console
    limit : float
        Seconds that the whole may take.
    """

    def __init__(self, console: Console, limit: float) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._whole = self._progress.add_task("report", total=limit)
        self._part = self._progress.add_task("", total=1.0)
        self._planned = 0.0

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, text: str, seconds: float) -> Callable[[float], None]:
        """Show the next measurement."""
        if not self._console.is_terminal:
            self._console.print(Text(f"measuring: {text}"))
        self._progress.update(self._whole, completed=self._planned)
        self._progress.reset(self._part, description=text, total=1.0)
        before = self._planned
        self._planned += seconds

        def advance(share: float) -> None:
            self._progress.update(self._part, completed=share)
            self._progress.update(self._whole, completed=before + share * seconds)

        return advance


def show(console: Console, document: Document, table_id: str, paths: list[Any]) -> None:
    """Print one screen: the opening of the first section, one table, and where the rest is."""
    first = document.sections[0]
    console.print(Text(document.title, style="bold"))
    console.print(Text(document.subtitle, style="dim"))
    for paragraph in first.paragraphs:
        console.print(Text(f"• {paragraph}"))
    table = next((t for s in document.sections for t in s.tables if t.id == table_id), None)
    if table is not None and table.rows:
        console.print(_table(table))
    if paths:
        console.print(Text("Written: " + ", ".join(map(str, paths))))


def _table(table: Table) -> RichTable:
    found = RichTable(title=table.caption, title_justify="left", box=None, pad_edge=False)
    for k, column in enumerate(table.columns):
        found.add_column(column, justify="left" if k == 0 else "right", overflow="fold")
    for row in table.rows[:MAX_ROWS]:
        found.add_row(*map(_cell, row))
    if len(table.rows) > MAX_ROWS:
        found.add_row(Text(f"... and {len(table.rows) - MAX_ROWS} more", style="dim"))
    return found


def _cell(cell: Cell) -> Text:
    text = Text(cell.text, style={"good": "green", "bad": "red"}.get(cell.mark, ""))
    if cell.spread:
        text.append(f" ({cell.spread})", style="dim")
    return text
