"""Webhooks to a receiver that takes them, or does not."""

import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from errno import ENOSPC
from io import FileIO
from pathlib import Path
from typing import Any, Final

import pytest

from realtime_asr.runtime.clock import SystemClock
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server import hooks
from realtime_asr.server.hooks import Hook, Patience
from realtime_asr.server.serving import Server
from realtime_asr.server.watching.instruments import WEBHOOKS
from realtime_asr.session.commands import EndSession
from realtime_asr.session.config import SessionConfig, Transcription
from realtime_asr.session.events import Event, SessionCreated, TranscriptCompleted
from tests.fakes import ManualClock
from tests.server.house import SPOKEN, gateway, settings
from tests.server.receiver import Receiver, answers, receiving
from tests.server.test_serving import calling, until
from tests.server.test_webhooks import verified
from tests.server.watching.meters import Notebook

SECRET: Final = "a long text of the operator's own"
AT_ONCE: Final = (0.0, 0.0, 0.0)
LONG: Final = "x" * 1_000_000


@asynccontextmanager
async def hooked(
    receiver: Receiver,
    dead_letters: Path | None = None,
    waits: Sequence[float] = AT_ONCE,
    patience: float = 15.0,
    seconds: float = 30.0,
    told: Notebook | None = None,
) -> AsyncIterator[Hook]:
    """Stopped after the block, within so many seconds."""
    key, meter = SECRET.encode(), told or Notebook()
    hook = Hook(receiver.address, key, SystemClock(), meter, dead_letters, Patience(patience, waits))
    try:
        yield hook
    finally:
        await hook.stop(seconds)


def say(hook: Hook, *texts: str, session: str = "sess_1", recorded: bool = False) -> None:
    """A whole session in which that was said."""
    config = SessionConfig(Transcription("whisper-1"), recorded=recorded)
    turns: list[Event] = [
        TranscriptCompleted(f"{session}_{number}", text, 24_000, "en")
        for number, text in enumerate(texts, start=1)
    ]
    hook.entered(session, Visitor("kiosk"), 0.0)
    for event in (SessionCreated(config), *turns):
        hook.stepped(session, EndSession(), [event], 0.0, 0.0)
    hook.left(session, 0.0)


def buried(path: Path) -> Iterator[tuple[str, str]]:
    """Each with the reason."""
    for line in path.read_text().splitlines():
        told: dict[str, Any] = json.loads(line)
        yield told["event"]["data"]["transcript"], told["reason"]


# What is posted


async def test_each_finished_turn_is_posted_in_order() -> None:
    async with receiving() as receiver, hooked(receiver) as hook:
        say(hook, *map(str, range(20)))
        await receiver.until(20)

    assert [str(number) for number in range(20)] == receiver.texts


async def test_a_webhook_says_what_was_said_and_where() -> None:
    clock = ManualClock()
    async with receiving() as receiver:
        hook = Hook(receiver.address, b"key", clock, Notebook())
        say(hook, "Good morning.")
        await hook.stop(30)

    [posted] = receiver.posted
    expected = {
        "object": "event",
        "id": posted.headers["webhook-id"],
        "type": "conversation.item.input_audio_transcription.completed",
        "created_at": int(clock.unix()),
        "data": {
            "session_id": "sess_1",
            "item_id": "sess_1_1",
            "transcript": "Good morning.",
            "language": "en",
            "audio_seconds": 1.5,
            "key": "kiosk",
            "door": "realtime",
        },
    }
    assert expected == posted.event
    assert posted.headers["webhook-id"].startswith("evt_")
    assert "application/json" == posted.headers["content-type"]


async def test_the_receiver_can_tell_that_it_is_us() -> None:
    async with receiving() as receiver, hooked(receiver) as hook:
        say(hook, "Où est-il ?")
        await receiver.until(1)

    [posted] = receiver.posted
    assert verified(SECRET, posted.body, dict(posted.headers))


