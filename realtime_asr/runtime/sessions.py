"""All live sessions of this process: how one is made, and how they end together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.engines.engine import Engine
from realtime_asr.runtime.channel import Channel
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.ids import item_id
from realtime_asr.runtime.observer import Observer
from realtime_asr.runtime.runner import Runner
from realtime_asr.session.config import Limits, SessionConfig
from realtime_asr.session.session import Session


@dataclass(slots=True)
class Sessions:
    """Every front starts its sessions here."""

    engine: Engine
    limits: Limits
    new_scorer: Callable[[], SpeechScorer]
    clock: Clock
    observer: Observer
    _detached: set[asyncio.Task[None]] = field(default_factory=set)
    _live: dict[Runner, asyncio.Event] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._live)

    async def run(
        self, session_id: str, config: SessionConfig, channel: Channel, limits: Limits | None = None
    ) -> None:
        """One session, until it is over."""
        session = Session(config, limits or self.limits, self.new_scorer(), item_id)
        runner = Runner(
            session_id,
            session,
            engine=self.engine,
            channel=channel,
            clock=self.clock,
            observer=self.observer,
        )
        ended = self._live[runner] = asyncio.Event()
        try:
            await runner.run()
        finally:
            del self._live[runner]
            ended.set()

    def start(self, session_id: str, config: SessionConfig, channel: Channel) -> None:
        """One session that outlives the request it came with."""
        task = asyncio.create_task(self.run(session_id, config, channel))
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    async def drain(self, code: int, reason: str) -> None:
        """Returns once every session has finished what was said and is closed."""
        live = dict(self._live)
        for runner in live:
            runner.drain(code, reason)
        for ended in live.values():
            await ended.wait()
