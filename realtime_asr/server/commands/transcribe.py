"""The command `realtime-asr transcribe`."""

import argparse
import asyncio
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from time import monotonic
from typing import BinaryIO, Final, NoReturn, TypeAlias, cast

from tqdm import tqdm

from realtime_asr.audio.timeline import RATE, milliseconds, seconds
from realtime_asr.decoders.recording import Recording, UnreadableRecording, open_recording
from realtime_asr.dialects.openai_file_answers import Addition, Transcript, written
from realtime_asr.dialects.openai_files import FileRequest
from realtime_asr.runtime.ids import session_id
from realtime_asr.runtime.recordings import CutShort, transcribed, understood
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.commands.completion import names_files, names_folders
from realtime_asr.server.commands.listening import configured, listening
from realtime_asr.server.settings import BadSettings, Settings
from realtime_asr.session.config import UNSET, Patch, SessionConfig, TranscriptionPatch
from realtime_asr.session.events import SpeechStarted, TranscriptCompleted, TranscriptFailed

STDIN: Final = "-"
_Write: TypeAlias = Callable[[str], object]
_Ended: TypeAlias = TranscriptCompleted | TranscriptFailed
_FORMATS: Final = {"text": "txt", "srt": "srt", "vtt": "vtt", "json": "json"}
"""And how their files end."""
_IN_MEMORY: Final = 16 * 1024 * 1024


def add_transcribe(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "transcribe",
        help="write down what is said in files",
        description="Write down what is said in recordings and films, without a server: wav, mp3, m4a, mp4, "
        "ogg, opus, flac, webm and more. Text comes turn by turn, on the standard output. A file that cannot "
        "be read is told of, and the others are done; the exit code is 1 then.",
    )
    files = command.add_argument(
        "files", nargs="+", metavar="FILE", help=f"recording, or {STDIN} for the standard input"
    )
    names_files(files)
    command.add_argument(
        "--format", choices=_FORMATS, default="text", help="what to write; json has the times of all words"
    )
    command.add_argument(
        "--timestamps", action="store_true", help="with text: a line for each sentence, and when it was said"
    )
    command.add_argument(
        "--language", metavar="CODE", help="of the speech, such as en; found out unless said"
    )
    command.add_argument("--prompt", metavar="TEXT", help="names and words that may occur, or text before")
    command.add_argument("--translate", action="store_true", help="write English, whatever is spoken")
    output = command.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write a file for each there, such as NAME.srt"
    )
    names_folders(output)
    command.set_defaults(run=_transcribe, fixed={})
    return command


def _transcribe(settings: Settings, asked: argparse.Namespace) -> int:
    """Returns the exit code: 1 if anything could not be written down."""
    _check(asked)
    with SpooledTemporaryFile(_IN_MEMORY) as piped:
        # Here an interrupt is heeded; once the loop runs, it would wait for the end of the pipe.
        if STDIN in asked.files and sys.stdin is not None:
            shutil.copyfileobj(sys.stdin.buffer, piped)
        return asyncio.run(_transcribe_all(settings, asked, cast("BinaryIO", piped)))


def _check(asked: argparse.Namespace) -> None:
    names = Counter(_stem(file) for file in asked.files)
    twice = [name for name, count in names.items() if count > 1]
    wrong = [
        (
            asked.timestamps and asked.format != "text",
            "--timestamps is for text: the other formats have them.",
        ),
        (
            len(asked.files) > 1 and not asked.output and asked.format in ("srt", "vtt"),
            f"Several files as {asked.format} need --output FOLDER: joined, nobody could read them.",
        ),
        (asked.files.count(STDIN) > 1, "The standard input can be read once."),
        (bool(asked.output and twice), f"Two files would become '{''.join(twice[:1])}' in the folder."),
    ]
    if sentences := [sentence for is_so, sentence in wrong if is_so]:
        raise BadSettings(sentences)


async def _transcribe_all(settings: Settings, asked: argparse.Namespace, piped: BinaryIO) -> int:
    async with listening(settings) as sessions:
        request = _request(asked)
        scribe = _Scribe(sessions, configured(sessions, request.patch), request, asked, piped)
        return max([await scribe.take(name) for name in asked.files])


def _request(asked: argparse.Namespace) -> FileRequest:
    with_times = asked.timestamps or asked.format != "text"
    return FileRequest(
        task="translate" if asked.translate else "transcribe",
        patch=Patch(
            transcription=TranscriptionPatch(language=asked.language, prompt=asked.prompt),
            include=("logprobs", "word_times") if with_times else UNSET,
        ),
        language="en" if asked.translate else asked.language,
        temperature=0.0,
        format="verbose_json" if asked.format == "json" else asked.format,
        granularities=frozenset({"word", "segment"}),
        logprobs=False,
        stream=False,
    )


