"""Measurements: all of it in its time, and what is slower on purpose is seen to be."""

import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
import short_reports

from freeagent_core import Agent, Population
from freeagent_core.managers import ThreadPoolManager
from freeagent_core.report import capacity, loading, measuring, rendering, rounds, statistics
from freeagent_core.report.findings import Findings
from freeagent_core.report.ways import LABELS, PARALLEL, Ways

BUSY = 2e-3  # seconds


def busy(seconds):
    """Compute for a time: no sleep."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def table(document, id):
    rows = next(t for s in document.sections for t in s.tables if t.id == id).rows
    return {row[0].text: row[1:] for row in rows}


def test_everything_is_measured(document):
    raw = document.raw
    found = {(each["agents"], each["way"]) for each in raw["scaling"]}
    assert found == {(n, way) for n in (1, 30) for way in LABELS}
    for each in raw["scaling"]:
        assert len(each["tick_seconds"]) >= 3
        assert min(each["tick_seconds"]) > 0
    assert next(each["way"] for each in raw["capacity"]) == "population"
    for each in raw["capacity"]:
        assert each["probes"]
        # as the report takes it: of 20 ticks, their maximum
        fits = [
            statistics.quantile(np.array(p["tick_seconds"]), 0.99).median <= each["budget_seconds"]
            for p in each["probes"]
        ]
        assert bool(each["holds"]) or not any(fits)
    assert set(raw["phases"]["seconds_per_agent"]) == {
        "infer_states",
        "infer_policies",
        "sample_action",
        "step",
    }
    assert {each["peer"] for each in raw["peers"]} >= {"pymdp.legacy"}
    assert not document.facts["left_out"]


def test_rounds_are_paired(monkeypatch):
    """All ways have as many rounds, and where an episode is too long, as many ticks."""
    calls = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: 1e-5 * next(calls))  # no tick is slow
    loaded = loading.load("grid-5x5")
    with Ways(loaded.model, 60.0) as ways:
        made, _ = ways.of_size(4, tuple(LABELS))
        with monkeypatch.context() as patch:
            patch.setattr(rounds, "time", clock)
            found = rounds.measure(made, loaded.model, 4, 0.1, 5)
        assert len({len(each.seconds) for each in found.values()}) == 1
        assert all(each.ticks % rounds.EPISODE == 0 for each in found.values())
        found = rounds.measure(made, loaded.model, 4, 1e-3, 3)
        assert {each.ticks for each in found.values()} == {1}
        assert {len(each.seconds) for each in found.values()} == {3}


def test_a_slower_manager_shows_in_its_tables(monkeypatch):
    """A busy loop in every tick of the thread pool: in its rows, and in no others."""
    whole = ThreadPoolManager.step_all_agents

    def slower(self, *arguments):
        busy(BUSY)
        return whole(self, *arguments)

    monkeypatch.setattr(ThreadPoolManager, "step_all_agents", slower)
    document = short_reports.make(peers=0.5)
    threads, sequential = LABELS["threads"], LABELS["sequential"]
    ticks = table(document, "coordination-table")
    assert ticks[threads][1].value > BUSY * 1e6
    assert ticks[threads][2].value < 0.5  # speed-up
    assert ticks[sequential][1].value < BUSY * 1e6
    overhead = table(document, "overhead-30")
    assert overhead[threads][0].value > 0.95 * BUSY * 1e6 / 30
    assert overhead[sequential][0].value < 0.5 * BUSY * 1e6 / 30
    assert document.quantities["tick/threads/30"].estimate.low > BUSY
    assert table(document, "coordination-share")[threads][2].value > 80
    assert table(document, "p50-table")["30"][3].value > BUSY * 1e3
    winners = table(document, "winners-managers")
    assert all(threads not in row[0].text for row in winners.values())
    crossings = table(document, "crossings")
    assert crossings[f"{threads} over {sequential}"][0].text == "never"
    assert "ThreadPoolManager does not pay" in " ".join(document.sections[-3].paragraphs)


def test_a_slower_phase_shows_in_its_row(monkeypatch):
    whole = Population.infer_policies

    def slower(self, *arguments):
        busy(BUSY)
        return whole(self, *arguments)

    monkeypatch.setattr(Population, "infer_policies", slower)
    loaded, found = loading.load("grid-5x5"), measuring.Measurements(step_seconds=1e-6)
    with Ways(loaded.model, 60.0) as ways:
        measuring._phases(found, ways, short_reports.short(peers=0.0), short_reports.Silent())
    shares = {name: Findings(found, 2, 1.0).phase_share(name).median for name in found.phases}
    assert shares["infer_policies"] > 0.5 > shares["infer_states"]


class Clock:
    """Time that passes only by what `Steady` does."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 1e-7
        return self.now


