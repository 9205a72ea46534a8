"""Why lines of compiled code that no test reaches are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    "what a kernel that lacks memory or meets NaN returns, passed on": (
        ("return status", "if status != 0", "status != 0:")
    ),
}
KERNELS = "freeagent_core/_kernels"
# One by one: by file, how the line begins, or one that it stands below.
LINES: dict[str, dict[str, tuple[str, ...]]] = {
    "memory that a machine does not have": {
        f"{KERNELS}/agents/batched_rollout.pyx": ("return NO_MEMORY",),
        f"{KERNELS}/agents/population_core.pyx": ("if filter_block(",),
        f"{KERNELS}/agents/window_rollout.pyx": ("return -1",),
        f"{KERNELS}/base/hash_table.pyx": ("if reserve(",),
        f"{KERNELS}/model/shared_workspaces.pyx": ("if not added:",),
        f"{KERNELS}/planning/belief_graph.pyx": ("return -1", "if (reserve("),
        f"{KERNELS}/planning/deterministic_rollout.pyx": ("if (reserve(",),
        f"{KERNELS}/planning/graph_search.pyx": ("return -1",),
        f"{KERNELS}/planning/shared_prefixes.pyx": ("return -1", "return NULL"),
        f"{KERNELS}/planning/tree_nodes.pyx": ("return False", "return -1", "return"),
    },
    "a number that no draw gives": {
        f"{KERNELS}/base/threefry.pyx": ("if side >= 1.0:",),
    },
    "a number that takes years to count up to": {
        f"{KERNELS}/base/hash_table.pyx": ("if table.stamp == 0:",),
        f"{KERNELS}/planning/shared_prefixes.pyx": ("if e.epoch == LAST_EPOCH:",),
    },
    "a model larger than tests make": {
        f"{KERNELS}/inference/fixed_point_iteration.pyx": ("if norms > 1e200:",),
        f"{KERNELS}/planning/shared_prefixes.pyx": ("if e.joint_radix[index] == 0:",),
        f"{KERNELS}/model/shared_workspaces.pyx": ("if count == MAX_SHARED", "if self._count =="),
    },
    "threads that meet within microseconds": {
        f"{KERNELS}/agents/agent_core.pyx": ("self.lock.release()",),
        f"{KERNELS}/agents/helper_threads.pyx": ("sched_yield()",),
        f"{KERNELS}/base/interrupts.pyx": ("while fc_flag(",),
    },
    "Ctrl-C within microseconds": {
        "freeagent_core/_c_api/operations.pyx": ("if core._status[i] ==", "while "),
        f"{KERNELS}/action/numpy_generator.pyx": ("except BaseException", "if _error is not None"),
        f"{KERNELS}/agents/parallel_work.pyx": ("while load(&self._unfinished)", "if stopped:"),
        f"{KERNELS}/agents/population_core.pyx": ("cdef void _run_interrupted",),
        f"{KERNELS}/agents/step_batch.pyx": ("cdef void _run_interrupted", "except BaseException"),
        "freeagent_core/managers/_records.pyx": ("except BaseException", "if not batch.is_loaded"),
        "freeagent_core/_c_api/errors.pyx": ("if Py_AddPendingCall",),
    },
    "runs in a child that was forked, which a test ends without its counts": {
        "freeagent_core/_c_api/operations.pyx": ("cdef int _fail_lock(",),
        f"{KERNELS}/base/state_lock.pyx": ("if self._forks != num_forks", "self._forks = STUCK"),
    },
    "a handler of signals that calls the interface within a call": {
        f"{KERNELS}/base/state_lock.pyx": ("return HELD_BY_THIS_THREAD",),
    },
    "a method of a base, which every subclass has as its own": {
        f"{KERNELS}/agents/parallel_work.pyx": ("cdef void _run(",),
    },
    "a search that begins with a tree as large as it may be, with nothing to expand": {
        f"{KERNELS}/planning/observation_tree.pyx": ("if s.num_used >= s.settings.max_nodes",),
    },
    "what the compiler asks for after a loop that returns": {
        f"{KERNELS}/action/action_selection.pyx": ("return first",),
    },
    "beliefs that become NaN within message passing": {
        f"{KERNELS}/inference/message_passing.pyx": ("return -1",),
        f"{KERNELS}/agents/lane_windows.pyx": ("tasks[i].status = NOT_FINITE",),
    },
    "called by the programs of tests/linking/test_examples.py alone": {
        "freeagent_core/c_api.pyx": ("def __cinit__(self, population)", "def __dealloc__")
        + ("return <uintptr_t>self._handle", "if self._handle"),
    },
}


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


def outdated(folder: Path) -> list[str]:
    """Return the entries of `LINES` that no line of these sources begins with."""
    found = []
    for files in LINES.values():
        for name, starts in files.items():
            text = [line.strip() for line in (folder / name).read_text().splitlines()]
            found += [f"{name}: {s}" for s in starts if not any(t.startswith(s) for t in text)]
    return found


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
