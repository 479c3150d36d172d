"""What a dialect is: frames on one side, commands and events on the other."""

from collections.abc import Iterable
from typing import Protocol

from realtime_asr.session.commands import FromClient
from realtime_asr.session.events import Event


class Dialect(Protocol):
    """Belongs to one connection."""

    def decode(self, frame: str | bytes) -> FromClient:
        """Never raises on what a client sent: that becomes Refuse."""

    def encode(self, event: Event) -> Iterable[str]:
        """Zero, one or several frames."""
