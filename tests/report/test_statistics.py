"""Intervals cover, winners win, crossings are found where they were put."""

import numpy as np
import pytest

from freeagent_core.report import statistics
from freeagent_core.report.statistics import crossing, estimate, quantile, ratio, winner


def test_interval_of_the_median_covers_it():
    """In 92% to 99% of samples: a percentile bootstrap of 15 repetitions."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        found = estimate(rng.lognormal(size=15))
        covered += found.low <= 1.0 <= found.high
    assert 0.90 <= covered / 300 <= 0.995


def test_estimate_of_few_repetitions():
    assert estimate([3.0]) == statistics.Estimate(3.0, 3.0, 3.0, 1)
    with pytest.raises(ValueError, match="no repetitions"):
        estimate([])


def test_quantile_is_within_its_interval():
    rng = np.random.default_rng(2)
    covered = 0
    for n in (1, 2, 5, 30, 1000):
        found = quantile(rng.random(n), 0.99)
        assert found.low <= found.median <= found.high
    for _ in range(200):
        found = quantile(rng.random(800), 0.5)
        covered += found.low <= 0.5 <= found.high
    assert covered >= 180


def test_ratio_of_paired_rounds_does_not_see_their_common_noise():
    rng = np.random.default_rng(3)
    noise = rng.lognormal(sigma=1.0, size=20)
    paired = ratio(3.0 * noise, noise, paired=True)
    assert paired.low == pytest.approx(3.0)
    assert paired.high == pytest.approx(3.0)
    apart = ratio(3.0 * noise, rng.permutation(noise), paired=False)
    assert apart.low < 3.0 < apart.high


def test_winner():
    rng = np.random.default_rng(4)
    noise = rng.lognormal(sigma=0.05, size=12)
    clear = winner({"a": 1.0 * noise, "b": 2.0 * noise, "c": 3.0 * noise})
    assert (clear.name, clear.runner_up, clear.is_clear) == ("a", "b", True)
    assert clear.advantage.median == pytest.approx(2.0)
    alike = winner({"a": rng.random(12), "b": rng.random(12)})
    assert alike.share > 0.3
    assert not alike.is_clear
    assert winner({"a": noise}).share == 1.0


def curve(sizes, times, rng, sigma=0.02, rounds=11):
    return [t * rng.lognormal(sigma=sigma, size=rounds) for t in times(np.array(sizes))]


def test_crossing_is_found_where_it_is():
    """A fixed cost of 100 and 1 per agent against 3 per agent: at 50 agents."""
    rng = np.random.default_rng(5)
    sizes = [1, 10, 30, 100, 1000]
    found = crossing(
        sizes,
        curve(sizes, lambda n: 100.0 + n, rng),
        curve(sizes, lambda n: 3.0 * n, rng),
    )
    assert found.share > 0.99
    assert 40 < found.at.median < 60
    assert found.at.low < found.at.median < found.at.high


def test_crossing_never_and_always():
    rng = np.random.default_rng(6)
    sizes = [1, 10, 100]
    slow, fast = (curve(sizes, lambda n, k=k: k * n, rng) for k in (2.0, 1.0))
    never = crossing(sizes, slow, fast)
    assert (never.at, never.always) == (None, False)
    assert never.share > 0.99
    always = crossing(sizes, fast, slow)
    assert (always.at, always.always) == (None, True)


def test_crossing_of_curves_that_are_alike_is_uncertain():
    rng = np.random.default_rng(7)
    sizes = [1, 10, 100, 1000]
    one, other = (curve(sizes, lambda n: 1.0 * n, rng, sigma=0.3) for _ in range(2))
    assert crossing(sizes, one, other).share < 0.95
