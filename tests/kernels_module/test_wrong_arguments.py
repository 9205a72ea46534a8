"""Arguments of no use end in an error that names them, before a kernel runs."""

import numpy as np
import pytest

from freeagent_core import kernels

A, B = np.eye(2), np.stack([np.eye(2)] * 2, axis=-1)
WRONG = {
    "text": "x",
    "complex": np.array([1j]),
    "ragged": [[[1, 2], [3]]],
    "no rows": [[]],
    "too many": [[0.2, 0.3, 0.5]],
    "dimensions": np.zeros((2, 2, 2, 2)),
    "NaN": [[np.nan, 1.0]],
    "objects": [object()],
    "None in it": np.array([None, 1.0], dtype=object),
    "a number": 1.5,
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("name", ["qs", "C"])
def test_expected_utility(name, wrong):
    arguments = {"qs": [[0.5, 0.5]], "C": [[0.0, 1.0]], name: wrong}
    with pytest.raises((TypeError, ValueError), match=r"^(qs|C|A)\b"):
        kernels.expected_utility(A, **arguments)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("name", ["prior", "actions"])
def test_pass_messages(name, wrong):
    arguments = {"observations": [[0], [0]], "actions": [[0]], name: wrong}
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
        kernels.pass_messages(A, B=B, **arguments)


def test_sequences_are_sequences():
    with pytest.raises(TypeError, match=r"^observations must be a sequence"):
        kernels.pass_messages(A, None, [[0]], B=B)
    with pytest.raises(TypeError, match=r"^actions must be a sequence"):
        kernels.pass_messages(A, [[0], [0]], None, B=B)