async def test_neither_silence_nor_what_a_file_says_is_posted() -> None:
    async with receiving() as receiver, hooked(receiver) as hook:
        say(hook, "", "spoken", "")
        say(hook, "recorded", session="sess_2", recorded=True)

    assert ["spoken"] == receiver.texts


# What is not taken


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429])
async def test_what_may_be_taken_later_is_posted_again(status: int) -> None:
    async with receiving(answers(status, status)) as receiver, hooked(receiver) as hook:
        say(hook, "one", "two")
        await receiver.until(4)

    assert ["one", "one", "one", "two"] == receiver.texts
    assert 2 == len({posted.headers["webhook-id"] for posted in receiver.posted})
    assert all(verified(SECRET, posted.body, dict(posted.headers)) for posted in receiver.posted)


async def test_what_is_not_answered_is_posted_again() -> None:
    async with receiving(answers(None)) as receiver, hooked(receiver, patience=2) as hook:
        say(hook, "one", "two")
        await receiver.until(3)

    assert ["one", "one", "two"] == receiver.texts


async def test_who_is_not_there_is_asked_again(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    gone = Receiver(answers(), "http://127.0.0.1:1/heard")

    async with hooked(gone, dead) as hook:
        say(hook, "one")
        while not list(buried(dead)):
            await hook._pause(0.01)

    assert [("one", "ConnectError")] == list(buried(dead))


async def test_after_the_last_attempt_a_letter_is_dead_and_the_next_is_posted(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    async with receiving(answers(*[500] * 4)) as receiver, hooked(receiver, dead) as hook:
        say(hook, "one", "two")
        await receiver.until(5)

    assert ["one"] * 4 + ["two"] == receiver.texts
    assert [("one", "status 500")] == list(buried(dead))
    assert 0o600 == dead.stat().st_mode & 0o777


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302])
async def test_what_will_never_be_taken_is_not_posted_again(status: int, tmp_path: Path) -> None:
    """Nor is it posted to where a redirection leads."""
    dead = tmp_path / "dead"
    async with receiving(answers(status)) as receiver, hooked(receiver, dead) as hook:
        say(hook, "one", "two")
        await receiver.until(2)

    assert ["one", "two"] == receiver.texts
    assert [("one", f"status {status}")] == list(buried(dead))


async def test_a_receiver_slow_for_one_session_does_not_hold_up_another() -> None:
    async with (
        receiving(lambda text: None if text == "slow" else 200) as receiver,
        hooked(receiver, seconds=0) as hook,
    ):
        say(hook, "slow", "never")
        say(hook, "quick", "quicker", session="sess_2")
        await receiver.until(3)

    assert {"slow", "quick", "quicker"} == set(receiver.texts)


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    async with receiving() as receiver, hooked(receiver, dead) as hook:
        say(hook, *[LONG] * 12)

    assert 4 == len(receiver.posted)
    assert [(LONG, "too many wait")] * 4 == list(buried(dead))


async def test_once_there_is_room_again_letters_are_taken_again() -> None:
    async with receiving() as receiver, hooked(receiver) as hook:
        say(hook, *[LONG] * 4)
        await receiver.until(4)
        while hook._lines:
            await hook._pause(0.01)
        say(hook, LONG)

    assert 5 == len(receiver.posted)


async def test_without_a_file_dead_letters_are_lost() -> None:
    async with receiving(answers(400)) as receiver, hooked(receiver) as hook:
        say(hook, "one", "two")

    assert ["one", "two"] == receiver.texts


