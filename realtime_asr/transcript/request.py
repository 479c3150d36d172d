"""What a turn asks of an engine, fixed when the turn opens."""

from dataclasses import dataclass
from typing import Literal

from realtime_asr.transcript.agreement import USUAL, Delay

Task = Literal["transcribe", "translate"]
"""Translations are into English, as that is all Whisper learnt."""


@dataclass(frozen=True, slots=True)
class TurnRequest:
    model: str
    """As the client named it."""
    language: str | None = None
    languages: tuple[str, ...] = ()
    """Candidates to choose from; empty for any."""
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    delay: Delay = USUAL
    logprobs: bool = False
    word_times: bool = False
    spoken_before: str | None = None
    """Where a longer turn was split: what was said right before. The text goes on from there."""
    language_before: str | None = None
    """What the turn before was in. Another language must be clearly more likely to be believed."""
    task: Task = "transcribe"
    temperature: float = 0.0
    """How daring the choice of words is; at 0 the likeliest, and others only where those are not believed."""
    recorded: bool = False
    """Of a recording: nobody waits for its words while they are spoken, so that live turns go first."""
    source: str = ""
    """The session and the item it is for, to tell those who watch."""

    @property
    def hints(self) -> str:
        """All that the client wants the decoder to be told in words."""
        return "\n".join([*self.keywords, self.prompt or ""])
