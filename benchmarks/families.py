"""Families of generated models beside the peers: what is the worst case, what is usual?

    pip install -e '.[bench]' && python benchmarks/families.py [--seed N] [--family NAME ...]
    python benchmarks/families.py --against PATH_OF_ANOTHER_BUILD

Each model of each family (`generated_models.py`; other models with another --seed) steps in closed
loops in its own world: one agent beside pymdp.legacy's, batches beside pymdp 1.x's (JAX, jitted, in
float32), both with all processors. The sides alternate in one run (`players.alternate`); a line has
this project's median time of one agent's step and medians of the ratios of neighbouring rounds,
theirs / ours; below a family stand the least, the median and the geometric mean of its ratios.

- legacy: `Agent` beside pymdp.legacy's
- 1.x N: N agents, `Agent` or `Population` with pymdp.legacy's numbers, beside pymdp 1.x. With MMP
  the two compute different things: pymdp.legacy infers the window once for each policy, by
  gradient descent, the planned steps too; pymdp 1.x infers the observed steps once in all
- v1 N: `pymdp_v1.Agent` with pymdp 1.x's numbers, by the same algorithm and the same calls, beside
  pymdp 1.x, in the same rounds
- worst: the dearest tick of the episode over the median one (of each, the least time of many)
- roof: the least time that the arithmetic or the reads of a step need (`roofline.py`) over the
  measured one; no figure where that has no formula. Of agents that learn, the largest batch's: each
  reads A and B of its own, and all processors read at once
- "-": left out, because a tick would take too long or too much memory (see --most); pymdp 1.x keeps
  a copy of A and B for each agent of a batch

With --against no peer is timed, but the package of another checkout (built in place), with the same
models: a ratio above 1 says that this one is faster.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from builds import HERE, Build
from generated_models import FAMILIES, generate
from players import (
    EPISODE,
    JaxAgents,
    LegacyAgents,
    NumPyAgents,
    alternate,
    player_of,
    recorded,
    replay,
)

BATCHES = [1, 30, 300, 3_000, 30_000]
MAX_BYTES = 1.5e9  # of the arrays of one side
PYMDP_POLICY_STEP = 50e-6  # seconds for one step of a policy and one modality
JAX_FLOPS = 2e9  # a second


def ticks_of(size):
    """Return the ticks of an episode: fewer where a tick takes longer."""
    return EPISODE if size <= 300 else EPISODE // 2


def policies_of(arguments):
    return int(np.prod([B.shape[-1] for B in arguments["B"]])) ** arguments["policy_len"]


def legacy_seconds(case):
    """Estimate the time of a step of pymdp.legacy."""
    arguments = case.arguments
    policies = policies_of(arguments)
    steps = policies * arguments["policy_len"] * len(arguments["A"])
    if arguments.get("sophisticated"):
        branches = policies * int(np.prod([len(A) for A in arguments["A"]]))
        steps = sum(min(branches, 30) ** t for t in range(1, arguments["si_horizon"] + 1))
    if "inference_algo" in arguments:
        steps *= 20
    return steps * PYMDP_POLICY_STEP


def jax_costs(case, size):
    """Estimate the bytes and the seconds of a tick of pymdp 1.x."""
    arguments = case.arguments
    model = sum(x.size for name in "AB" for x in arguments[name])
    largest = max(A.size // max(A.shape) for A in arguments["A"])
    states = sum(len(B) for B in arguments["B"])
    predictions = policies_of(arguments) * (arguments["policy_len"] * 2 * states + largest)
    copies = 4 if case.task == "learn" else 1
    operations = policies_of(arguments) * arguments["policy_len"] * 2 * model
    if arguments.get("sophisticated"):
        operations = 5e8
    return 4 * size * (copies * model + predictions), size * operations / JAX_FLOPS


def own_bytes(case, size):
    """Return the bytes of beliefs, q_pi and G of a population, and of what its agents learn."""
    arguments = case.arguments
    each = 2 * policies_of(arguments) + 4 * sum(len(B) for B in arguments["B"])
    if case.task == "learn":
        each += 4 * sum(x.size for name in "AB" for x in arguments[name])
    return 8 * size * each


def worst_tick(model, case, seed):
    """Return the time of the dearest tick of an episode over the median one's."""
    player = player_of(model, 1, case.task)
    seen = recorded(player, case.arguments, 1, EPISODE, seed)
    least, start = np.full(EPISODE, np.inf), time.perf_counter()
    for repeat in range(200):
        player.start()
        step = player.step
        for tick, observation in enumerate(seen):
            begin = time.perf_counter()
            step(observation)
            least[tick] = min(least[tick], time.perf_counter() - begin)
        if repeat >= 10 and time.perf_counter() - start > 0.3:
            break
    return float(least[1:].max() / np.median(least[1:]))


