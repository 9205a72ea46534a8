"""Why lines of compiled code that no test reaches are there."""

from __future__ import annotations

from collections.abc import Iterator

NONE = "NO REASON IS GIVEN"
# By what the line says, or the one that it depends on.
SIGNS: dict[str, tuple[str, ...]] = {
    "memory that a machine does not have": (
        ("MemoryError", "NO_MEMORY", "== NULL", "no memory", "_NO_ROOM", "free(")
    ),
    "an error of callers within the package, whom a layer above checks": ("raise ", "packed "),
    "a SIMD level that this processor does not have": ("avx512",),
    "a kernel that Ctrl-C stops within microseconds": ("stops(", "begins_again", "interrupt"),
    "an error's message, or what passes it on": ("snprintf", "return fail", "return code"),
}
# One by one: by file, how the line begins, or one that it stands below.
LINES: dict[str, dict[str, tuple[str, ...]]] = {}


def reason(name: str, text: list[str], number: int) -> str:
    """Return why this line of a file is there, judged by itself and those that it stands below."""
    below = list(_above(text, number))
    for words, files in LINES.items():
        if any(line.startswith(start) for line in below for start in files.get(name, ())):
            return words
    for words, signs in SIGNS.items():
        if any(sign in line for line in below[:2] for sign in signs):
            return words
    return NONE


def _above(text: list[str], number: int) -> Iterator[str]:
    """Yield a line and those of less and less indentation before it, without theirs."""
    depth = None
    for line in text[number - 1 :: -1]:
        here = len(line) - len(line.lstrip())
        if line.strip() and (depth is None or here < depth):
            depth = here
            yield line.strip()
        if depth == 0:
            return
