"""Several models behind one engine: loaded when wanted, unloaded when idle, swapped while turns are open.

Each name is a shelf. What takes time happens in tasks of the shelf, one after the other behind its lock:
loading, unloading, putting another model in its place. Opening a turn never waits: where no model is loaded
yet, the turn keeps what it is told and hands it on. A model that makes room for another stays until its last
turn has ended.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.clock import now
from realtime_asr.engines.engine import (
    Accountable,
    Capabilities,
    Engine,
    EngineError,
    TurnStream,
    UnusableModel,
)
from realtime_asr.session.config import ModelNames
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest

_AGAIN_SECONDS: Final = 30.0
"""After a failure, turns do not make it load again for so long."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be had."""

    new_engine: Callable[[], Engine]
    eager: bool = False
    """Load it before the first turn wants it."""
    idle_seconds: float | None = None
    """Unload it after so long without a turn; None for never."""
    runs_on: Mapping[str, str] = field(default_factory=dict)
    """Engine, device and the like, for those who look."""


State = Literal["not loaded", "loading", "ready", "unloading", "failed"]


@dataclass(frozen=True, slots=True)
class Progress:
    state: State
    seconds: float = 0.0
    """Spent on loading, so far or altogether."""
    reason: str = ""
    """Why it failed, for the operator."""


class Catalogue:
    """The engine of a server with one model or many."""

    def __init__(
        self,
        offers: Mapping[str, Offer],
        names: ModelNames,
        changed: Callable[[str, Progress], None] = lambda _, __: None,
    ) -> None:
        """`changed` is told each new state of each model. `names` resolve to the names of the offers."""
        self.names = names
        self._changed = changed
        self._shelves = {name: self._shelf(name, offer) for name, offer in offers.items()}
        self._coming: dict[str, _Shelf] = {}
        self._cleared: list[_Shelf] = []

    @property
    def capabilities(self) -> Capabilities:
        """The default model's."""
        return self._shelves[self.default].capabilities

    @property
    def default(self) -> str:
        return self.names.default

    def resolve(self, name: str) -> str | None:
        return self.names.resolve(name)

    def languages(self, name: str) -> frozenset[str] | None:
        """None until the model was loaded once."""
        return self._answering(name).capabilities.languages

    @property
    def progress(self) -> Mapping[str, Progress]:
        return {name: shelf.progress for name, shelf in (self._coming | self._shelves).items()}

    @property
    def runs_on(self) -> Mapping[str, Mapping[str, str]]:
        """Told with the offers, by the names of the models."""
        return {name: shelf.offer.runs_on for name, shelf in (self._coming | self._shelves).items()}

    @property
    def loaded(self) -> Mapping[str, Engine]:
        # A copy: other threads ask, too.
        shelves = dict(self._shelves)
        return {name: shelf.engine for name, shelf in shelves.items() if shelf.engine is not None}

    @property
    def accountable(self) -> Mapping[str, Accountable]:
        """Those of the loaded that keep an account."""
        return {name: engine for name, engine in self.loaded.items() if isinstance(engine, Accountable)}

    async def start(self) -> None:
        """The default model and the eager ones. Raises UnusableModel."""
        # A copy: others may come while these load.
        for name, shelf in tuple(self._shelves.items()):
            if name == self.default or shelf.offer.eager:
                await shelf.load()

    async def stop(self) -> None:
        # Together: one that hangs must not use up the time of the others.
        await asyncio.gather(*(shelf.stop() for shelf in (*self._shelves.values(), *self._cleared)))

    def open(self, request: TurnRequest) -> TurnStream:
        return self._answering(request.model).open(request)

    async def replace(self, name: str, offer: Offer) -> None:
        """Puts the offer in the place of what has the name, if anything has. Raises UnusableModel, and then
        everything is as before.
        """
        if shelf := self._shelves.get(name):
            await shelf.replace(offer)
            return
        self._coming[name] = shelf = self._shelf(name, offer)
        try:
            if offer.eager:
                await shelf.load()
        finally:
            del self._coming[name]
        self._shelves[name] = shelf

    def remove(self, name: str) -> None:
        """Its open turns finish."""
        shelf = self._shelves.pop(name)
        self._cleared = [each for each in (*self._cleared, shelf) if not each.is_empty]
        shelf.clear()

    def _answering(self, name: str) -> "_Shelf":
        # The names of a session that has lasted may be gone: it goes on with the default.
        return self._shelves[self.resolve(name) or self.default]

    def _shelf(self, name: str, offer: Offer) -> "_Shelf":
        return _Shelf(name, offer, partial(self._changed, name))


