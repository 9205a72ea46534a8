"""Ctrl-C ends a kernel that is repeated, and the functions work afterwards."""

import os
import signal
import threading

import numpy as np
import pytest

from freeagent_core import GenerativeModel, kernels

B = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
MODEL = GenerativeModel(np.eye(2), B)
FOREVER = 2**50
CALLS = [
    lambda repeats: kernels.softmax(np.zeros(8), repeats=repeats),
    lambda repeats: kernels.gemm(np.eye(8), np.eye(8), repeats=repeats),
    lambda repeats: kernels.joint_belief([[0.5, 0.5]] * 2, repeats=repeats),
    lambda repeats: kernels.update_beliefs(MODEL, [0], repeats=repeats),
    lambda repeats: kernels.evaluate_policies(MODEL, MODEL.D, repeats=repeats),
    lambda repeats: kernels.pass_messages(np.eye(2), [[0]], B=B, repeats=repeats),
    lambda repeats: kernels.update_D([1.0], [1.0], repeats=repeats),
]


@pytest.mark.parametrize("call", CALLS)
def test_interrupt(call):
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call(FOREVER)
    timer.join()
    call(2)
