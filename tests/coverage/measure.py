"""Coverage of csrc/ and of the compiled modules by the suite: ``python tests/coverage/measure.py``.

Builds a copy of the repository with gcov's counters (comments in the C that Cython writes say
which line of a .pyx file follows, so that lines without the GIL are counted as well),
runs the tests in it and prints the share of lines, and of branches in csrc/ (in C that Cython
wrote most branches are Python's error checks). What is left is listed; ends with 1 below 95 % of
lines or 85 % of branches. More arguments go to pytest.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEAST_LINES, LEAST_BRANCHES = 0.95, 0.85
# Why a line that no test reaches is there, by what it has.
REASONS = {
    "no memory": ("MemoryError", "NO_MEMORY", "== NULL", "free("),
    "an error of the caller, which the layer above excludes": ("raise ", "_check_rows"),
    "another processor or NumPy": ("aarch64", "__x86_64__"),
}


def run(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FREEAGENT_CORE_COVERAGE": "1", **changes}
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


def counts(folder: Path) -> tuple[dict[str, dict[int, int]], dict[str, dict[tuple[int, int], int]]]:
    """Return counts of lines, and of branches of csrc/, by file."""
    lines: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    branches: dict[str, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
    for data in sorted(folder.rglob("*.gcda")):
        found = subprocess.run(
            ["gcov", "--json-format", "--stdout", "--branch-probabilities", str(data)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        for report in found.stdout.splitlines():
            for file in json.loads(report)["files"]:
                name = file["file"].removeprefix(f"{folder}/")
                if name.startswith("freeagent_core/") and name.endswith(".c"):
                    origins = pyx_lines(folder / name)
                    for line in file["lines"]:
                        if line["line_number"] in origins:
                            origin, number = origins[line["line_number"]]
                            lines[origin][number] += line["count"]
                if not name.startswith("csrc/"):
                    continue
                for line in file["lines"]:
                    number = line["line_number"]
                    lines[name][number] += line["count"]
                    for i, branch in enumerate(line["branches"]):
                        branches[name][number, i] += branch["count"]
    return lines, branches


def pyx_lines(source: Path) -> dict[int, tuple[str, int]]:
    """Return which line of which .pyx file each line of Cython's C belongs to."""
    found, here, is_comment = {}, None, False
    for number, line in enumerate(source.read_text().splitlines(), 1):
        text = line.strip()
        marker = re.match(r'/\* "(freeagent_core/[^"]+\.pyx)":(\d+)$', text)
        if marker:
            here, is_comment = (marker[1], int(marker[2])), True
        elif is_comment:
            is_comment = not text.endswith("*/")
        elif text == "/* function exit code */" or line == "}":
            here = None
        elif here:
            found[number] = here
    return found


def share(values: list[int]) -> float:
    return sum(value > 0 for value in values) / max(len(values), 1)


def reason(text: str) -> str:
    for words, signs in REASONS.items():
        if any(sign in text for sign in signs):
            return words
    return "not reached"


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / "checkout"
        run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
        os.chdir(folder)
        built = run(sys.executable, "setup.py", "-q", "build_ext", "--inplace")
        if built.returncode:
            print(built.stdout, built.stderr)
            return 1
        arguments = sys.argv[1:] or ["tests", "--ignore", "tests/test_docs.py"]
        tested = run(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments),
            PYTHONPATH=str(folder),
        )
        print(tested.stdout[-2000:], end="")
        lines, branches = counts(folder)
        missing = defaultdict(list)
        print(f"{'file':64} lines branches")
        for name in sorted(lines):
            texts = (folder / name).read_text().splitlines()
            # a declaration has no statement of its own
            found = {
                number: count
                for number, count in lines[name].items()
                if not texts[number - 1].strip().startswith(("cdef class", "@", '"""'))
            }
            lines[name] = found
            part = f"{100 * share(list(branches[name].values())):7.1f}" if branches[name] else ""
            print(f"{name:64} {100 * share(list(found.values())):5.1f} {part}")
            for number, count in sorted(found.items()):
                if not count:
                    text = texts[number - 1].strip()
                    missing[reason(text)].append(f"  {name}:{number}: {text}")
    for words, entries in sorted(missing.items()):
        print(f"{words}: {len(entries)}")
        print("\n".join(entries))
    c = [n for name in lines if name.startswith("csrc/") for n in lines[name].values()]
    compiled = [n for name in lines if not name.startswith("csrc/") for n in lines[name].values()]
    in_branches = [n for each in branches.values() for n in each.values()]
    print(
        f"csrc/: {100 * share(c):.1f} % of {len(c)} lines, {100 * share(in_branches):.1f} % of "
        f"{len(in_branches)} branches; .pyx: {100 * share(compiled):.1f} % of {len(compiled)} lines"
    )
    enough = min(share(c), share(compiled)) >= LEAST_LINES and share(in_branches) >= LEAST_BRANCHES
    return 0 if enough and tested.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
