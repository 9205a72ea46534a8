"""pymdp 1.x in float64, the reference of `freeagent_core.pymdp_v1`."""

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402


def to_jax(x):
    """Return nested lists of arrays as nested lists of JAX arrays; None and ints as they are."""
    if isinstance(x, list | tuple):
        return [to_jax(part) for part in x]
    if isinstance(x, dict):
        return {key: to_jax(part) for key, part in x.items()}
    return jnp.asarray(x) if isinstance(x, np.ndarray | np.generic) else x


def assert_equal(ours, theirs, atol=1e-9, name="", rtol=1e-9):
    """Assert that nested lists and dicts hold the same numbers."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), name
        for key in theirs:
            assert_equal(ours[key], theirs[key], atol, f"{name}[{key!r}]", rtol)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), name
        for i, (own, their) in enumerate(zip(ours, theirs, strict=True)):
            assert_equal(own, their, atol, f"{name}[{i}]", rtol)
    elif theirs is None:
        assert ours is None, name
    else:
        theirs = np.asarray(theirs)
        assert np.shape(ours) == theirs.shape, name
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=name)
