"""``freeagent-core bench [KERNEL ...] [--sizes N,...]``: the table of measurements."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence

from freeagent_core._kernels.base import primitives
from freeagent_core.bench.cases import CASES
from freeagent_core.bench.measuring import SIDES, Row, measure

HEADER = ["kernel", "size", "time", "GFLOP/s", "GB/s", "of limit", *SIDES]


def unknown(names: Sequence[str]) -> str | None:
    """Return what is wrong with names of kernels, or None.

    Examples
    --------
    >>> unknown(["log"])
    >>> unknown(["lgo"])
    "no kernel 'lgo': did you mean log? All: freeagent-core bench --list"
    """
    for name in names:
        if name not in CASES:
            near = difflib.get_close_matches(name, CASES, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            return f"no kernel {name!r}: {hint}All: freeagent-core bench --list"
    return None


def rows(
    names: Sequence[str], sizes: Sequence[int] | None, seconds: float, with_peers: bool
) -> Iterator[Row]:
    """Measure kernels, one after the other."""
    for name in names or list(CASES):
        for size in sizes or CASES[name].sizes:
            yield measure(name, size, CASES[name].make(size), seconds, with_peers)


def duration(seconds: float) -> str:
    """Return seconds with three digits and a unit.

    Examples
    --------
    >>> duration(1.234e-7), duration(2.5e-3)
    ('123 ns', '2.50 ms')
    """
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * scale:
            value = seconds / scale
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{seconds:.2f} s"


def cells(row: Row) -> list[str]:
    """Return a line of the table: what others take is followed by how many times that is."""
    others = []
    for side in SIDES:
        taken = row.others.get(side)
        others.append("-" if taken is None else f"{duration(taken)} {taken / row.seconds:,.3g}x")
    return [
        row.name,
        f"{row.size:,}",
        duration(row.seconds),
        f"{row.operations / row.seconds / 1e9:.2f}",
        f"{row.bytes / row.seconds / 1e9:.2f}",
        f"{row.share:.0%}",
        *others,
    ]


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; return the exit code."""
    if arguments.list:
        for name, case in CASES.items():
            sizes = ", ".join(f"{size:,}" for size in case.sizes)
            print(f"{name:<22} {sizes:<16} {case.meaning}")
        return 0
    print(
        f"SIMD level {primitives.simd_level()}, one thread. Times are medians of alternating "
        "rounds; behind those of others stands how many times ours that is."
    )
    found = rows(arguments.kernels, arguments.sizes, arguments.seconds, not arguments.no_peers)
    _print_plain(found) if not _has_rich() else _print_rich(found)
    return 0


def _has_rich() -> bool:
    try:
        import rich  # noqa: F401
    except ImportError:
        return False
    return sys.stdout.isatty()


def _print_plain(found: Iterator[Row]) -> None:
    layout = "{:<22} {:>8} {:>9} {:>8} {:>8} {:>8} {:>18} {:>18} {:>18}"
    print(layout.format(*HEADER))
    for row in found:
        print(layout.format(*cells(row)), flush=True)


def _print_rich(found: Iterator[Row]) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    console = Console()
    table = Table(box=None, header_style="bold")
    for number, title in enumerate(HEADER):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    with Live(table, console=console, auto_refresh=False, vertical_overflow="visible") as live:
        for row in found:
            table.add_row(*cells(row))
            live.refresh()
