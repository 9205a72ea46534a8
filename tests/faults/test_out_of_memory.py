"""Memory that runs out at each allocation in turn: a MemoryError, and nothing half done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BATCHES = ["search", "mmp with info", "vmp with info"]
BATCHES += [
    f"{algorithm}{learning}{how}"
    for algorithm in ("fpi", "ovf", "exact", "mmp", "vmp")
    for learning in ("", " learns")
    for how in ("", " by Python")
]
KINDS = ["tree", "graph", "enumerated", "MMP", "sophisticated", "learning"]

needs_allocator = pytest.mark.skipif(
    not sys.platform.startswith("linux")
    or shutil.which("cc") is None
    or not hasattr(os, "confstr")
    or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or "")
    or "san.so" in os.environ.get("LD_PRELOAD", ""),
    reason="needs LD_PRELOAD without a sanitizer, whose allocator comes first; glibc; a C compiler",
)


@pytest.fixture(scope="module")
def allocator(tmp_path_factory):
    """Return the path of the allocator that fails, compiled."""
    library = tmp_path_factory.mktemp("allocator") / "failing_allocator.so"
    command = [
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-o",
        str(library),
        str(HERE / "failing_allocator.c"),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return library


def run(allocator, *scenario, script="out_of_memory.py"):
    """Return how many allocations failed; `allocator` may be None."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    if allocator is not None:
        environment["LD_PRELOAD"] = str(allocator)
    done = subprocess.run(
        [sys.executable, str(HERE / script), *scenario],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout)


@needs_allocator
@pytest.mark.parametrize("kind", KINDS)
def test_making_a_model_an_agent_and_a_population(allocator, kind):
    assert run(allocator, "making", kind) >= 5


@needs_allocator
@pytest.mark.parametrize("call", ["step", "infer_states", "infer_policies", "update_A"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_of_an_agent(allocator, kind, call):
    if call == "update_A" and kind != "learning":
        pytest.skip("without pA")
    failures = run(allocator, "stepping", kind, call)
    assert failures > 0 or (kind, call) == ("MMP", "infer_policies")  # it allocates nothing


@needs_allocator
@pytest.mark.parametrize("kind", KINDS)
def test_a_tick_of_a_population(allocator, kind):
    assert run(allocator, "stepping_a_population", kind) > 0


@pytest.mark.parametrize("call", ["step", "infer_states", "infer_policies", "sample_action"])
@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_a_call_with_histories(kind, call):
    pytest.importorskip("_testcapi", reason="Python was built without its test modules")
    assert run(None, "making_objects", kind, call) > 0


@needs_allocator
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "MMP"])
def test_agents_that_are_stepped_together(allocator, kind):
    assert run(allocator, "stepping_a_batch", kind) > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "MMP"])
def test_objects_of_agents_that_are_stepped_together(kind):
    pytest.importorskip("_testcapi", reason="Python was built without its test modules")
    assert run(None, "making_objects_of_a_batch", kind) > 0


@needs_allocator
@pytest.mark.parametrize("name", BATCHES)
def test_batches_of_pymdp_v1(allocator, name):
    assert run(allocator, name, script="out_of_memory_of_batches.py") >= 3
