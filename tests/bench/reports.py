"""A report to show, save and judge."""

from dataclasses import replace
from typing import Any

from realtime_asr.bench.measure import Figure, Measure, Measured, Sample
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.report import Cost, Host, Report

MEASURED = Measured(
    samples={
        measure: (Sample(1.0, 100.0), Sample(2.0, 140.0), Sample(3.0, 160.0))
        for measure in Measure
        if measure is not Measure.FIRST_DELTA
    }
    | {Measure.FIRST_DELTA: ()},
    turns=3,
    lost=0,
    corrected=1,
    words=40,
    wrong_words=1,
    deltas=Figure(3, 4, 5, 5, 5),
    phantoms=0,
    errors={"rate_limit_exceeded": 2},
)


def report(*, plan: Plan | None = None, **more: Any) -> Report:
    """A good one, but for what is told about it or what was measured."""
    found = {name: more.pop(name) for name in list(more) if hasattr(MEASURED, name)}
    good = Report(
        plan=plan or Plan("ws://localhost/v1", streams=3),
        host=Host("a fine one", 2, "Linux", {"python": "3.11"}),
        began="2026-01-02T03:04:05+00:00",
        seconds=30.0,
        audio_seconds=90.0,
        sender=Figure(900, 1, 4, 8, 9),
        measured=replace(MEASURED, **found),
        refusals={},
        broken=0,
        cost=Cost(9.0, 0.1, 200 * 1024 * 1024, 100 * 1024 * 1024),
    )
    return replace(good, **more)
