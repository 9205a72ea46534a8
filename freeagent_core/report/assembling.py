"""The document of a report, from its measurements."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from freeagent_core.report import claims, measuring, sections
from freeagent_core.report.document import (
    Cell,
    Document,
    Section,
    Table,
    count,
    measured,
    number,
    plain,
    whole,
)
from freeagent_core.report.findings import Findings
from freeagent_core.report.loading import LoadedModel
from freeagent_core.report.measuring import Measurements
from freeagent_core.report.schedule import REFERENCE_SIZE, Schedule
from freeagent_core.report.statistics import CONFIDENCE, RESAMPLES
from freeagent_core.report.ways import LABELS, MANAGERS


def document(
    measurements: Measurements,
    loaded: LoadedModel,
    schedule: Schedule,
    budget: float,
    command: str,
    about: dict[str, Any],
) -> Document:
    """Return the report.

    Parameters
    ----------
    measurements : Measurements
    loaded : LoadedModel
    schedule : Schedule
    budget : float
        Seconds of a tick.
    command : str
        That made it.
    about : dict
        The machine, as `machine.describe` found it before measuring.
    """
    found = Findings(measurements, about["processors"], budget)
    facts: dict[str, Any] = {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "machine": about,
        "model": _model(loaded),
        "settings": {
            "quick": schedule.quick,
            "agents": found.sizes,
            "budget_ms": budget * 1e3,
            "hold_seconds": schedule.hold,
            "min_rounds": schedule.min_rounds,
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "seconds": measurements.seconds,
        },
        "left_out": measurements.left_out,
    }
    advice = sections.recommendation(found)
    parts = [
        _summary(found, advice),
        sections.coordination(found),
        sections.overhead(found),
        sections.scaling(found),
        sections.inflection(found),
        sections.capacity(found, schedule.hold),
        sections.time_split(found),
        sections.peers(found),
        claims.section(found),
        Section("recommendation", "Recommendation for this machine and model", advice),
        _machine(facts),
        _repetitions(measurements),
    ]
    subtitle = (
        f"{loaded.name} · {about['processors']} × {about['processor']} · "
        f"freeagent_core {about['freeagent_core']} · {facts['created'][:10]}"
    )
    return Document(
        "Performance report of freeagent_core",
        subtitle,
        "report",
        facts,
        parts,
        found.quantities(),
        measuring.raw(measurements),
    )


def _model(loaded: LoadedModel) -> dict[str, Any]:
    model = loaded.model
    return {
        "name": loaded.name,
        "description": loaded.description,
        "num_states": list(model.num_states),
        "num_obs": list(model.num_obs),
        "num_controls": list(model.num_controls),
        "policies": len(model.policy_arrays),
        "policy_len": model.policy_len,
        "inference_algo": model.inference_algo,
    }


def _summary(found: Findings, advice: list[str]) -> Section:
    rows: list[list[Cell]] = [
        [plain("One agent's step"), measured(found.one_step().scaled(1e6), " µs")]
    ]
    size = REFERENCE_SIZE if REFERENCE_SIZE in found.sizes else found.sizes[-1]
    for each, among in (("one model", tuple(LABELS)), ("several models", MANAGERS)):
        if found.ways_at(size, among):
            way = found.winner(size, among).name
            rows.append(
                [
                    plain(f"{size} agents of {each}, fastest: {LABELS[way]}"),
                    measured(found.throughput(size, way), " agents/s"),
                ]
            )
    peak = _peak(found)
    if peak is not None:
        way, at = peak
        rows.append(
            [
                plain(f"Most agents/s: {LABELS[way]}, {measuring.agents(at)}"),
                measured(found.throughput(at, way), " agents/s"),
            ]
        )
    for capacity in found.measurements.capacities:
        if capacity.holds or capacity.way == "population":
            rows.append(
                [
                    plain(f"Agents within {capacity.budget * 1e3:g} ms, {LABELS[capacity.way]}"),
                    whole(found.capacity_estimate(capacity))
                    if capacity.size
                    else plain("none held", "bad"),
                ]
            )
    for rounds in found.measurements.peers.rounds:
        rows.append(
            [
                plain(f"Times faster than {rounds.peer}, {measuring.agents(rounds.size)}"),
                measured(found.peer_ratio(rounds), "×"),
            ]
        )
    text = [
        f"One agent's step takes {number(found.one_step().median * 1e6)} µs on this machine. "
        "All figures are measured with agents that infer, each in an environment of its own; "
        "nothing sleeps.",
        *advice[:4],
    ]
    return Section(
        "summary",
        "Executive summary",
        text,
        [Table("key-figures", "Key figures", ["Figure", "Measured"], rows)],
        notes=[sections.SPREAD],
    )


def _peak(found: Findings) -> tuple[str, int] | None:
    rates = {
        (way, size): found.throughput(size, way).median
        for size in found.sizes
        for way in found.ways_at(size)
    }
    return max(rates, key=rates.__getitem__) if rates else None


def _machine(facts: dict[str, Any]) -> Section:
    about, model, settings = facts["machine"], facts["model"], facts["settings"]
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    entries = [
        ("Command", facts["command"]),
        ("Made", f"{facts['created']}, in {settings['seconds']:.0f} s"),
        ("Processor", f"{about['processor']}, {about['processors']} usable"),
        ("SIMD level", about["simd"]),
        ("Memory", f"{about['memory_gib']} GiB" if about["memory_gib"] else "unknown"),
        ("System", about["system"]),
        ("Load average before", "unknown" if about["load_average"] is None else
            f"{about['load_average']:g}"),
        ("freeagent_core", f"{about['freeagent_core']}, commit {about['commit'] or 'unknown'}"),
        ("Python", about["python"]),
        ("Packages", packages),
        ("Model", f"{model['name']}: {model['description']}"),
        ("States, outcomes, controls", f"{model['num_states']}, {model['num_obs']}, "
            f"{model['num_controls']}"),
        ("Policies", f"{model['policies']:,} of length {model['policy_len']}"),
    ]  # fmt: skip
    rows = [[plain(name), plain(value)] for name, value in entries]
    return Section(
        "machine",
        "Machine, versions, command",
        [],
        [Table("machine-table", "What this report is of", ["", "Value"], rows)],
        notes=[f"Not measured: {each}." for each in facts["left_out"]],
    )


def _repetitions(measurements: Measurements) -> Section:
    rows = []
    for size, ways in sorted(measurements.scaling.items()):
        for way, rounds in ways.items():
            rows.append(
                [
                    plain(f"{LABELS[way]}, {size:,}"),
                    count(rounds.ticks),
                    count(len(rounds.seconds)),
                    plain(" ".join(number(s * 1e6) for s in rounds.seconds)),
                ]
            )
    columns = ["Way, agents", "Ticks of a round", "Rounds", "Mean tick of each round, µs"]
    table = Table("repetitions-table", "Every round", columns, rows, is_folded=True)
    return Section(
        "repetitions",
        "Raw repetitions",
        ["Every round of every way. report.json has them unrounded, with every tick of the long "
         "runs (`raw`)."],
        [table],
    )  # fmt: skip
