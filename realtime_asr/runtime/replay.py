"""Lives recorded sessions again, without engine, detector and denoiser, and compares what comes of them."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from realtime_asr.audio.noise import Denoiser
from realtime_asr.runtime.journal import VERSION, Cleaner, Names, Scorer, came_of
from realtime_asr.runtime.notation import Json, meant
from realtime_asr.session.commands import Command
from realtime_asr.session.config import Limits
from realtime_asr.session.session import Output, Session


class BadJournal(Exception):
    """Nothing that can be lived again; the message says why not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One that was taken again."""

    number: int
    now: float
    command: Command
    outputs: Sequence[Output]
    differs: str | None
    """In what it is not as recorded, in words that tell nothing of what was said; None if in nothing."""


@dataclass(slots=True)
class Replay:
    """Reads while it goes: a journal may be large."""

    lines: Iterable[bytes]
    cut_short: bool = False
    """The last line is not whole: the server went while writing it. Known in the end."""

    def steps(self) -> Iterator[Step]:
        """Up to the first that differs. Raises BadJournal."""
        notes = self._notes()
        life = _Life(next(notes, None))
        for number, note in enumerate(notes, 1):
            step = life.again(number, note)
            yield step
            if step.differs is not None:
                return

    def _notes(self) -> Iterator[Json]:
        for number, line in enumerate(self.lines, 1):
            if not line.endswith(b"\n"):
                self.cut_short = True
                return
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadJournal(f"Line {number} is no JSON.") from error


class _Unanswered(Exception):
    """The session asks what it did not ask when it was recorded."""


class _Life:
    """The session, among those who know the answers of one step."""

    def __init__(self, beginning: Json) -> None:
        self._answers: Mapping[str, deque[Any]] = {}
        match beginning:
            case {"journal": version} if version != VERSION:
                raise BadJournal(f"It is of version {version}; only version {VERSION} can be read.")
            case {"journal": _, "config": config, "limits": limits, "denoiser": denoiser}:
                pass
            case _:
                raise BadJournal("It does not begin as a journal does.")
        models = self._known("models")
        try:
            self._session = Session(
                meant(config),
                Limits(Names(models, models, models), **{name: meant(of) for name, of in limits.items()}),
                # Of older journals every detector's scores were taken for evidence of voices.
                Scorer(self._known("scores"), beginning.get("tells_voices", True)),
                self._known("items"),
                self._cleaner if denoiser else None,
            )
        except Exception as error:  # there is no end to what nonsense may lead to
            raise BadJournal("Its first line makes no sense.") from error

    def again(self, number: int, note: Json) -> Step:
        now, command, recorded = self._read(number, note)
        came: list[Output] | Exception
        try:
            came = self._session.receive(command, now)
        except Exception as error:  # noqa: BLE001  it may be what was recorded
            came = error
        differs = _difference(recorded, came) or self._unasked()
        return Step(number, now, command, () if isinstance(came, Exception) else came, differs)

    def _read(self, number: int, note: Json) -> tuple[float, Command, Mapping[str, Json]]:
        try:
            command = meant(note["command"])
            self._answers = {kind: deque(meant(given)) for kind, given in note["answers"].items()}
            if isinstance(command, Command):
                return note["now"], command, note
        except Exception as error:  # as above
            raise BadJournal(f"Step {number} makes no sense.") from error
        raise BadJournal(f"Step {number} has no command.")

    def _known(self, kind: str) -> Callable[..., Any]:
        def answer(*_: object) -> Any:
            answers = self._answers.get(kind)
            if not answers:
                raise _Unanswered(kind)
            return answers.popleft()

        return answer

    def _cleaner(self, _: object) -> Denoiser:
        return Cleaner(self._known("cleaned"), self._known("cleaned"))

    def _unasked(self) -> str | None:
        left = [kind for kind, answers in self._answers.items() if answers]
        return f"it asks for fewer {left[0]}" if left else None


def _difference(recorded: Mapping[str, Json], came: Sequence[Output] | Exception) -> str | None:
    match recorded, came:
        case {"raised": _}, _Unanswered():
            # Whoever was asked last raised instead of answering.
            return None
        case _, _Unanswered():
            return f"it asks for more {came}"
        case {"raised": error}, Exception():
            return None if error == type(came).__name__ else f"it raises {type(came).__name__}, not {error}"
        case {"raised": error}, _:
            return f"it does not raise {error}"
        case _, Exception():
            return f"it raises {type(came).__name__}"
        case _:
            pairs = zip_longest(recorded.get("outputs", ()), came_of(came)["outputs"])
            return next((_other(was, now) for was, now in pairs if _text(was) != _text(now)), None)


def _other(was: Json, now: Json) -> str:
    match was, now:
        case None, {"is": name}:
            return f"{name} comes besides"
        case {"is": name}, None:
            return f"{name} does not come"
        case {"is": name}, {"is": other} if name != other:
            return f"{other} comes, not {name}"
        case {"is": name}, {"is": _}:
            parts = (part for part in now if _text(now[part]) != _text(was.get(part)))
            return f"{name} has another {next(parts, 'form')}"
        case _:
            return "there is an output that is none"


def _text(note: Json) -> str:
    # As text, 1 is not 1.0, and what is no number equals itself.
    return json.dumps(note)
