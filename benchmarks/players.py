"""The sides that benchmarks time: this project (`Agent`, `Population`, `pymdp_v1`), pymdp.legacy
and pymdp 1.x (JAX, jitted).

A player steps some agents of one model; `live` and `recorded` let it act in environments of its
own, `replay` repeats what was recorded with the same random numbers, to time many ticks without
the environment, and `alternate` times players in turn. What a tick is, a player's `task` says:

- step: infer states, evaluate policies, choose an action
- learn: the same with an update of pA and pB between the first and the second
- filter: infer states alone; the model has one control
"""

from __future__ import annotations

import contextlib
import io
import sys
import time

import models
import numpy as np

from freeagent_core import Agent, Population

EPISODE = 20  # ticks


class Step:
    """A step by pymdp's three calls."""

    def __init__(self, agent):
        self.agent = agent

    def __call__(self, observation):
        self.agent.infer_states(observation)
        self.agent.infer_policies()
        return self.agent.sample_action()


class LearningStep(Step):
    """A step with learning of A and B, for `Agent`, `Population` and pymdp.legacy's agent."""

    before = None

    def __call__(self, observation):
        agent = self.agent
        qs = [np.array(q) for q in agent.infer_states(observation)]
        # of one modality pymdp takes the index alone
        single = isinstance(observation, list) and len(observation) == 1
        agent.update_A(observation[0] if single else observation)
        if self.before is not None:
            agent.update_B(models.object_array(self.before))
        self.before = qs
        agent.infer_policies()
        return agent.sample_action()


def step_of(agent, task, first):
    """Return what takes an observation to an action, or to beliefs where the task is to filter.

    Parameters
    ----------
    agent : Agent, Population or pymdp.legacy's Agent
    task : {"step", "learn", "filter"}
    first : array_like
        Where the task is to filter: seen before the first tick, after which there is an action to
        predict with.
    """
    if task == "learn":
        return LearningStep(agent)
    if task == "step":
        return getattr(agent, "step", None) or Step(agent)
    Step(agent)(first)
    return agent.infer_states


def output_of(is_dropped):
    """Return what makes a context in which what is printed is dropped, or not."""
    return lambda: contextlib.redirect_stdout(io.StringIO() if is_dropped else sys.stdout)