@dataclass(frozen=True, slots=True)
class _Scribe:
    sessions: Sessions
    config: SessionConfig
    request: FileRequest
    asked: argparse.Namespace
    piped: BinaryIO

    async def take(self, name: str) -> int:
        """Returns the exit code."""
        try:
            with self._opened(name) as file:
                recording = open_recording(file)
                with self._page(name) as write:
                    return await self._write_down(name, recording, write)
        except BrokenPipeError:
            raise  # nobody reads what we write, which is not the file's fault
        except (OSError, UnreadableRecording, CutShort) as error:
            return _complain(name, getattr(error, "strerror", None) or str(error))

    async def _write_down(self, name: str, recording: Recording, write: _Write) -> int:
        transcript, code = Transcript(), 0
        with _progress(name, recording.seconds) as reached:
            async for turn, start in self._turns(recording):
                if isinstance(turn, TranscriptFailed):
                    code = _complain(name, f"from {_clock(start)}: {turn.problem.message}")
                    continue
                added = transcript.add(turn, start)
                if added is not None and self.request.format == "text":
                    write(self._line(added))
                reached(start + turn.length)
        if self.request.format != "text":
            request = understood(self.request, self.config, self.sessions.limits.models)
            write(written(transcript, request, recording.decoded_seconds).rstrip() + "\n")
        return code

    async def _turns(self, recording: Recording) -> AsyncIterator[tuple[_Ended, int]]:
        """In their order, each with where it begins."""
        config, begun = self.request.configured(self.config, recording.format), dict[str, int]()
        events = transcribed(self.sessions, session_id(), config, recording.chunks(), Visitor(door="command"))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, SpeechStarted):
                    begun[event.item_id] = event.at
                elif isinstance(event, TranscriptCompleted | TranscriptFailed):
                    yield event, begun.pop(event.item_id)

    def _line(self, added: Addition) -> str:
        if not self.asked.timestamps:
            return f"{added.text.strip()}\n"
        return "".join(
            f"[{_clock(segment.start)} --> {_clock(segment.end)}] {segment.text.strip()}\n"
            for _, segment in added.segments
        )

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        if name == STDIN:
            if sys.stdin is None:
                raise OSError("It is closed.")
            self.piped.seek(0)
            yield self.piped
        else:
            with Path(name).open("rb") as file:
                yield file

    @contextmanager
    def _page(self, name: str) -> Iterator[_Write]:
        """A file is written when all of it is known."""
        if self.asked.output is None:
            if len(self.asked.files) > 1 and self.request.format == "text":
                _show(f"==> {name} <==\n")
            yield _show
        else:
            self.asked.output.mkdir(parents=True, exist_ok=True)
            pieces: list[str] = []
            yield pieces.append
            path = self.asked.output / f"{_stem(name)}.{_FORMATS[self.asked.format]}"
            path.write_text("".join(pieces), encoding="utf-8")


def _stem(name: str) -> str:
    return "stdin" if name == STDIN else Path(name).stem


def _clock(position: int) -> str:
    minutes, rest = divmod(milliseconds(position), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


# On the terminal


@contextmanager
def _progress(name: str, length: float | None) -> Iterator[Callable[[int], None]]:
    """To be told up to which sample the text is known. Shown only to who looks."""
    began = monotonic()
    bar: tqdm[NoReturn] = tqdm(
        desc=Path(name).name,
        total=length,
        bar_format=_UNKNOWN_LENGTH if length is None else _BAR,
        smoothing=0,
        disable=not sys.stderr.isatty(),
    )

    def reached(position: int) -> None:
        at = seconds(position) if length is None else min(seconds(position), length)
        bar.set_postfix_str(f"{at / (monotonic() - began):.1f} x real time", refresh=False)
        bar.update(at - bar.n)

    with bar:
        yield reached
        if length is not None:
            # The rest is silence.
            reached(round(length * RATE))


def _show(text: str) -> None:
    """Above the bar, where there is one."""
    tqdm.write(text, end="")
    sys.stdout.flush()


def _complain(name: str, sentence: str) -> int:
    which = "the standard input" if name == STDIN else name
    tqdm.write(f"realtime-asr: {which}: {sentence}", file=sys.stderr)
    return 1


_BAR: Final = "{desc} {percentage:3.0f} % |{bar}| {elapsed} and {remaining} to go{postfix}"
_UNKNOWN_LENGTH: Final = "{desc} {elapsed}{postfix}"