@dataclass(slots=True, eq=False)
class _Running:
    """A loaded engine, and how many turns are open on it."""

    engine: Engine
    turns: int = 0


class _Shelf:
    """One name, and what serves it."""

    def __init__(self, name: str, offer: Offer, changed: Callable[[Progress], None]) -> None:
        self.offer = offer
        self.capabilities = Capabilities()
        """Known once it was loaded."""
        self._name = name
        self._changed = changed
        self._progress = Progress("not loaded")
        self._since = 0.0
        """When it came to that."""
        self._running: _Running | None = None
        self._retired: set[_Running] = set()
        self._waiting: list[_Turn] = []
        self._lock = asyncio.Lock()
        self._loads: set[asyncio.Task[None]] = set()
        """Given up when everything stops."""
        self._stops: set[asyncio.Task[None]] = set()
        """Waited for: a pass may be running still."""
        self._idle: asyncio.TimerHandle | None = None

    @property
    def progress(self) -> Progress:
        if self._progress.state == "loading":
            return replace(self._progress, seconds=now() - self._since)
        return self._progress

    @property
    def engine(self) -> Engine | None:
        return None if self._running is None else self._running.engine

    @property
    def is_empty(self) -> bool:
        """Nothing runs on it, or will for the turns it has."""
        return not (self._running or self._retired or self._loads or self._stops)

    def open(self, request: TurnRequest) -> "_Turn":
        turn = _Turn(request)
        if self._running is not None:
            self._begin(turn, self._running)
        elif self._progress.state == "failed" and now() - self._since < _AGAIN_SECONDS:
            raise self._failure
        else:
            self._waiting.append(turn)
            self._spawn(self._load_for_turns(), self._loads)
        return turn

    async def load(self) -> None:
        """Once, however often it is asked. Raises UnusableModel."""
        async with self._lock:
            if self._running is None:
                await self._load()

    async def replace(self, offer: Offer) -> None:
        async with self._lock:
            if self._running is None and not offer.eager:
                self.offer, self.capabilities = offer, Capabilities()
                self._enter(Progress("not loaded"))
                return
            before = self._progress
            self._enter(Progress("loading"))
            try:
                engine = await self._started(offer)
            except BaseException:  # it may also be told to stop
                self._enter(before)
                raise
            old, self.offer = self._running, offer
            self._install(engine)
            if old is not None:
                self._retired.add(old)
                self._stop_if_done(old)

    def clear(self) -> None:
        """It is not wanted any more once its turns have ended."""
        self.offer = replace(self.offer, idle_seconds=0.0)
        self._rest()

    async def stop(self) -> None:
        self._wake()
        for load in self._loads:
            load.cancel()
        await asyncio.gather(*self._loads, return_exceptions=True)
        for turn in self._waiting:
            turn.fail(EngineError("The server was stopped before this turn was transcribed."))
        left = [each.engine for each in (self._running, *self._retired) if each is not None]
        # Turns that end from now on stop nothing twice.
        self._running, self._retired = None, set()
        await asyncio.gather(*self._stops, *(engine.stop() for engine in left))

    async def _load_for_turns(self) -> None:
        async with self._lock:
            self._waiting = [turn for turn in self._waiting if not turn.settled]
            if self._waiting and self._running is None:
                with suppress(UnusableModel):  # the turns have been told
                    await self._load()

    async def _load(self) -> None:
        self._enter(Progress("loading"))
        try:
            engine = await self._started(self.offer)
        except UnusableModel as error:
            self._enter(Progress("failed", now() - self._since, str(error)))
            for turn in self._taken():
                turn.fail(self._failure)
            raise
        self._install(engine)

    async def _started(self, offer: Offer) -> Engine:
        try:
            engine = offer.new_engine()
            await engine.start()
        except UnusableModel:
            raise
        except Exception as error:  # whatever it is, nobody can use the model
            raise UnusableModel(f"The engine of the model '{self._name}' did not start: {error!r}") from error
        return engine

    def _install(self, engine: Engine) -> None:
        self._wake()
        self._running = _Running(engine)
        self.capabilities = engine.capabilities
        self._enter(Progress("ready", now() - self._since))
        for turn in self._taken():
            try:
                self._begin(turn, self._running)
            except Exception as error:  # noqa: BLE001  an engine's fault fails the turn, not those after it
                turn.fail(error)
        self._rest()

    def _begin(self, turn: "_Turn", running: _Running) -> None:
        if turn.settled:
            return
        stream = running.engine.open(turn.request)
        self._wake()
        running.turns += 1
        turn.begin(stream, partial(self._ended, running))

    def _ended(self, running: _Running) -> None:
        running.turns -= 1
        self._stop_if_done(running)
        self._rest()

    def _stop_if_done(self, running: _Running) -> None:
        if running in self._retired and not running.turns:
            self._retired.remove(running)
            self._spawn(running.engine.stop(), self._stops)

    def _rest(self) -> None:
        """Nothing to do: if that stays so for long, it is unloaded."""
        seconds, running = self.offer.idle_seconds, self._running
        if seconds is not None and running is not None and not running.turns:
            self._wake()
            later = asyncio.get_running_loop().call_later
            self._idle = later(seconds, lambda: self._spawn(self._unload(running), self._stops))

    def _wake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _unload(self, running: _Running) -> None:
        async with self._lock:
            if running is not self._running or running.turns:
                return
            self._wake()  # what went off still holds on to the model
            self._running = None
            self._enter(Progress("unloading"))
            await running.engine.stop()
            del running
            # Not when the collector comes round to it: this is gigabytes.
            gc.collect()
            self._enter(Progress("not loaded"))

    def _taken(self) -> "list[_Turn]":
        waiting, self._waiting = self._waiting, []
        return waiting

    @property
    def _failure(self) -> EngineError:
        """Without the reason, which may tell where a folder lies: that is for the operator."""
        return EngineError(f"The model '{self._name}' could not be loaded.")

    def _enter(self, progress: Progress) -> None:
        if progress != self._progress:
            self._progress, self._since = progress, now()
            self._changed(progress)

    def _spawn(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)


