"""The fakes keep the contracts of what they stand in for."""

import numpy as np
import pytest

from realtime_asr.audio.noise import Denoiser
from realtime_asr.engines.engine import Engine, EngineError
from realtime_asr.runtime.channel import Channel
from realtime_asr.session.commands import ClearAudio, CommitAudio, HangUp
from realtime_asr.session.events import AudioCleared
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import (
    LateDenoiser,
    ManualClock,
    MemoryChannel,
    ScriptedEngine,
    Until,
    counted_ids,
    final,
    partial,
    tone,
)

REQUEST = TurnRequest("whisper-1")


def test_a_clock_stands_still_until_told_otherwise() -> None:
    clock = ManualClock(2.0, began=100.0)

    clock.advance(1.5)

    assert (clock.now(), clock.unix()) == (3.5, 103.5)


def test_ids_are_counted() -> None:
    new_id = counted_ids("item")

    assert [new_id(), new_id()] == ["item_1", "item_2"]


async def test_a_channel_gives_commands_in_order_and_then_hangs_up_for_ever() -> None:
    channel = MemoryChannel(CommitAudio(), ClearAudio())
    contract: Channel = channel
    channel.hang_up()

    received = [await contract.receive() for _ in range(4)]

    assert [CommitAudio(), ClearAudio(), HangUp(), HangUp()] == received


async def test_a_channel_keeps_what_is_sent_until_the_client_is_gone() -> None:
    channel = MemoryChannel()
    await channel.send(AudioCleared())
    await channel.until(lambda: bool(channel.sent))
    await channel.close(1000, "")
    await channel.until(lambda: channel.closed is not None)

    with pytest.raises(ConnectionError):
        await channel.send(AudioCleared())

    assert ([AudioCleared()], (1000, "")) == (channel.sent, channel.closed)


async def test_an_engine_says_its_script_and_the_final_only_when_finished() -> None:
    engine = ScriptedEngine([partial("hello"), final("hello you")])
    contract: Engine = engine
    await contract.start()
    stream = engine.open(REQUEST)
    stream.feed(tone(320))
    stream.prepare(290)
    heard = stream.hypotheses()

    first = await anext(heard)
    stream.finish(300)
    rest = [hypothesis async for hypothesis in heard]
    await contract.stop()

    assert (partial("hello"), [final("hello you")]) == (first, rest)
    assert (stream.fed, stream.prepared, stream.voiced) == ([320], [290], 300)
    assert (stream.abandoned, engine.running) == (False, False)


def test_a_denoiser_holds_back_what_it_gives_out_when_flushed() -> None:
    denoiser = LateDenoiser(delay=200)
    contract: Denoiser = denoiser
    noise = tone(320)

    given = [contract.clean(noise), contract.flush(), contract.flush()]

    assert [120, 200, 0] == [len(samples) for samples in given]
    assert np.array_equal(noise, np.concatenate(given))
    assert denoiser.flushes == 2


async def test_an_engine_breaks_where_its_script_says_so() -> None:
    engine = ScriptedEngine([Until.FINISHED, EngineError("Out of order.")])
    stream = engine.open(REQUEST)
    stream.finish(0)

    with pytest.raises(EngineError):
        await anext(stream.hypotheses())


async def test_an_abandoned_turn_says_nothing_and_one_without_a_script_nothing_but_its_end() -> None:
    engine = ScriptedEngine([partial("hello"), final("hello")])
    abandoned, plain = engine.open(REQUEST), engine.open(REQUEST)
    abandoned.abandon()
    plain.finish(0)

    said = [[h async for h in abandoned.hypotheses()], [h async for h in plain.hypotheses()]]

    assert [[], [final("")]] == said