def roof(model, case, seconds, size=1):
    """Return the share of the roofline of a step of one of `size` agents, or None."""
    import roofline

    from freeagent_core._agent.threads import num_cpus

    if case.task == "learn" and size > 1:
        own = 8 * sum(array.size for array in (*model.A, *model.B))
        return own / roofline.limits(own * size)[1] / num_cpus() / seconds
    if case.task == "learn" or model.inference_algo == "MMP" or model.sophisticated:
        return None
    work = roofline.belief_update if case.task == "filter" else roofline.work_of
    operations, bytes_read = work(model)
    peak, bandwidth = roofline.limits(bytes_read)
    return max(operations / peak, bytes_read / bandwidth) / seconds


def beside_peers(case, chosen):
    """Return the figures of one model."""
    from freeagent_core import GenerativeModel

    model = GenerativeModel(**case.arguments)
    row = {"model": case.label, "us": None, "worst": worst_tick(model, case, chosen.seed)}
    ours, expected, rounds = {}, None, None
    if chosen.legacy and legacy_seconds(case) < chosen.most:
        rounds = timed([player_of(model, 1, case.task)], case, 1, LegacyAgents, chosen)
        row["legacy"] = float(np.median(rounds[:, 1] / rounds[:, 0]))
        row["legacy_us"] = float(np.median(rounds[:, 1]) * 1e6)
        ours[1] = rounds[:, 0]
    for size in chosen.batches if chosen.jax else ():
        memory, seconds = jax_costs(case, size)
        if expected is not None:  # from the batch before
            seconds = expected[1] * size / expected[0]
        if max(memory, own_bytes(case, size)) > MAX_BYTES or seconds > chosen.most:
            continue
        players = [player_of(model, size, case.task), NumPyAgents(case.arguments, size, case.task)]
        rounds = timed(players, case, size, JaxAgents, chosen)
        for i, name in enumerate(["batch", "v1"]):
            row[f"{name} {size}"] = float(np.median(rounds[:, 2] / rounds[:, i]))
            row[f"{name} {size}, us"] = float(np.median(rounds[:, i]) * 1e6)
        ours[size] = rounds[:, 0]
        expected = (size, float(np.median(rounds[:, 2]))) if size > 1 else None
    player = player_of(model, 1, case.task)
    seen = recorded(player, case.arguments, 1, EPISODE, chosen.seed)
    if 1 not in ours:  # no peer stepped one agent
        ours[1] = [replay(player, seen, 5) for _ in range(5)]
    seconds = float(np.median(ours[1]))
    row["us"] = seconds * 1e6
    largest = max(ours) if case.task == "learn" else 1
    row["roof"] = roof(model, case, float(np.median(ours[largest])), largest)
    return row


def timed(players, case, size, other, chosen):
    """Return rounds of (each of `players`, theirs) of one batch."""
    slow = chosen.quick or size > 300
    return alternate(
        players,
        other(case.arguments, size, case.task),
        case.arguments,
        size,
        chosen.seconds,
        ticks_of(size),
        2 if slow else 3,
    )


def beside_build(case, chosen, builds):
    """Return the figures of one model in two builds: the other's time over this one's."""
    row = {"model": case.label, "us": None}
    last = 0.0
    for size in chosen.batches:
        if own_bytes(case, size) > MAX_BYTES or last * 10 > chosen.most:
            continue
        ticks = ticks_of(size)
        prepared = [
            build("prepare", case.arguments, size, case.task, ticks, chosen.seed)
            for build in builds
        ]
        last = max(prepared)
        episodes = [max(1, round(0.005 / seconds / ticks)) for seconds in prepared]
        rounds, start = [], time.perf_counter()
        while len(rounds) < 3 or time.perf_counter() - start < chosen.seconds:
            rounds.append([build("replay", n) for build, n in zip(builds, episodes, strict=True)])
        times = np.array(rounds)
        row[f"batch {size}"] = float(np.median(times[:, 1] / times[:, 0]))
        row[f"batch {size}, us"] = float(np.median(times[:, 0]) * 1e6)
        if size == 1:
            row["us"] = row["batch 1, us"]
    return row


# --- printing ----------------------------------------------------------------------------------


def figure(value, digits=3, percent=False):
    """Return a ratio to `digits` significant places."""
    if value is None:
        return "-"
    if percent:
        return f"{value:.0%}"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(max(value, 1e-9)))))
    return f"{value:,.{decimals}f}"