class _Turn:
    """What it is told before its model is loaded is kept, and handed on."""

    def __init__(self, request: TurnRequest) -> None:
        self.request = request
        self._kept: list[Callable[[TurnStream], None]] = []
        self._stream: TurnStream | None = None
        self._error: Exception | None = None
        self._settled = asyncio.Event()
        self._ended: Callable[[], None] | None = None

    @property
    def settled(self) -> bool:
        """It has begun, or never will."""
        return self._settled.is_set()

    def begin(self, stream: TurnStream, ended: Callable[[], None]) -> None:
        """`ended` is called once, when nothing more comes of it."""
        self._stream, self._ended = stream, ended
        for message in self._kept:
            message(stream)
        self._kept.clear()
        self._settled.set()

    def fail(self, error: Exception) -> None:
        if self._stream is not None:
            self._stream.abandon()
        if not self.settled:
            self._error = error
            self._settled.set()

    def feed(self, samples: Samples, voice: float = 1.0) -> None:
        self._tell(lambda stream: stream.feed(samples, voice))

    def prepare(self, voiced: int) -> None:
        self._tell(lambda stream: stream.prepare(voiced))

    def finish(self, voiced: int) -> None:
        self._tell(lambda stream: stream.finish(voiced))

    def abandon(self) -> None:
        if self._stream is not None:
            self._stream.abandon()
        self._kept.clear()
        self._error = None
        self._settled.set()
        self._end()

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        try:
            await self._settled.wait()
            if self._error is not None:
                raise self._error
            if self._stream is not None:
                async for hypothesis in self._stream.hypotheses():
                    yield hypothesis
        finally:
            self._end()

    def _tell(self, message: Callable[[TurnStream], None]) -> None:
        if self._stream is not None:
            message(self._stream)
        elif not self.settled:
            self._kept.append(message)

    def _end(self) -> None:
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended()
