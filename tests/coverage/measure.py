"""Coverage of csrc/ and of the compiled modules by the suite: ``python tests/coverage/measure.py``.

Builds a copy of the repository with gcov's counters, runs the tests that reach compiled code in it,
folders at once on all processors, and prints the share of lines and branches. How they are counted:

- Lines of .pyx files: those for which Cython writes C that is executed. Comments in that C say
  which line of a .pyx file follows, so lines without the GIL count as well.
- Branches of .pyx files: those of functions that are `noexcept nogil`, the kernels. In C of other
  functions most branches are Python's: errors of calls and the counting of references.
- csrc/: each function once, whatever it is inlined into (setup.py), at the SIMD levels that this
  processor has; what is compiled for others alone is not counted.

What no test reaches is listed by why it is there (reasons.py), or without a reason. Ends with 1
where a line has none, where reasons.py names a line that is not there any more, and below 95 % of
lines or 85 % of branches of either. Processes that tests kill leave no counts. With arguments,
those are pytest's; ``--counted FOLDER`` prints the figures of a checkout that was built and tested
before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reasons import NONE, outdated, reason

ROOT = Path(__file__).parents[2]
LEAST_LINES, LEAST_BRANCHES = 0.95, 0.85
# What one process runs; the longest first. Workers of pytest-xdist would end without writing
# their counts. Left out: tests of the documents, of reports and of Ray, which come to compiled
# code as others do, and those that compile programs for minutes.
TESTS = [
    ["tests/pymdp_v1"],
    ["tests/agent"],
    ["tests/kernels"],
    ["tests/linking", "--ignore=tests/linking/test_examples.py"]
    + ["--ignore=tests/linking/test_later_build.py"],
    ["tests/faults"],
    ["tests/population"],
    ["tests/model"],
    ["tests/kernels_module", "tests/managers"],
    ["tests/functions", "tests/pymdp_v0", "tests/test_command_line.py"],
    ["tests/test_generated_models.py", "tests/bench"],
]
Counts = dict[str, dict[tuple[int, ...], int]]


def run(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FREEAGENT_CORE_COVERAGE": "1", **changes}
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)


def counts(folder: Path) -> tuple[Counts, Counts]:
    """Return counts of lines, by number, and of branches, by number and which, for each file."""
    lines: Counts = defaultdict(lambda: defaultdict(int))
    branches: Counts = defaultdict(lambda: defaultdict(int))
    levels = simd_levels(folder)
    for data in sorted(folder.rglob("*.gcda")):
        level = data.stem.removeprefix("primitives_")
        if data.parent.name == "csrc" and level not in ("dispatch", *levels):
            print(f"not counted: {data.stem}.c, which this processor does not run")
            continue
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
                    add_compiled(folder, name, file["lines"], lines, branches)
                elif name.startswith("csrc/"):
                    for line in file["lines"]:
                        number = line["line_number"]
                        lines[name][number,] += line["count"]
                        for i, branch in enumerate(line["branches"]):
                            branches[name][number, i] += branch["count"]
    return lines, branches


def simd_levels(folder: Path) -> list[str]:
    """Return the levels that this processor runs."""
    program = "from freeagent_core._kernels.base.primitives import simd_levels as f; print(*f())"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def add_compiled(
    folder: Path, name: str, found: Iterable[dict], lines: Counts, branches: Counts
) -> None:
    """Add the counts of C that Cython wrote to those of its .pyx files."""
    origins = pyx_lines(folder / name)
    kernels: dict[str, set[int]] = {}
    for line in found:
        if line["line_number"] not in origins:
            continue
        origin, number = origins[line["line_number"]]
        text = (folder / origin).read_text().splitlines()
        if has_no_statement(text[number - 1]):
            continue
        lines[origin][number,] += line["count"]
        if origin not in kernels:
            kernels[origin] = kernel_lines(text)
        if number in kernels[origin]:
            for i, branch in enumerate(line["branches"]):
                branches[origin][number, line["line_number"], i] += branch["count"]


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


def has_no_statement(line: str) -> bool:
    """Return whether a line is a declaration, for which Cython writes what Python calls."""
    return line.strip().startswith(("cdef class", "@", '"""', "cdef extern"))


def kernel_lines(text: list[str]) -> set[int]:
    """Return the numbers of the lines of functions that are `noexcept nogil`."""
    found: set[int] = set()
    indent, is_kernel, signature = -1, False, ""
    for number, line in enumerate(text, 1):
        depth = _depth(line)
        if signature or re.match(r" *(cdef|cpdef|def) .*\(", line):
            if not signature:
                indent = depth
            signature += line
            if line.rstrip().endswith((":", "...")):
                is_kernel, signature = "noexcept nogil:" in signature, ""
        elif line.strip() and depth <= indent:
            is_kernel = False
        elif is_kernel:
            found.add(number)
    return found


def share(values: Iterable[int]) -> float:
    known = list(values)
    return sum(value > 0 for value in known) / max(len(known), 1)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def report(folder: Path, lines: Counts, branches: Counts) -> bool:
    """Print the shares and what is missing; return whether that is little, with reasons."""
    missing = defaultdict(list)
    print(f"{'file':64} lines branches")
    for name in sorted(lines):
        text = (folder / name).read_text().splitlines()
        part = f"{100 * share(branches[name].values()):7.1f}" if branches[name] else ""
        print(f"{name:64} {100 * share(lines[name].values()):5.1f} {part}")
        for (number,), count in sorted(lines[name].items()):
            if not count:
                entry = f"  {name}:{number}: {text[number - 1].strip()}"
                missing[reason(name, text, number)].append(entry)
    for words, entries in sorted(missing.items()):
        print(f"{words}: {len(entries)}", *entries, sep="\n")
    gone = outdated(folder)
    for entry in gone:
        print(f"reasons.py names a line that is not there: {entry}")
    enough = not gone and not missing[NONE]
    for kind, is_c in (("csrc/", True), ("compiled modules", False)):
        names = [name for name in lines if name.startswith("csrc/") == is_c]
        of_lines = [n for name in names for n in lines[name].values()]
        of_branches = [n for name in names for n in branches[name].values()]
        print(
            f"{kind}: {100 * share(of_lines):.1f} % of {len(of_lines)} lines, "
            f"{100 * share(of_branches):.1f} % of {len(of_branches)} branches"
        )
        enough &= share(of_lines) >= LEAST_LINES and share(of_branches) >= LEAST_BRANCHES
    return enough


def passes(arguments: list[str]) -> bool:
    """Run tests; print how they ended, and return whether they pass."""
    begin = time.monotonic()
    command = (sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider")
    tested = run(*command, *arguments, PYTHONPATH=os.getcwd())
    if tested.returncode:
        print(tested.stdout[-3000:], tested.stderr[-1000:])
    seconds = time.monotonic() - begin
    ended = "pass" if tested.returncode == 0 else "FAIL"
    print(f"{' '.join(arguments)}: {ended}, {seconds:.0f} s", flush=True)
    return tested.returncode == 0


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--counted"]:
        folder = Path(arguments[1]).resolve()
        return 0 if report(folder, *counts(folder)) else 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / "checkout"
        run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
        os.chdir(folder)
        built = run(sys.executable, "setup.py", "-q", "build_ext", "--inplace")
        if built.returncode:
            print(built.stdout, built.stderr)
            return 1
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            passed = list(pool.map(passes, [arguments] if arguments else TESTS))
        is_enough = report(folder, *counts(folder))
    return 0 if is_enough and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