async def test_a_file_that_takes_no_more_does_not_end_the_hook(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    async with receiving(answers(400)) as receiver, hooked(receiver, dead) as hook:
        dead.unlink()
        dead.mkdir()
        say(hook, "one", "two")

    assert ["one", "two"] == receiver.texts


async def test_half_a_letter_is_lost_and_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, dead = Notebook(), tmp_path / "dead"
    async with receiving(answers(400, 400)) as receiver:
        async with hooked(receiver, dead, told=told) as hook:
            monkeypatch.setattr(hooks, "open", lambda path, *_, **__: NearlyFull(path, "ab"), raising=False)
            say(hook, "one")
        monkeypatch.undo()
        async with hooked(receiver, dead, told=told) as hook:
            say(hook, "two")

    assert ["two"] == [text for text, _ in buried(dead)]
    assert {("lost",): 1, ("dead",): 1} == told.counts[WEBHOOKS]


class NearlyFull(FileIO):
    """On a disk that has room for a hundred bytes."""

    def write(self, data: Any) -> int:
        if (room := 100 - self.tell()) <= 0:
            raise OSError(ENOSPC, "No space left on device")
        return super().write(data[:room])


@pytest.mark.parametrize(
    ("statuses", "keeps_dead", "counts"),
    [
        ([], False, {"delivered": 2}),
        ([500, 429], False, {"delivered": 2, "retried": 2}),
        ([500] * 4, True, {"delivered": 1, "retried": 3, "dead": 1}),
        ([400], True, {"delivered": 1, "dead": 1}),
        ([400], False, {"delivered": 1, "lost": 1}),
    ],
)
async def test_what_becomes_of_letters_is_counted(
    statuses: list[int], counts: dict[str, int], tmp_path: Path, *, keeps_dead: bool
) -> None:
    told, dead = Notebook(), tmp_path / "dead" if keeps_dead else None
    async with receiving(answers(*statuses)) as receiver, hooked(receiver, dead, told=told) as hook:
        say(hook, "one", "two")
        await receiver.until(2 + counts.get("retried", 0))

    assert counts == {outcome: count for (outcome,), count in told.counts[WEBHOOKS].items()}
    assert {("delivered",), ("retried",), ("dead",), ("lost",)} == told.expected[WEBHOOKS]


async def test_no_word_of_it_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "realtime_asr")
    async with receiving(answers(500, 400)) as receiver, hooked(receiver) as hook:
        say(hook, "kumquat")
        await receiver.until(2)

    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert ("kumquat" in told, receiver.address in told) == (False, False)


# Leaving


async def test_what_waits_is_posted_before_the_server_leaves() -> None:
    async with receiving() as receiver, hooked(receiver) as hook:
        for session in range(30):
            say(hook, "one", "two", session=f"sess_{session}")

    assert 60 == len(receiver.posted)


async def test_what_cannot_be_posted_in_time_is_dead(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    async with receiving(answers(None)) as receiver, hooked(receiver, dead, seconds=0.1) as hook:
        say(hook, "one", "two")

    assert [("one", "the server left"), ("two", "the server left")] == list(buried(dead))


async def test_a_server_that_leaves_waits_for_no_further_attempt(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    async with receiving(answers(500, 500)) as receiver, hooked(receiver, dead, waits=[1000.0]) as hook:
        say(hook, "one", "two")
        await receiver.until(1)

    assert ("one", "status 500") in list(buried(dead))
    assert "two" in receiver.texts


# In a whole server


async def test_what_is_said_to_a_server_is_posted() -> None:
    async with receiving() as receiver:
        server = Server(settings(hook=receiver.address, hook_secret=SECRET))
        async with server.serving(), calling(server.base_url) as call:
            await call.send('{"type": "input_audio_buffer.commit"}')
            completed = await until(call, "transcription.completed")

    [posted] = receiver.posted
    assert completed["item_id"] == posted.event["data"]["item_id"]
    assert SPOKEN == posted.text


async def test_a_receiver_that_never_answers_keeps_no_session_and_no_server(tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    more: dict[str, Any] = {"hook_secret": SECRET, "hook_dead_letters": dead, "drain_seconds": 1}
    async with receiving(lambda _: None) as receiver:
        server = Server(settings(hook=receiver.address, **more))
        async with server.serving(), calling(server.base_url) as call:
            await call.send('{"type": "input_audio_buffer.commit"}')
            await until(call, "transcription.completed")

    assert [(SPOKEN, "the server left")] == list(buried(dead))


def test_a_file_that_cannot_be_is_told_before_anything_is_lost(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        gateway(hook="http://127.0.0.1:1/", hook_secret=SECRET, hook_dead_letters=tmp_path / "no" / "dead")
