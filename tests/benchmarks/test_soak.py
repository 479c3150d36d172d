"""Visitors of every kind: for less than a minute here, for hours by the command."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.footprint import Footprint
from benchmarks.soak import SERVER, VISITS, Soak, Wrong, check_story, soak
from tests.journeys.server import running

COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "a"}
COMPLETED = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "a"}
FAILED = {"type": "conversation.item.input_audio_transcription.failed", "item_id": "a"}
ERROR = {"type": "error", "error": {"code": "oh"}}


async def test_a_server_is_afterwards_as_it_was(tmp_path: Path) -> None:
    with running(tmp_path, *SERVER) as server:
        seen = await soak(server, minutes=0.6, visitors=8)

    assert [] == seen.breaches()
    assert set(VISITS) == set(seen.visits)


def test_an_item_that_ends_once_after_its_commit_is_well() -> None:
    check_story([COMMITTED, COMPLETED, {"type": "session.closed"}])


@pytest.mark.parametrize(
    "events",
    [
        [],
        [COMMITTED],
        [COMPLETED, COMMITTED],
        [COMMITTED, COMPLETED, COMPLETED],
        [COMMITTED, FAILED],
        [COMMITTED, COMPLETED, ERROR],
    ],
)
def test_whatever_else_becomes_of_items_is_wrong(events: list[dict[str, Any]]) -> None:
    with pytest.raises(Wrong):
        check_story(events)


def seen(minutes: float, mib_an_hour: float, *, files: int = 0) -> Soak:
    soaked = Soak(minutes, before=Footprint(0, 10, 1), after=Footprint(0, 10 + files, 1))
    seconds = range(0, round(minutes * 60), 10)
    soaked.resident = [(at, 100_000 + round(at * mib_an_hour * 1024 / 3600)) for at in seconds]
    return soaked


def test_memory_that_grows_over_hours_is_a_breach() -> None:
    assert [] == seen(120, 0.5).breaches()
    assert ["memory grows by 2.0 MiB an hour"] == seen(120, 2.0).breaches()


def test_in_minutes_only_much_growth_is_a_breach() -> None:
    assert [] == seen(10, 10).breaches()
    assert ["memory grew by 18.8 MiB"] == seen(10, 150).breaches()


def test_files_left_open_are_a_breach() -> None:
    assert ["2 files are left open"] == seen(10, 0, files=2).breaches()


def test_what_no_visitor_should_meet_is_a_breach() -> None:
    soaked = seen(10, 0)
    soaked.wrong["speak: Wrong: closed with 1006"] += 3

    assert ["speak: Wrong: closed with 1006: 3 times"] == soaked.breaches()
