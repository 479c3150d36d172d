import asyncio
from contextlib import suppress

from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import AppendAudio, EndSession
from realtime_asr.session.config import NoiseReduction
from realtime_asr.session.events import (
    Rejected,
    SessionExpiring,
    SpeechStarted,
    TranscriptCompleted,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from tests.fakes import (
    LateDenoiser,
    LoudnessScorer,
    ManualClock,
    MemoryChannel,
    Script,
    ScriptedEngine,
    configured,
    final,
    limited,
    partial,
    silence,
    speech,
)
from tests.runtime.test_runner import Watcher, finish

TURN = AppendAudio(speech(1.0)), AppendAudio(silence(1.0))


def sessions(*scripts: Script) -> Sessions:
    return Sessions(ScriptedEngine(*scripts), limited(), LoudnessScorer, ManualClock(), Watcher())


def started(channel: MemoryChannel) -> bool:
    return any(isinstance(event, SpeechStarted) for event in channel.sent)


def completed(channel: MemoryChannel) -> list[str]:
    return [event.transcript for event in channel.sent if isinstance(event, TranscriptCompleted)]


def items(channel: MemoryChannel) -> set[str]:
    named = (SpeechStarted, TranscriptGrew, TranscriptCompleted)
    return {event.item_id for event in channel.sent if isinstance(event, named)}


async def test_sessions_are_counted_while_they_live() -> None:
    house, channel = sessions(), MemoryChannel()

    running = asyncio.create_task(house.run("sess_1", configured(), channel, Visitor()))
    await channel.until(lambda: bool(channel.sent))
    alive = len(house)
    channel.hang_up()
    await finish(running)

    assert (alive, len(house)) == (1, 0)


async def test_turns_that_overlap_in_two_sessions_never_mix() -> None:
    house = sessions(
        [partial("one"), partial("one and"), final("one and only")],
        [partial("two"), partial("two by"), final("two by two")],
    )
    first, second = MemoryChannel(), MemoryChannel()
    running = [
        asyncio.create_task(house.run(f"sess_{number}", configured(), channel, Visitor()))
        for number, channel in enumerate((first, second))
    ]

    for channel in (first, second):
        channel.say(TURN[0])
        await channel.until(lambda channel=channel: started(channel))  # type: ignore[misc]
    for channel in (second, first):
        channel.say(TURN[1], EndSession())
    for task in running:
        await finish(task)

    assert (["one and only"], ["two by two"]) == (completed(first), completed(second))
    assert [1, 1, 2] == [len(items(first)), len(items(second)), len(items(first) | items(second))]


async def test_a_session_may_outlive_the_request_it_came_with() -> None:
    house, channel = sessions([final("good morning")]), MemoryChannel(*TURN, EndSession())

    house.start("sess_1", configured(), channel, Visitor())
    await channel.until(lambda: channel.closed is not None)
    await house.drain(1012, "bye")

    assert (["good morning"], (1000, "")) == (completed(channel), channel.closed)


async def test_a_session_may_have_limits_of_its_own() -> None:
    house, channel = sessions(), MemoryChannel()
    limits = limited(session_seconds=60.0, warning_seconds=60.0)

    running = asyncio.create_task(house.run("sess_1", configured(), channel, Visitor(), limits))
    await channel.until(lambda: SessionExpiring(60.0) in channel.sent)
    channel.hang_up()
    await finish(running)

    assert len(house) == 0


async def test_one_session_may_be_ended_with_a_word_about_why() -> None:
    house, channels = sessions([final("one")], [final("two")]), [MemoryChannel(TURN[0]), MemoryChannel()]
    for number, channel in enumerate(channels):
        house.start(f"sess_{number}", configured(), channel, Visitor())
    first, second = channels
    await first.until(lambda: started(first))
    why = Problem("invalid_api_key", "It was revoked.")

    house.end("sess_0", 3000, why)
    await first.until(lambda: first.closed is not None)
    house.end("sess_0", 3000, why)

    assert (["one"], Rejected(why)) == (completed(first), first.sent[-1])
    assert ((3000, "invalid_request_error.invalid_api_key"), None) == (first.closed, second.closed)
    await house.drain(1012, "bye")


async def test_a_session_that_outlives_its_request_may_have_limits_of_its_own() -> None:
    house, channel = sessions(), MemoryChannel()

    house.start(
        "sess_1", configured(), channel, Visitor(), limited(session_seconds=60.0, warning_seconds=60.0)
    )
    await channel.until(lambda: SessionExpiring(60.0) in channel.sent)
    channel.hang_up()
    await house.drain(1012, "bye")

    assert len(house) == 0


async def test_all_sessions_end_together_when_what_was_said_is_finished() -> None:
    house = sessions([final("one")], [final("two")])
    channels = [MemoryChannel(TURN[0]), MemoryChannel(TURN[0])]
    for number, channel in enumerate(channels):
        house.start(f"sess_{number}", configured(), channel, Visitor())
        await channel.until(lambda channel=channel: started(channel))  # type: ignore[misc]

    await house.drain(1012, "The server is restarting.")

    assert [["one"], ["two"]] == [completed(channel) for channel in channels]
    assert {(1012, "The server is restarting.")} == {channel.closed for channel in channels}
    assert len(house) == 0


async def test_where_nobody_is_draining_is_done() -> None:
    await sessions().drain(1012, "bye")


async def test_a_house_without_a_limit_is_never_full() -> None:
    assert not sessions().full


async def test_sessions_count_from_the_moment_they_are_started() -> None:
    house, channels = sessions(), [MemoryChannel(), MemoryChannel()]
    house.most = 2

    fullness = [house.full]
    for number, channel in enumerate(channels):
        house.start(f"sess_{number}", configured(), channel, Visitor())
        fullness.append(house.full)
    for channel in channels:
        channel.hang_up()
    await house.drain(1012, "bye")

    assert ([False, False, True], False) == (fullness, house.full)


async def test_each_session_has_a_denoiser_of_its_own_when_it_asks_for_one() -> None:
    house, made = sessions(), list[NoiseReduction]()

    def new_denoiser(reduction: NoiseReduction) -> LateDenoiser:
        made.append(reduction)
        return LateDenoiser()

    house.new_denoiser = new_denoiser
    near = NoiseReduction("near_field")
    for config in (configured(), configured(noise_reduction=near), configured(noise_reduction=near)):
        channel = MemoryChannel()
        house.start("sess", config, channel, Visitor())
        channel.hang_up()
    await house.drain(1012, "bye")

    assert [near, near] == made


async def test_who_enters_leaves_again_however_the_session_ends() -> None:
    house, watcher = sessions(), Watcher()
    house.observer = watcher
    channel, cancelled = MemoryChannel(EndSession()), MemoryChannel()

    await house.run("sess_1", configured(), channel, Visitor("key_1"))
    running = asyncio.create_task(house.run("sess_2", configured(), cancelled, Visitor("key_2")))
    await cancelled.until(lambda: bool(cancelled.sent))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert ["sess_1 entered", "sess_1 left", "sess_2 entered", "sess_2 left"] == watcher.life
    assert [Visitor("key_1"), Visitor("key_2")] == watcher.visitors
