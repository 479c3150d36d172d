"""What to run: against which server, how many streams, how they speak."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Dialect = Literal["ga", "beta"]


class BadPlan(Exception):
    """It cannot be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    url: str
    """The server's base URL, such as ws://127.0.0.1:8000/v1; http or the whole address will do as well."""
    api_key: str | None = field(default=None, repr=False)
    dialect: Dialect = "ga"
    model: str = "whisper-1"
    language: str | None = None

    streams: int = 1
    """Conversations at the same time."""
    silent_streams: int = 0
    """Microphones nobody speaks into, besides."""
    turns: int = 5
    """That each stream speaks and that count."""
    warmup_turns: int = 1
    """That each stream speaks first and that do not count."""
    seconds: float | None = None
    """Speak for so long instead of for a number of turns; the warm-up is part of it."""

    turn_seconds: float = 5
    """As near as whole clips come; 0 for one clip a turn."""
    breath_ms: tuple[int, int] = (30, 100)
    """Silence between the clips of a turn, at least and at most. From 200 on a turn often seems to end."""
    pause_seconds: float = 2
    chunk_ms: int = 100
    silence_ms: int = 500
    """After how much silence the server shall end a turn."""
    manual: bool = False
    """Turn detection is off, and the client commits each turn."""

    speech: Path | None = None
    """A folder with recordings to speak instead of the ones that ship with the package."""
    seed: int = 0
    """Decides which clips are said when, and when the streams begin."""
    pid: int | None = None
    """Of the server, to see what it costs; found from the port of a local one unless given."""
    patience_seconds: float = 10
    """How long to wait for what is still to come when everything is said."""

    def __post_init__(self) -> None:
        for wrong, message in (
            (self.streams < 0 or self.silent_streams < 0, "There cannot be less than no streams."),
            (self.streams + self.silent_streams == 0, "Without any stream there is nothing to measure."),
            (self.streams == 0 and self.seconds is None, "Say for how many seconds to be silent."),
            (self.turns < 1 or self.warmup_turns < 0, "Each stream needs a turn that counts."),
            (not 10 <= self.chunk_ms <= 1000, "A chunk has between 10 and 1000 ms."),
            (self.pause_seconds <= 0, "Without pauses there are no turns."),
            (
                not 0 <= self.breath_ms[0] <= self.breath_ms[1],
                "A breath has a shortest time, not below 0, and a longest that is no shorter.",
            ),
        ):
            if wrong:
                raise BadPlan(message)

    @property
    def chunk_seconds(self) -> float:
        return self.chunk_ms / 1000
