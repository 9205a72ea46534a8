"""The examples in the docstrings of compiled modules, which pytest does not look into."""

import doctest

import pytest

from freeagent_core._kernels.base import primitives


@pytest.mark.parametrize("module", [primitives])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
