"""The bench against the real server, in a process of its own."""

from pathlib import Path

from realtime_asr.bench.measure import Measure
from realtime_asr.bench.plan import Plan
from realtime_asr.bench.run import run
from tests.journeys.server import running

REPLAY = ("--engine", "replay", "--replay-script", "good morning all")


async def test_a_server_without_a_model_answers_every_turn(tmp_path: Path) -> None:
    with running(tmp_path, *REPLAY) as server:
        plan = Plan(
            server.ws_url,
            streams=2,
            silent_streams=3,
            turns=1,
            warmup_turns=0,
            turn_seconds=0,
            pause_seconds=1,
            pid=server.process.pid,
        )
        report = await run(plan)

    assert (2, 0, 0) == (report.measured.turns, report.measured.lost, report.measured.phantoms)
    assert 2 == report.figure(Measure.SPEECH_STARTED).count == report.figure(Measure.FINAL).count
    assert report.cost is not None
    assert report.cost.peak_bytes > 10_000_000


async def test_the_bundled_model_understands_the_clips_that_ship(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        plan = Plan(server.base_url, turns=1, warmup_turns=0, turn_seconds=0, pause_seconds=0.5, manual=True)
        report = await run(plan)

    assert (1, 0, {}) == (report.measured.turns, report.measured.lost, report.measured.errors)
    assert (report.measured.wer or 0) <= 0.1
    assert report.figure(Measure.LAG).count > 5
    assert 1 == report.figure(Measure.COMMIT).count