class BatchedAgents:
    """A batch of agents with pymdp 1.x's interface: the same calls for JAX and for NumPy."""

    def __init__(self, model, batch_size, task, agent_class, search_policies, asarray, compiled):
        """`asarray` makes the arrays that agents take, `compiled` a step that is ready to call."""
        self.task, self.size, self.num_factors = task, batch_size, len(model["B"])
        self.window = model.get("inference_horizon", 1) if "inference_algo" in model else 0
        self.asarray = asarray
        settings = {}
        if task == "learn":
            settings.update(
                {p: [asarray(x) for x in model[p]] for p in ("pA", "pB")},
                learn_A=True,
                learn_B=True,
            )
        if self.window:
            settings.update(inference_algo="mmp", inference_horizon=self.window)
        self.agent = self.first_agent = agent_class(
            *([asarray(x) for x in model[name]] for name in "ABCD"),
            policy_len=model["policy_len"],
            gamma=16.0,
            alpha=16.0,
            num_iter=10,
            sampling_mode="marginal",
            batch_size=batch_size,
            **settings,
        )
        self.search = None
        if model.get("sophisticated"):
            self.search = search_policies(horizon=model["si_horizon"], gamma=16.0)
        self.out = output_of(self.search is not None)  # warnings of a full tree
        self._step = compiled(self._filter_step if task == "filter" else self._one_step)
        self._learning_step = compiled(self._step_that_learns)
        self._window_step = compiled(self._step_of_window)
        self.first_past = np.zeros((self.size, max(self.window - 1, 0), self.num_factors), np.int32)
        self.start()

    def _one_step(self, agent, observation, prior):
        qs = agent.infer_states(observation, prior)
        q_pi = self.search(agent, qs)[0] if self.search else agent.infer_policies(qs)[0]
        action = agent.sample_action(q_pi)
        return action, agent.update_empirical_prior(action, qs)

    def _filter_step(self, agent, observation, prior):
        qs = agent.infer_states(observation, prior)
        action = self.asarray(np.zeros((self.size, self.num_factors), dtype=np.int32))
        return action, agent.update_empirical_prior(action, qs)

    def _step_that_learns(self, agent, observation, prior, before, last):
        qs = agent.infer_states(observation, prior)
        both = [self.concatenate(pair, axis=1) for pair in zip(before, qs, strict=True)]
        agent = agent.infer_parameters(qs, observation, last[:, None], beliefs_B=both)
        action = agent.sample_action(agent.infer_policies(qs)[0])
        return action, agent.update_empirical_prior(action, qs), agent, qs

    def _step_of_window(self, agent, observations, past, valid):
        qs = agent.infer_states(observations, agent.D, past_actions=past, valid_steps=valid)
        return agent.sample_action(agent.infer_policies(qs)[0])

    def start(self):
        self.agent, self.prior, self.ticks = self.first_agent, self.first_agent.D, 0
        # before the first action there is none: -1
        self.last = np.full((self.size, self.num_factors), -1, dtype=np.int32)
        self.before = [D[:, None] for D in self.prior]
        self.past, self.seen = self.first_past, None

    def step(self, observations):
        if self.window:
            return self._window_tick(observations)
        seen = [self.asarray(column[:, None]) for column in observations.T]
        if self.task == "learn":
            action, prior, self.agent, self.before = self.wait(
                self._learning_step(
                    self.agent, seen, self.prior, self.before, self.asarray(self.last)
                )
            )
            self.last = np.asarray(action)
        else:
            with self.out():
                action, prior = self.wait(self._step(self.agent, seen, self.prior))
        # what update_empirical_prior returns differs between releases: (prior, qs) or prior
        self.prior = prior[0] if isinstance(prior, tuple) else prior
        return np.asarray(action)

    def _window_tick(self, observations):
        """A step on the last observations and actions, older ones first, padded in front."""
        if self.seen is None:
            self.seen = np.repeat(observations[:, :, None], self.window, axis=2)
        self.ticks += 1
        self.seen = np.concatenate([self.seen[:, :, 1:], observations[:, :, None]], axis=2)
        action = self.wait(
            self._window_step(
                self.agent,
                [self.asarray(self.seen[:, m]) for m in range(observations.shape[1])],
                self.asarray(self.past),
                self.asarray(min(self.ticks, self.window)),
            )
        )
        chosen = np.asarray(action)
        self.past = np.concatenate([self.past, chosen[:, None]], axis=1)[:, 1:]
        return chosen


class JaxAgents(BatchedAgents):
    """A batch of pymdp 1.x agents and their jitted step."""

    def __init__(self, model, batch_size, task="step"):
        import equinox as eqx
        import jax
        import jax.numpy as jnp
        from pymdp.agent import Agent as JaxAgent
        from pymdp.planning.si import si_policy_search

        self.wait, self.concatenate = jax.block_until_ready, jnp.concatenate
        super().__init__(
            model, batch_size, task, JaxAgent, si_policy_search, jnp.asarray, eqx.filter_jit
        )


class NumPyAgents(BatchedAgents):
    """A batch of `pymdp_v1` agents: pymdp 1.x's algorithms and calls."""

    def __init__(self, model, batch_size, task="step"):
        from freeagent_core.pymdp_v1 import Agent as NumPyAgent
        from freeagent_core.pymdp_v1.planning.si import si_policy_search

        self.wait, self.concatenate = (lambda found: found), np.concatenate
        super().__init__(
            model, batch_size, task, NumPyAgent, si_policy_search, np.asarray, lambda step: step
        )

    def plain(self, observations):
        return self.step(observations)

    def prepared(self, observations):
        return observations


