"""Ctrl-C in a long step of a population: a code, and what the handler raised is raised again."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from c_interface import ERRORS, api, check, new, pointer

from freeagent_core import GenerativeModel, Population

SIZE = 1000


class Handled(Exception):
    """What a handler raises that is not KeyboardInterrupt."""


def _step_and_go_on(handle, actions):
    observations = np.zeros(SIZE, np.int64)
    api.population_step(handle, pointer(observations), SIZE, None, 0, pointer(actions), SIZE)
    for _ in range(1000):  # Python raises it when it runs again
        time.sleep(0)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, Handled])
def test_an_interrupt_in_a_long_step(raised):
    rng = np.random.default_rng(0)
    A = rng.dirichlet(np.ones(24), size=24).T
    B = np.stack([rng.dirichlet(np.ones(24), size=24).T for _ in range(5)], axis=-1)
    population = Population(GenerativeModel(A, B, policy_len=3, inference_algo="MMP"), SIZE, seed=0)
    handle, actions = new("population_from_python", id(population)), np.zeros(SIZE, np.int64)

    def handler(number, frame):
        raise raised

    before = signal.signal(signal.SIGINT, handler)
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    try:
        sender.start()
        with pytest.raises(raised):
            _step_and_go_on(handle, actions)
    finally:
        sender.join()
        signal.signal(signal.SIGINT, before)
    assert api.last_error() == ERRORS["INTERRUPTED"]
    assert (actions == -1).any()
    check(api.population_free(handle))