class Steady:
    """A way whose tick takes a known time per agent, and now and then a delay."""

    def __init__(self, clock, seconds, delay=0.0):
        self.clock, self.seconds, self.delay = clock, seconds, delay
        self.ticks = 0

    def resize(self, size):
        self.size = size

    def begin_episode(self, size):
        """Nothing to reset."""

    def prepare(self, observations):
        return len(observations)

    def tick(self, size):
        self.ticks += 1
        self.clock.now += self.seconds * size + self.delay * (self.ticks % 500 == 0)
        return np.zeros((size, 1))

    def actions(self, results):
        return results

    def close(self):
        """Nothing to end."""


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    for module in (capacity, rounds):
        monkeypatch.setattr(module, "time", found)
    return found


def steady(clock, *arguments):
    ways = Ways(loading.load("grid-5x5").model, 60.0)
    ways._made["sequential"] = Steady(clock, *arguments)
    return ways


@pytest.mark.parametrize("guess", [1, 100, 5000])
@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_capacity_is_found(clock, guess, delay):
    """From any guess: 20 us an agent fill 2 ms with 99, also where one tick in 500 is late."""
    ways = steady(clock, 20e-6, delay)
    found = capacity.search(ways, "sequential", 2e-3, guess, 5.0, clock.now + 60)
    assert 85 <= found.size <= 100
    capacity.hold(ways, found, 20.0, clock.now + 200)
    assert 85 <= found.size <= 100
    assert found.holds[-1].seconds >= 20.0
    estimate = Findings.capacity_estimate(found)
    assert estimate.low == found.size
    assert estimate.high <= capacity.BRACKET * found.size + 1


def test_fewer_are_tried_where_they_do_not_hold(clock):
    """A way that becomes slower: what held is the capacity."""
    ways = steady(clock, 20e-6)
    found = capacity.search(ways, "sequential", 2e-3, 100, 5.0, clock.now + 60)
    searched = found.size
    ways._made["sequential"].seconds = 30e-6
    capacity.hold(ways, found, 1.0, clock.now + 200)
    assert [p.p99 <= 2e-3 for p in found.holds] == [False] * (len(found.holds) - 1) + [True]
    assert 40 <= found.size <= 66 < searched


def test_capacity_of_nothing(clock):
    """Not even one agent fits: 0, and no long run."""
    ways = steady(clock, 2e-3)
    found = capacity.search(ways, "sequential", 1e-3, 5, 0.3, clock.now + 60)
    assert found.size == 0
    capacity.hold(ways, found, 0.2, clock.now + 2)
    assert not found.holds


def test_more_agents_than_the_bound_are_not_tried(clock, monkeypatch):
    monkeypatch.setattr(capacity, "MAX_MANAGED", 40)
    ways = steady(clock, 1e-6)
    found = capacity.search(ways, "sequential", 1.0, 1e6, 0.3, clock.now + 60)
    assert found.size == 40
    assert "not more than 40 agents" in found.limit


