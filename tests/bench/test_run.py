from dataclasses import replace
from pathlib import Path

import pytest

from realtime_asr.bench.measure import Measure
from realtime_asr.bench.plan import BadPlan, Plan
from realtime_asr.bench.run import Progress, run
from tests.bench.scripted import OPEN, Script, answers, failed, serving
from tests.bench.test_speech import write
from tests.fakes import speech

REFUSING: Script = {"called": [failed("rate_limit_exceeded"), 1013]}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A fifth of a second of speech, twice."""
    write(tmp_path / "hello.wav", speech(0.2))
    (tmp_path / "hello.txt").write_text("hello")
    return Plan(
        "",
        speech=tmp_path,
        turns=1,
        warmup_turns=1,
        turn_seconds=0,
        pause_seconds=0.1,
        chunk_ms=20,
        patience_seconds=10,
        manual=True,
        api_key="sk-secret",
    )


async def test_a_run_reports_what_was_measured_and_shows_how_far_it_is(plan: Plan) -> None:
    seen: list[Progress] = []
    script = {**OPEN, 40: answers("a", "hello"), 60: answers("b", "hello")}
    async with serving(script) as server:
        report = await run(replace(plan, url=server.url, silent_streams=1), seen.append)

    assert (1, 0, 0.0) == (report.measured.turns, report.measured.lost, report.measured.wer)
    assert 1 == report.figure(Measure.FINAL).count
    assert report.plan.api_key is None
    assert {2} == {progress.turns for progress in seen}
    assert 0 == seen[-1].streams
    assert seen[-1].final_p95_ms is not None
    # Ours is the process that listens.
    assert report.cost is not None


async def test_streams_that_are_refused_are_counted_and_say_nothing(plan: Plan) -> None:
    async with serving(REFUSING) as server:
        report = await run(replace(plan, url=server.url, streams=2))

    assert {"rate_limit_exceeded close 1013": 2} == report.refusals
    assert ["no audio was sent", "no turn was measured"] == report.problems


async def test_a_run_of_silence_lasts_as_long_as_asked(plan: Plan) -> None:
    async with serving(OPEN) as server:
        silent = replace(plan, url=server.url, streams=0, silent_streams=2, seconds=1.2)
        report = await run(silent)

    assert 1.2 <= report.seconds < 3
    assert 0.2 < report.audio_seconds < 2.4


@pytest.mark.parametrize("url", ["ws://192.0.2.1/v1", "ws://localhost:1/v1"])
async def test_a_server_that_is_not_here_costs_what_nobody_can_see(
    plan: Plan, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_asr.bench.stream._OPENING_SECONDS", 0.05)

    assert (await run(replace(plan, url=url))).cost is None


async def test_what_cannot_be_run_is_refused_before_it_begins(plan: Plan) -> None:
    with pytest.raises(BadPlan, match="is no address"):
        await run(replace(plan, url="localhost"))
