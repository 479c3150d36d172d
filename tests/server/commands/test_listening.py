"""The bundled model in this process: recordings of all kinds, at once and next to live speech."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.decoders.recording import Recording, open_recording
from realtime_asr.runtime.recordings import transcribed
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.commands.listening import configured, listening
from realtime_asr.server.settings import BadSettings, Settings
from realtime_asr.session.commands import AppendAudio, EndSession
from realtime_asr.session.config import Patch, TranscriptionPatch
from realtime_asr.session.events import TranscriptCompleted
from tests.decoders.files import FLAC, M4A, MP3, OPUS, WAV, WEBM, Kind, encoded
from tests.fakes import PCM16_16K, MemoryChannel
from tests.speech.clips import clip

SETTINGS = Settings(max_sessions=0)
PAUSE = clip("pause")
"""Two turns."""


async def spoken(sessions: Sessions) -> list[str]:
    """The clip as a microphone would send it, tenth of a second by tenth."""
    pcm = encode_pcm16(PAUSE.samples)
    chunks = [AppendAudio(pcm[at : at + 3_200]) for at in range(0, len(pcm), 3_200)]
    channel = MemoryChannel(*chunks, EndSession())
    config = configured(sessions, Patch(format=PCM16_16K))
    await sessions.run("sess_live", config, channel, Visitor())
    return [event.transcript for event in channel.sent if isinstance(event, TranscriptCompleted)]


async def read(sessions: Sessions, recording: Recording, chunks: Iterator[bytes] | None = None) -> list[str]:
    config = configured(sessions, Patch(format=recording.format))
    events = transcribed(sessions, "sess_file", config, chunks or recording.chunks(), Visitor())
    async with aclosing(events):
        return [event.transcript async for event in events if isinstance(event, TranscriptCompleted)]


def recording(kind: Kind) -> Recording:
    return open_recording(io.BytesIO(encoded(PAUSE.samples, kind)))


async def test_a_recording_has_the_words_that_were_heard_live() -> None:
    async with listening(SETTINGS) as sessions:
        live = await spoken(sessions)
        recorded = [await read(sessions, recording(kind)) for kind in (WAV, MP3, M4A, OPUS, FLAC, WEBM)]

    assert [PAUSE.text] == [" ".join(live)]
    assert [live] * 6 == recorded


async def test_recordings_are_read_side_by_side() -> None:
    async with listening(SETTINGS) as sessions:
        read_together = await asyncio.gather(
            *(read(sessions, recording(kind)) for kind in (WAV, MP3)), spoken(sessions)
        )

    assert [PAUSE.text] * 3 == [" ".join(texts) for texts in read_together]


async def test_what_came_before_the_damage_is_written_down() -> None:
    file = encoded(PAUSE.samples, MP3)

    async with listening(SETTINGS) as sessions:
        texts = await read(sessions, open_recording(io.BytesIO(file[: len(file) // 2])))

    assert [PAUSE.text.partition(". ")[0] + "."] == texts


async def test_what_the_model_cannot_do_is_refused() -> None:
    async with listening(SETTINGS) as sessions:
        with pytest.raises(BadSettings, match=r"Language 'xx' is not supported"):
            configured(sessions, Patch(transcription=TranscriptionPatch(language="xx")))
