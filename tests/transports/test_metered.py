import asyncio
from typing import Any

from realtime_asr.audio.formats import PCM16_24K, ULAW_8K
from realtime_asr.session.commands import AppendAudio, CommitAudio, Configure, FromClient, HangUp
from realtime_asr.session.config import Patch, TranscriptionPatch
from realtime_asr.session.events import AudioCleared, Rejected, SessionUpdated
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NOBODY, Accounts, Allowance, Allowances, Ticket
from realtime_asr.transports.metered import Metered
from tests.fakes import ManualClock, MemoryChannel, configured, silence

SECOND = silence(1.0)


class Line:
    """A client behind a meter, of a key that may send a minute of audio in each."""

    def __init__(self, *commands: FromClient, **may: Any) -> None:
        self.clock = ManualClock()
        house = Accounts(self.clock, Allowances(Allowance(**(may or {"audio_per_minute": 60.0}))))
        ticket = house.open("alice", NOBODY)
        assert isinstance(ticket, Ticket)
        self.client = MemoryChannel(*commands)
        self.problems: list[Problem] = []
        self.channel = Metered(self.client, ticket, PCM16_24K, self.problems.append)

    async def heard(self, commands: int) -> list[FromClient | HangUp]:
        async with asyncio.timeout(5):
            return [await self.channel.receive() for _ in range(commands)]


async def test_what_is_allowed_passes_as_it_came() -> None:
    commands: list[FromClient] = [AppendAudio(SECOND), CommitAudio(), AppendAudio(SECOND)]
    line = Line(*commands)

    assert commands == await line.heard(3)
    assert line.problems == []


async def test_a_file_sent_at_once_is_heard_for_a_minute_and_then_ended_with_a_word_about_it() -> None:
    line = Line(*(AppendAudio(SECOND, ref=str(number)) for number in range(100)))
    line.client.hang_up()

    heard = await line.heard(62)

    assert [*map(str, range(61)), None] == [getattr(command, "ref", None) for command in heard]
    [problem] = line.problems
    assert ("rate_limit_exceeded", "requests", "61") == (problem.code, problem.kind, problem.ref)
    assert "60 seconds of audio per minute" in problem.message


async def test_after_the_end_all_but_audio_still_passes() -> None:
    line = Line(AppendAudio(60 * SECOND), AppendAudio(SECOND), AppendAudio(SECOND), CommitAudio())

    assert [AppendAudio(60 * SECOND), AppendAudio(SECOND), CommitAudio()] == await line.heard(3)


async def test_who_speaks_at_ones_own_pace_is_never_ended() -> None:
    line = Line()

    for _ in range(600):
        line.clock.advance(1.0)
        line.client.say(AppendAudio(SECOND))
        await line.heard(1)

    assert line.problems == []


async def test_audio_counts_in_the_format_it_comes_in() -> None:
    """An update is in force once it was answered: what follows it has to wait for that."""
    update = Configure(Patch(format=ULAW_8K), "")
    line = Line(update, AppendAudio(bytes(8000 * 61)), AppendAudio(b"."), CommitAudio())
    await line.heard(1)

    waiting = asyncio.create_task(line.heard(2))
    await asyncio.sleep(0)
    still = waiting.done()
    await line.channel.send(SessionUpdated(configured(format=ULAW_8K), ""))

    assert not still
    assert [AppendAudio(bytes(8000 * 61)), CommitAudio()] == await waiting
    assert len(line.problems) == 1


async def test_after_an_update_that_was_refused_audio_counts_as_before() -> None:
    line = Line(Configure(Patch(format=ULAW_8K), ""), AppendAudio(SECOND))
    await line.heard(1)

    await line.channel.send(Rejected(Problem("invalid_value", "No.")))

    assert [AppendAudio(SECOND)] == await line.heard(1)


async def test_an_answer_to_something_else_changes_nothing_of_what_audio_counts_in_the_end() -> None:
    """What is refused may have come before the update."""
    wish = Configure(Patch(format=ULAW_8K), "")
    line = Line(CommitAudio(), wish, AppendAudio(bytes(8000 * 61)), AppendAudio(b"."), CommitAudio())
    await line.heard(2)

    await line.channel.send(Rejected(Problem("input_audio_buffer_commit_empty", "No.")))
    await line.heard(1)
    await line.channel.send(SessionUpdated(configured(format=ULAW_8K), ""))

    assert [CommitAudio()] == await line.heard(1)
    assert len(line.problems) == 1


async def test_other_updates_keep_no_audio_waiting() -> None:
    update = Configure(Patch(transcription=TranscriptionPatch("whisper-1")), "")
    line = Line(update, AppendAudio(SECOND))

    assert [update, AppendAudio(SECOND)] == await line.heard(2)


async def test_what_the_session_tells_passes_as_it_is() -> None:
    line = Line()

    await line.channel.send(AudioCleared())
    await line.channel.close(1000, "bye")

    assert ([AudioCleared()], (1000, "bye")) == (line.client.sent, line.client.closed)
