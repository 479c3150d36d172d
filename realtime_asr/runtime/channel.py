"""What the runner needs of a connection."""

from typing import Protocol

from realtime_asr.session.commands import FromClient, HangUp
from realtime_asr.session.events import Event


class Channel(Protocol):
    async def receive(self) -> FromClient | HangUp:
        """The next thing the client asks; HangUp once it is gone, which is the last."""

    async def send(self, event: Event) -> None:
        """Raises ConnectionError when the client is gone or does not read."""

    async def close(self, code: int, reason: str) -> None: ...
