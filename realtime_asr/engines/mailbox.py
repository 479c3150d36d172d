"""What an engine has for the listener of one turn."""

import asyncio
from collections.abc import AsyncIterator

from realtime_asr.engines.engine import EngineError
from realtime_asr.transcript.hypothesis import Hypothesis


class Mailbox:
    """Holds the newest hypothesis only: a listener who comes late gets the latest, not the past.

    Nothing follows a final, an error or a close.
    """

    def __init__(self) -> None:
        self._news: Hypothesis | EngineError | None = None
        self._changed = asyncio.Event()
        self.closed = False

    def put(self, news: Hypothesis | EngineError) -> None:
        if self.closed:
            return
        self._news = news
        self.closed = isinstance(news, EngineError) or news.final
        self._changed.set()

    def close(self) -> None:
        """Whoever listens is done, and hears nothing more, not even what was not collected."""
        self.closed, self._news = True, None
        self._changed.set()

    async def collect(self) -> AsyncIterator[Hypothesis]:
        while True:
            await self._changed.wait()
            if not self.closed:
                self._changed.clear()
            news, self._news = self._news, None
            if isinstance(news, EngineError):
                raise news
            if news is None:
                return
            yield news
            if news.final:
                return
