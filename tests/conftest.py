"""What holds for every test: it leaves the SIMD level as it was, and compares what it should."""

import parity
import pytest

from freeagent_core._kernels.base import primitives

collect_ignore = ["fuzzing", "golden"]  # programs, not tests
LEVEL = primitives.simd_level()  # FREEAGENT_CORE_SIMD's, or the best
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
