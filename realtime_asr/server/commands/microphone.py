"""The command `realtime-asr microphone`."""

import argparse
import asyncio
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from realtime_asr.audio.formats import AudioFormat, Encoding
from realtime_asr.runtime.ids import session_id
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.commands.listening import configured, listening
from realtime_asr.server.commands.terminal import say
from realtime_asr.server.settings import Settings
from realtime_asr.session.commands import AppendAudio, EndSession
from realtime_asr.session.config import Patch, TranscriptionPatch
from realtime_asr.session.events import (
    Event,
    Rejected,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)

_BLOCKS_A_SECOND: Final = 20


def add_microphone(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "microphone",
        help="write down what is said into a microphone",
        description="Show what is said into a microphone while it is said, without a server. Each turn "
        "becomes a line; in a pipe or a file there are only these. Ctrl-C ends, once the last words are "
        "written; a second one does not wait for them. Needs the extra microphone.",
    )
    command.add_argument("--input", metavar="NAME", help="the microphone: part of its name, or its number")
    command.add_argument("--list-inputs", action="store_true", help="show which devices there are")
    command.add_argument(
        "--language", metavar="CODE", help="of the speech, such as en; found out unless said"
    )
    command.add_argument("--prompt", metavar="TEXT", help="names and words that may occur")
    command.add_argument("--translate", action="store_true", help="write English, whatever is spoken")
    command.set_defaults(run=_microphone, fixed={})
    return command


def _microphone(settings: Settings, asked: argparse.Namespace) -> int:
    """Raises OSError without a microphone."""
    sound = _sounddevice()
    try:
        if asked.list_inputs:
            say(f"{sound.query_devices()}\n")
        else:
            asyncio.run(_listen(settings, asked, sound))
    except sound.PortAudioError as error:
        raise OSError(f"There is no microphone to listen to: {error}.") from error
    return 0


def _sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415  an extra
    except ImportError as error:
        raise OSError("This command needs an extra: pip install 'realtime-asr[microphone]'.") from error
    except OSError as error:
        message = "PortAudio is missing: install it with apt install libportaudio2, or the like."
        raise OSError(message) from error
    return sounddevice


async def _listen(settings: Settings, asked: argparse.Namespace, sound: Any) -> None:
    device = int(asked.input) if asked.input and asked.input.isdecimal() else asked.input
    rate = int(sound.query_devices(device, "input")["default_samplerate"])
    async with listening(settings) as sessions:
        patch = Patch(
            format=AudioFormat(Encoding.PCM16, rate),
            transcription=TranscriptionPatch(language=asked.language, prompt=asked.prompt),
        )
        config = configured(sessions, patch, "translate" if asked.translate else "transcribe")
        voice = _Voice()
        with _until_interrupted(voice.end), _recorded(sound, device, rate, voice):
            await sessions.run(session_id(), config, voice, Visitor(door="command"))
        if voice.unread is not None:
            raise voice.unread


@contextmanager
def _recorded(sound: Any, device: int | str | None, rate: int, voice: "_Voice") -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def hear(block: Any, *_: object) -> None:
        loop.call_soon_threadsafe(voice.hear, bytes(block))

    stream = sound.RawInputStream(
        samplerate=rate,
        blocksize=rate // _BLOCKS_A_SECOND,
        device=device,
        channels=1,
        dtype="int16",
        callback=hear,
        # Also where somebody pulls the plug.
        finished_callback=lambda: loop.call_soon_threadsafe(voice.end),
    )
    with stream:
        yield


@contextmanager
def _until_interrupted(end: Callable[[], None]) -> Iterator[None]:
    """Once. The second time it is as without this."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        end()

    with suppress(NotImplementedError):  # on Windows
        loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


@dataclass(slots=True)
class _Voice:
    """The one who speaks, and reads on the terminal what was understood."""

    unread: BrokenPipeError | None = None
    """Nobody reads any more. To the session that is a client who is gone, and no error."""
    _said: asyncio.Queue[AppendAudio | EndSession] = field(default_factory=asyncio.Queue)
    _growing: str = ""

    def hear(self, audio: bytes) -> None:
        self._said.put_nowait(AppendAudio(audio))

    def end(self) -> None:
        self._said.put_nowait(EndSession())

    async def receive(self) -> AppendAudio | EndSession:
        return await self._said.get()

    async def send(self, event: Event) -> None:
        try:
            self._tell(event)
        except BrokenPipeError as error:
            self.unread = error
            raise

    async def close(self, code: int, reason: str) -> None:
        """There is no line to close."""

    def _tell(self, event: Event) -> None:
        match event:
            case TranscriptGrew(text=text):
                self._growing += text
                self._show(self._growing)
            case TranscriptCompleted(transcript=transcript):
                self._settle(transcript)
            case TranscriptFailed(problem=problem) | Rejected(problem=problem):
                self._settle("")
                sys.stderr.write(f"realtime-asr: {problem.message}\n")
            case _:
                pass

    def _show(self, text: str) -> None:
        """On one row, so that it can be written anew: the end of what does not fit."""
        if sys.stdout.isatty():
            room = shutil.get_terminal_size().columns - 1
            say(f"{_AFRESH}{_FAINT}{text[-room:]}{_PLAIN}")

    def _settle(self, text: str) -> None:
        if sys.stdout.isatty():
            say(_AFRESH)
        if text:
            say(f"{text}\n")
        self._growing = ""


_AFRESH: Final = "\r\x1b[K"
_FAINT: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