def print_row(label, row, columns):
    cells = [figure(row.get(name), percent=name == "roof") for name in columns]
    print(f"  {label:<74.74}" + "".join(cell.rjust(11) for cell in cells), flush=True)


def summaries(rows, columns):
    """Return the least, the median and the geometric mean of each column."""
    found = {"least": {}, "median": {}, "geometric mean": {}}
    for name in columns:
        values = np.array([row[name] for row in rows if row.get(name) is not None])
        if len(values):
            found["least"][name] = float(values.min())
            found["median"][name] = float(np.median(values))
            found["geometric mean"][name] = float(np.exp(np.log(values).mean()))
    return found


def run(name, chosen, builds):
    """Print and return the figures of one family."""
    batches = [f"batch {n}" for n in (chosen.batches if chosen.jax or builds else ())]
    ratios = (["legacy"] if chosen.legacy else []) + batches
    if chosen.jax:
        ratios += [f"v1 {n}" for n in chosen.batches]
    columns = ["us", *ratios] if builds else ["us", "worst", *ratios, "roof"]
    cases = generate(name, chosen.seed, chosen.models)
    heads = [f"1.x {c[6:]}" if c.startswith("batch") and not builds else c for c in columns]
    print(f"\n{name}: {len(cases)} models\n" + " " * 76 + "".join(f" {c}".rjust(11) for c in heads))
    rows = []
    for case in cases:
        try:
            row = beside_build(case, chosen, builds) if builds else beside_peers(case, chosen)
        except RuntimeError as error:  # of the other build
            print(f"  {case.label}: {error}")
            continue
        print_row(case.label, row, columns)
        rows.append(row)
    found = summaries(rows, [c for c in columns if c not in ("us",)])
    for label, values in found.items():
        print_row(label, values, columns)
    return {"family": name, "rows": rows, "summaries": found}


def print_all(results, chosen, builds):
    """Print the summaries of all families in one table."""
    batches, own = ([f"{name} {n}" for n in chosen.batches] for name in ("batch", "v1"))
    groups = {"build": batches} if builds else {"legacy": ["legacy"], "1.x": batches, "v1": own}
    print(
        f"\n{'all families':<24}{'models':>8}"
        + "".join(
            f"{name} least".rjust(18) + "median".rjust(10) + "geo. mean".rjust(11)
            for name in groups
        )
    )
    for result in results:
        rows, line = result["rows"], f"{result['family']:<24}{len(result['rows']):>8}"
        for columns in groups.values():
            values = np.array([row[c] for row in rows for c in columns if row.get(c) is not None])
            if len(values):
                mean = float(np.exp(np.log(values).mean()))
                found = [figure(values.min()), figure(np.median(values)), figure(mean)]
            else:
                found = ["-"] * 3
            line += found[0].rjust(18) + found[1].rjust(10) + found[2].rjust(11)
        print(line)


def families_of(given):
    """Return the families whose names begin with one of those given."""
    known = [*FAMILIES, "table"]
    if not given:
        return known
    found = [name for name in known if any(name.lower().startswith(g.lower()) for g in given)]
    missing = [g for g in given if not any(n.lower().startswith(g.lower()) for n in known)]
    if missing:
        raise SystemExit(f"no family {missing[0]!r}; there are: {', '.join(known)}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the models and their worlds")
    parser.add_argument("--family", nargs="*", help="names, or how they begin; default: all")
    parser.add_argument("--models", type=int, default=4, help="of a family")
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES)
    parser.add_argument("--seconds", type=float, default=0.5, help="a model and batch size")
    parser.add_argument("--most", type=float, default=4.0, help="seconds that a tick may take")
    parser.add_argument("--quick", action="store_true", help="two models, batches of 1 and 300")
    parser.add_argument("--no-jax", dest="jax", action="store_false")
    parser.add_argument("--no-legacy", dest="legacy", action="store_false")
    parser.add_argument("--against", type=Path, help="another checkout, built in place")
    parser.add_argument("--json", type=Path, help="write the figures there")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.models, chosen.batches = min(chosen.models, 2), [1, 300]
        chosen.seconds = min(chosen.seconds, 0.3)
    builds = []
    if chosen.against:
        chosen.jax = chosen.legacy = False
        builds = [Build(HERE.parent), Build(chosen.against)]
    warnings.filterwarnings("ignore", module="pymdp")
    from freeagent_core._agent.threads import num_cpus

    print(f"seed {chosen.seed}; {num_cpus()} processors; ratios of times, the other side's / this")
    try:
        results = [run(name, chosen, builds) for name in families_of(chosen.family)]
    finally:
        for build in builds:
            build.close()
    print_all(results, chosen, builds)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
