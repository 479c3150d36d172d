"""All live sessions of this process: how one is made, and how they end together."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.noise import Denoiser
from realtime_asr.engines.engine import Engine
from realtime_asr.runtime.channel import Channel
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.ids import item_id
from realtime_asr.runtime.journal import Journal
from realtime_asr.runtime.observer import Observer
from realtime_asr.runtime.runner import Runner
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.config import Limits, NoiseReduction, SessionConfig
from realtime_asr.session.problem import Problem
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
    journal: Journal | None = None
    _detached: set[asyncio.Task[None]] = field(default_factory=set)
    _live: dict[Runner, asyncio.Event] = field(default_factory=dict)
    _recorded: set[Runner] = field(default_factory=set)
    _named: dict[str, Runner] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._live)

    @property
    def recordings(self) -> int:
        """How many of them nobody speaks in: live turns go first, so these take no place away."""
        return len(self._recorded)

    @property
    def full(self) -> bool:
        return self.most is not None and len(self) - self.recordings >= self.most

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

    def start(
        self,
        session_id: str,
        config: SessionConfig,
        channel: Channel,
        visitor: Visitor,
        limits: Limits | None = None,
    ) -> None:
        """One session that outlives the request it came with."""
        runner = self._enter(session_id, config, channel, visitor, limits or self.limits)
        task = asyncio.create_task(self._run(session_id, runner))
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    def _enter(
        self, session_id: str, config: SessionConfig, channel: Channel, visitor: Visitor, limits: Limits
    ) -> Runner:
        runner = Runner(
            session_id,
            self._session(session_id, config, limits),
            engine=self.engine,
            channel=channel,
            clock=self.clock,
            observer=self.observer,
        )
        self._live[runner] = asyncio.Event()
        self._named[session_id] = runner
        if config.recorded:
            self._recorded.add(runner)
        self.observer.entered(session_id, visitor, self.clock.now())
        return runner

    def _session(self, session_id: str, config: SessionConfig, limits: Limits) -> Session:
        scorer = self.new_scorer()
        if self.journal is None:
            return Session(config, limits, scorer, item_id, self.new_denoiser)
        return self.journal.session(session_id, config, limits, scorer, item_id, self.new_denoiser)

    async def _run(self, session_id: str, runner: Runner) -> None:
        try:
            await runner.run()
        finally:
            self._recorded.discard(runner)
            self._live.pop(runner).set()
            self._named.pop(session_id, None)
            if self.journal is not None:
                self.journal.left(session_id)
            self.observer.left(session_id, self.clock.now())

    def end(self, session_id: str, code: int, problem: Problem) -> None:
        """One session, if it is open still, finishes what was said, is told why it ends, and is closed."""
        if runner := self._named.get(session_id):
            runner.drain(code, problem.name, problem)

    async def drain(self, code: int, reason: str, *, recordings_seconds: float = 0.0) -> None:
        """Returns once every session has finished what was said and is closed. Recordings are heard to their
        end, if that comes in so many seconds.
        """
        live = dict(self._live)
        recorded = {runner: ended for runner, ended in live.items() if runner in self._recorded}
        for runner in live.keys() - recorded.keys():
            runner.drain(code, reason)
            # They may be many: whoever asks in between is answered.
            await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(recordings_seconds):
                await _all_of(recorded.values())
        for runner in recorded:
            runner.drain(code, reason)
        await _all_of(live.values())


async def _all_of(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        await event.wait()
