"""Records sessions: all that enters one, and what came of it, so that it can be lived again elsewhere.

Each session has a file of its own, of JSON lines. The first says how it was configured. Each that follows is
a step: the command and its moment, what the session was answered when it asked for scores, names, models and
cleaned audio, and its outputs, in which audio is only fingerprinted.

A thread writes. It is given whole lines, most of them within a second: a crash costs the last ones. What
cannot be written ends the journal of that session, and nothing else.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from errno import ETIMEDOUT
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import Samples
from realtime_asr.runtime.notation import Json, noted, sketched
from realtime_asr.session.commands import Command
from realtime_asr.session.config import Limits, NoiseReduction, SessionConfig
from realtime_asr.session.session import Output, Session

VERSION: Final = 2
_LARGE = 64 * 1024
_OLD_SECONDS = 1.0
_TOO_LARGE = 4 * 1024 * 1024
"""Where so much waits, the disk has stopped taking any."""

P = ParamSpec("P")
T = TypeVar("T")


class Journal:
    """The folder, and the sessions that are being recorded in it."""

    def __init__(self, folder: Path, lost: Callable[[str, Exception], None]) -> None:
        """`lost` is told which session's journal ended early, and why; maybe from another thread.

        Raises OSError where there can be no such folder.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._lost = lost
        self._writer = ThreadPoolExecutor(1, "journal")
        self._open: dict[str, _Page] = {}

    def session(
        self,
        session_id: str,
        config: SessionConfig,
        limits: Limits,
        scorer: SpeechScorer,
        new_item_id: Callable[[], str],
        new_denoiser: Callable[[NoiseReduction], Denoiser] | None = None,
    ) -> Session:
        """One that is recorded until it is left."""
        path, lost = self._folder / f"{session_id}.jsonl", self._lost
        page = _Page(path, self._writer, lambda error: lost(session_id, error))
        tools = {"denoiser": new_denoiser is not None, "tells_voices": scorer.tells_voices}
        page.add(lambda: _beginning(session_id, config, limits, tools), 0.0)
        self._open[session_id] = page
        return _Recorded(page, config, limits, scorer, new_item_id, new_denoiser)

    def left(self, session_id: str) -> None:
        self._open.pop(session_id).hand_on()

    def close(self) -> None:
        """Waits until all is written. What sessions do from now on is not."""
        for page in self._open.values():
            page.hand_on()
        self._writer.shutdown()


# What stands between a session and those it asks: here it keeps their answers, in a replay it knows them.


@dataclass(frozen=True, slots=True)
class Scorer:
    score: Callable[[Samples], float]
    tells_voices: bool


@dataclass(frozen=True, slots=True)
class Cleaner:
    clean: Callable[[Samples], Samples]
    flush: Callable[[], Samples]


@dataclass(frozen=True, slots=True)
class Names:
    usual: Callable[[], str]
    resolve: Callable[[str], str | None]
    languages: Callable[[str], frozenset[str] | None]

    @property
    def default(self) -> str:
        return self.usual()


class _Recorded(Session):
    def __init__(
        self,
        page: "_Page",
        config: SessionConfig,
        limits: Limits,
        scorer: SpeechScorer,
        new_item_id: Callable[[], str],
        new_denoiser: Callable[[NoiseReduction], Denoiser] | None,
    ) -> None:
        self._page = page
        self._answers: defaultdict[str, list[Any]] = defaultdict(list)
        models, kept = limits.models, self._kept
        names = Names(
            kept("models", lambda: models.default),
            kept("models", models.resolve),
            kept("models", models.languages),
        )
        super().__init__(
            config,
            replace(limits, models=names),
            Scorer(kept("scores", scorer.score), scorer.tells_voices),
            kept("items", new_item_id),
            None if new_denoiser is None else partial(self._cleaner, new_denoiser),
        )

    def receive(self, command: Command, now: float) -> list[Output]:
        try:
            outputs = super().receive(command, now)
        except Exception as error:
            # The step that must not be is the one wanted most.
            self._record(command, now, error)
            raise
        self._record(command, now, outputs)
        return outputs

    def _cleaner(self, new: Callable[[NoiseReduction], Denoiser], wanted: NoiseReduction) -> Denoiser:
        denoiser = new(wanted)
        return Cleaner(self._kept("cleaned", denoiser.clean), self._kept("cleaned", denoiser.flush))

    def _kept(self, kind: str, ask: Callable[P, T]) -> Callable[P, T]:
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            answer = ask(*args, **kwargs)
            self._answers[kind].append(answer)
            return answer

        return asked

    def _record(self, command: Command, now: float, came: Sequence[Output] | Exception) -> None:
        self._page.add(
            lambda: {
                "now": now,
                "command": noted(command),
                "answers": {kind: noted(answers) for kind, answers in self._answers.items()},
                **came_of(came),
            },
            now,
        )
        self._answers.clear()


def came_of(step: Sequence[Output] | Exception) -> Mapping[str, Json]:
    if isinstance(step, Exception):
        return {"raised": type(step).__name__}
    return {"outputs": [sketched(output) for output in step]}


class _Page:
    """Gathers the lines of one session, and hands them on to the writer."""

    def __init__(self, path: Path, writer: ThreadPoolExecutor, lost: Callable[[Exception], None]) -> None:
        self._path = path
        self._writer = writer
        self._lost = lost
        self._lines = bytearray()
        self._since = 0.0
        """When the first of them came."""
        self._writing: Future[None] | None = None
        self._begun = self._over = False

    def add(self, line: Callable[[], Json], now: float) -> None:
        if self._over:
            return
        try:
            text = json.dumps(line(), separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            self._end(error)
            return
        if not self._lines:
            self._since = now
        self._lines += text + b"\n"
        if len(self._lines) >= _LARGE or now - self._since >= _OLD_SECONDS:
            self._hand_on_if_taken()

    def hand_on(self) -> None:
        if self._over or not self._lines:
            return
        lines, self._lines = self._lines, bytearray()
        try:
            self._writing = self._writer.submit(self._write, lines)
        except RuntimeError:
            # The journal was closed before its sessions had ended.
            self._over = True

    def _hand_on_if_taken(self) -> None:
        if self._writing is None or self._writing.done():
            self.hand_on()
        elif len(self._lines) > _TOO_LARGE:
            self._end(TimeoutError(ETIMEDOUT, "The disk is too slow"))

    def _write(self, lines: bytearray) -> None:
        try:
            if not self._begun:
                self._path.touch(0o600, exist_ok=False)
                self._begun = True
            # Not made anew if it is gone: without its beginning it is of no use.
            with self._path.open("r+b") as file:
                file.seek(0, os.SEEK_END)
                file.write(lines)
        except OSError as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        if not self._over:
            self._over = True
            self._lost(error)


def _beginning(session_id: str, config: SessionConfig, limits: Limits, tools: Mapping[str, bool]) -> Json:
    # Of the models only the answers are needed.
    known = {part.name: getattr(limits, part.name) for part in fields(limits) if part.name != "models"}
    return {
        "journal": VERSION,
        "session": session_id,
        "config": noted(config),
        "limits": {name: noted(limit) for name, limit in known.items()},
        **tools,
    }
