"""All live sessions of this process: how one is made, and how they end together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.noise import Denoiser
from realtime_asr.engines.engine import Engine
from realtime_asr.runtime.channel import Channel
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.ids import item_id
from realtime_asr.runtime.observer import Observer
from realtime_asr.runtime.runner import Runner
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.config import Limits, NoiseReduction, SessionConfig
from realtime_asr.session.session import Session


@dataclass(slots=True)
class Sessions:
    """Every front starts its sessions here."""

    engine: Engine
    limits: Limits
    new_scorer: Callable[[], SpeechScorer]
    clock: Clock
    observer: Observer
    new_denoiser: Callable[[NoiseReduction], Denoiser] | None = None
    most: int | None = None
    """So many at the same time; None for any number."""
    _detached: set[asyncio.Task[None]] = field(default_factory=set)
    _live: dict[Runner, asyncio.Event] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._live)

    @property
    def full(self) -> bool:
        return self.most is not None and len(self) >= self.most

    async def run(
        self,
        session_id: str,
        config: SessionConfig,
        channel: Channel,
        visitor: Visitor,
        limits: Limits | None = None,
    ) -> None:
        """One session, until it is over."""
        runner = self._enter(session_id, config, channel, visitor, limits or self.limits)
        await self._run(session_id, runner)

    def start(self, session_id: str, config: SessionConfig, channel: Channel, visitor: Visitor) -> None:
        """One session that outlives the request it came with."""
        runner = self._enter(session_id, config, channel, visitor, self.limits)
        task = asyncio.create_task(self._run(session_id, runner))
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    def _enter(
        self, session_id: str, config: SessionConfig, channel: Channel, visitor: Visitor, limits: Limits
    ) -> Runner:
        runner = Runner(
            session_id,
            Session(config, limits, self.new_scorer(), item_id, self.new_denoiser),
            engine=self.engine,
            channel=channel,
            clock=self.clock,
            observer=self.observer,
        )
        self._live[runner] = asyncio.Event()
        self.observer.entered(session_id, visitor, self.clock.now())
        return runner

    async def _run(self, session_id: str, runner: Runner) -> None:
        try:
            await runner.run()
        finally:
            self._live.pop(runner).set()
            self.observer.left(session_id, self.clock.now())

    async def drain(self, code: int, reason: str) -> None:
        """Returns once every session has finished what was said and is closed."""
        live = dict(self._live)
        for runner in live:
            runner.drain(code, reason)
        for ended in live.values():
            await ended.wait()