def test_what_takes_too_long_is_left_out_and_named():
    """A report with no time left measures one agent at most, and says what it did not."""
    document = short_reports.make(limit=1e-3, peers=0.0)
    said = " ".join(document.facts["left_out"])
    assert {each["agents"] for each in document.raw["scaling"]} == {1}
    assert "30 agents: a tick of all ways takes" in said
    assert "capacity" in said
    assert "peers: the time was up" in said
    assert [s.id for s in document.sections][-2:] == ["machine", "repetitions"]


def save(tmp_path, **arrays):
    np.savez(tmp_path / "m.npz", **arrays)
    return str(tmp_path / "m.npz")


def slow(monkeypatch, seconds):
    """Make every agent's step take some time more."""
    whole = Agent.step

    def slower(self, observation):
        busy(seconds)
        return whole(self, observation)

    monkeypatch.setattr(Agent, "step", slower)


def test_agents_whose_step_takes_long(monkeypatch):
    """One agent is measured, by the fewest ways, and the rest is named."""
    slow(monkeypatch, 0.15)
    begin = time.perf_counter()
    document = short_reports.make(limit=4.0, peers=0.0, budget=1.0)
    assert time.perf_counter() - begin < 20
    ways = {(each["agents"], each["way"]) for each in document.raw["scaling"]}
    assert (1, "loop") in ways
    assert "a step takes too long" in " ".join(document.facts["left_out"])
    rendered = rendering.render(document, "report")
    assert "NaN" not in rendered["report.json"]


@pytest.mark.parametrize(
    "changes",
    [
        {"inference_algo": "MMP", "inference_horizon": 3, "policy_len": 2},
        {"sophisticated": True, "si_horizon": 2},
        {"action_selection": "stochastic", "sampling_mode": "full"},
        {"pymdp_version": "0.0.7.1"},
        {"H": np.array([0.0, 0.0, 1.0])},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_models_of_every_kind(tmp_path, changes):
    """Each kind of inference runs through all sections, with some ways at least."""
    arrays = {"A": np.eye(3), "B": np.stack([np.eye(3), np.roll(np.eye(3), 1, 0)], axis=-1)}
    document = short_reports.make(save(tmp_path, **arrays, **changes), peers=0.0)
    measured = {each["way"] for each in document.raw["scaling"]}
    assert {"loop", "sequential", "threads", "population"} <= measured
    rendering.render(document, "report")


def test_a_model_without_actions(tmp_path):
    arrays = {"A": np.eye(2), "B": np.array([[0.9, 0.2], [0.1, 0.8]])[:, :, None]}
    document = short_reports.make(save(tmp_path, **arrays), peers=0.0)
    assert document.facts["model"]["policies"] == 1
    rendering.render(document, "report")


@pytest.mark.parametrize("budget", [1e-6, 1e4])
def test_budgets_beyond_any_use(budget):
    """Nothing fits, or no tick can take as long: said, not tried for hours."""
    begin = time.perf_counter()
    document = short_reports.make(budget=budget, peers=0.0)
    assert time.perf_counter() - begin < 30
    said = " ".join(document.facts["left_out"])
    if budget < 1:
        assert {cell.text for row in table(document, "capacity-table").values() for cell in
                row[-1:]} == {"none"}  # fmt: skip
    else:
        assert "too long for this report" in said
    rendering.render(document, "report")


def test_processors_that_a_way_may_use(document):
    rows = table(document, "overhead-30")
    machine = document.facts["machine"]["processors"]
    for way in LABELS:
        if way != "loop":
            used = rows[LABELS[way]][2].value
            assert used == (min(machine, 30) if way in PARALLEL else 1)


def test_peers_that_are_not_installed_or_fail():
    """The process of the peers has nothing to import, or is ended when its time is up."""
    from freeagent_core.report import peers

    loaded = loading.load("grid-5x5")
    found = peers.measure(loaded.arguments, [1], 0.1, 3, 0.05)
    assert not found.rounds
    assert found.reasons == ["after 0 s the time for peers was up"]
    broken = peers.measure({"A": 1, "B": 2}, [1], 0.1, 3, 60.0)
    assert not broken.rounds
    assert "ended with code 1" in broken.reasons[0]
