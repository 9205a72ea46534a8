"""What holds for every test: it leaves the SIMD level as it was, and compares what it should."""

import os
import signal

import parity
import pytest
from hypothesis import settings

from freeagent_core._kernels.base import primitives

collect_ignore = ["coverage", "fuzzing", "golden"]  # programs, not tests
LEVEL = primitives.simd_level()  # FREEAGENT_CORE_SIMD's, or the best
# A shell that starts pytest in the background lets it ignore SIGINT: tests of Ctrl-C would wait
# for ever, and those of programs too, which inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes is no matter of a test: under valgrind each is past hypothesis's 200 ms.
settings.register_profile("any time", deadline=None)
settings.load_profile("any time")


def pytest_configure(config):
    """Let JAX keep what it compiles: the processes of a run compile the same functions."""
    if getattr(config, "cache", None) is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(config.cache.mkdir("jax")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


MIN_COMPARED = 0.7  # of the steps of episodes; the others hang on the reference's rounding


@pytest.fixture(autouse=True)
def _same_simd_level():
    assert primitives.simd_level() == LEVEL
    yield
    primitives.set_simd_level(LEVEL)


@pytest.fixture(autouse=True)
def _episodes_are_compared():
    parity.compared.update({"steps": 0, "of": 0})
    yield
    assert parity.compared["steps"] >= MIN_COMPARED * parity.compared["of"]
