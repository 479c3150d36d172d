"""What a turn asks of an engine, fixed when the turn opens."""

from dataclasses import dataclass

from realtime_asr.transcript.agreement import USUAL, Delay


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

    @property
    def hints(self) -> str:
        """All that the client wants the decoder to be told in words."""
        return "\n".join([*self.keywords, self.prompt or ""])
