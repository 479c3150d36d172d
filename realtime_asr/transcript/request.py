"""What a turn asks of an engine, fixed when the turn opens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnRequest:
    model: str
    """As the client named it."""
    language: str | None = None
    languages: tuple[str, ...] = ()
    """Candidates to choose from; empty for any."""
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    logprobs: bool = False
