"""Ctrl-C at a moment that a test chooses."""

import gc
import signal
import threading
import time

import pytest
from sanitized import SLOWER

LONGEST_STORM = 60 * SLOWER  # seconds
collect_ignore = ["out_of_memory_of_batches.py"]  # a program, which imports the one beside it


@pytest.fixture
def interrupt():
    """Return a function that sends SIGINT after so many seconds.

    The garbage collector is off: other tests import JAX, whose callback at a collection takes the
    KeyboardInterrupt where it comes just then, and Python ignores what such a callback raises.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()

    def after(seconds):
        timer = threading.Timer(seconds, signal.raise_signal, (signal.SIGINT,))
        timer.start()
        return timer

    yield after
    gc.enable()
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def storm(interrupt):
    """Return a function that sends SIGINT every 5 ms, to a handler that does not raise, while it
    calls what it is given; at most for `LONGEST_STORM` seconds, which is a failure."""
    del interrupt

    def during(call):
        received, done = [], threading.Event()

        def send():
            end = time.monotonic() + LONGEST_STORM
            while not done.wait(0.005) and time.monotonic() < end:
                signal.raise_signal(signal.SIGINT)

        signal.signal(signal.SIGINT, lambda *_: received.append(1))
        sender = threading.Thread(target=send)
        sender.start()
        try:
            result = call()
            assert sender.is_alive(), f"not done within {LONGEST_STORM} s"
        finally:
            done.set()
            sender.join()
        assert received
        return result

    return during
