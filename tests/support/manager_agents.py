"""Agents of every kind for the tests of managers; worker processes import them from here."""

import os
import threading
import time

import numpy as np

from freeagent_core import Agent, GenerativeModel


def model(**changes):
    """Return a small dense model."""
    rng = np.random.default_rng(0)
    A, B = rng.random((3, 4)), rng.random((4, 4, 2))
    arguments = {"A": A / A.sum(axis=0), "B": B / B.sum(axis=0), "C": np.array([0.0, 1.0, 2.0])}
    return GenerativeModel(**{**arguments, **changes})


def own_agents(count, **changes):
    shared = model(**changes)
    return [Agent.from_model(shared) for _ in range(count)]


class Counter:
    """Counts its steps; raises on "fail", and ends its process on "die"."""

    def __init__(self):
        self.steps = 0

    def step(self, observation):
        if observation == "fail":
            raise ValueError("told to fail")
        if observation == "die":
            os._exit(3)
        if observation == "sleep":
            time.sleep(1.5)
        self.steps += 1
        return self.steps

    def add(self, number):
        self.steps += number
        return self.steps

    def pid(self):
        return os.getpid()


class Unsendable(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = threading.Lock()


class Odd:
    """Raises what cannot be pickled."""

    def step(self, observation):
        raise Unsendable(1, 2)


class Random:
    """Draws from NumPy's global generator."""

    def __init__(self):
        self.draws = []

    def step(self, observation):
        self.draws.append(np.random.random())
        return np.array([self.draws[-1]])


class Gate:
    """Steps when it is let through; tells how many are inside at once."""

    inside = 0
    most_inside = 0
    lock = threading.Lock()

    def __init__(self, gate, reached=None):
        self.gate = gate
        self.reached = reached or threading.Event()
        self.steps = 0

    def step(self, observation):
        with Gate.lock:
            Gate.inside += 1
            Gate.most_inside = max(Gate.inside, Gate.most_inside)
        self.reached.set()
        assert self.gate.wait(30)
        with Gate.lock:
            Gate.inside -= 1
        self.steps += 1
        return self.steps


def add(agent, number):
    """A task on an agent, which worker processes import from here."""
    return agent.add(number)


def learn(agent, observation):
    """Teach an agent what it has observed, and return its beliefs."""
    agent.update_A(observation)
    agent.prev_actions = agent.prev_actions[-1:]  # pymdp keeps them all
    return agent.qs[0]