class LegacyAgents:
    """pymdp.legacy's agents, one after the other."""

    def __init__(self, arguments, size, task="step"):
        from pymdp.legacy.agent import Agent as Reference

        self.make = lambda: [Reference(**arguments) for _ in range(size)]
        self.out = output_of(arguments.get("inference_algo") == "MMP")  # it prints from inside
        self.task, self.first = task, [0] * len(arguments["A"])
        self.actions = np.zeros((size, len(arguments["B"])), dtype=int)
        self.start()

    def start(self):
        with self.out():
            self.steps = [step_of(agent, self.task, self.first) for agent in self.make()]

    def step(self, observations):
        every = zip(self.steps, observations.tolist(), strict=True)
        with self.out():
            found = [step(seen) for step, seen in every]
        return self.actions if self.task == "filter" else found


class OneAgent:
    """One `Agent`; the same random numbers in each episode."""

    def __init__(self, model, task="step"):
        self.model, self.task = model, task
        self.actions = np.zeros((1, model.num_factors), dtype=int)

    def start(self):
        np.random.seed(0)
        agent = Agent.from_model(self.model)
        self.step = step_of(agent, self.task, [0] * self.model.num_modalities)

    def plain(self, observations):
        found = self.step(self.prepared(observations))
        return self.actions if self.task == "filter" else [found]

    def prepared(self, observations):
        """What `step` is timed with."""
        return observations[0].tolist()


class Many:
    """A `Population`; the same random numbers in each episode."""

    def __init__(self, model, size, task="step"):
        self.model, self.size, self.task = model, size, task
        self.threads = Population(model, size, seed=0)
        self.first = np.zeros((size, model.num_modalities), dtype=int)
        self.actions = np.zeros((size, model.num_factors), dtype=int)

    def start(self):
        self.population = Population(self.model, self.size, seed=0)
        # what it has measured of the cost of a step
        if hasattr(self.population, "_calls"):
            self.population._calls.costs = self.threads._calls.costs
        else:  # of an earlier build
            self.population._cost_ns = self.threads._cost_ns
        self.step = step_of(self.population, self.task, self.first)

    def plain(self, observations):
        found = self.step(observations)
        return self.actions if self.task == "filter" else found

    def prepared(self, observations):
        return observations


def player_of(model, size, task="step"):
    """Return this project's side: an `Agent` or a `Population`."""
    return OneAgent(model, task) if size == 1 else Many(model, size, task)


def recorded(player, arguments, size, ticks=EPISODE, seed=1):
    """Return what `player` observes in an episode."""
    environments = models.Environments(arguments, size, seed)
    player.start()
    seen = [environments.observe()]
    for _ in range(ticks - 1):
        seen.append(environments.step(player.plain(seen[-1])))
    return [player.prepared(observations) for observations in seen]


def live(player, arguments, size, ticks=EPISODE, seed=1):
    """Yield the seconds of one tick after the other, episode by episode."""
    while True:
        environments = models.Environments(arguments, size, seed)
        player.start()
        seen = environments.observe()
        for _ in range(ticks):
            begin = time.perf_counter()
            actions = player.step(seen)
            yield time.perf_counter() - begin
            seen = environments.step(actions)


def replay(player, observations, episodes):
    """Return the seconds of a tick over some episodes."""
    total = 0.0
    for _ in range(episodes):
        player.start()
        step = player.step
        begin = time.perf_counter()
        for seen in observations:
            step(seen)
        total += time.perf_counter() - begin
    return total / episodes / len(observations)


def alternate(ours, theirs, arguments, size, seconds, ticks=EPISODE, min_rounds=3):
    """Return rows of (each of `ours`, theirs): seconds of a tick."""
    replayed = []
    for player in ours:
        observations = recorded(player, arguments, size, ticks)
        once = min(replay(player, observations, 2) for _ in range(3))
        replayed.append((player, observations, max(1, round(0.003 / once / ticks))))
    other = live(theirs, arguments, size, ticks)
    next(other)  # compiles
    rounds, start = [], time.perf_counter()
    while len(rounds) < min_rounds or time.perf_counter() - start < seconds:
        row = []
        for each in replayed:
            time.sleep(0.001)  # threads of the other side come to rest
            row.append(replay(*each))
        time.sleep(0.001)
        rounds.append((*row, next(other)))
    return np.array(rounds)
