"""Comparison of nested results of functions."""

import numpy as np


def assert_same(ours, theirs):
    if isinstance(theirs, np.ndarray) and theirs.dtype == object:
        assert ours.dtype == object
        assert ours.shape == theirs.shape
        for mine, other in zip(ours.ravel(), theirs.ravel(), strict=True):
            assert_same(mine, other)
    elif isinstance(theirs, list | tuple):
        assert type(ours) is type(theirs)
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
    elif isinstance(theirs, np.ndarray):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    elif isinstance(theirs, float):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    else:
        assert ours == theirs
