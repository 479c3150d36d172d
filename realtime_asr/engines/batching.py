"""An engine around a model: it decides which turn is heard next and keeps the workers busy.

All of it happens on the event loop's thread, in plain functions; only the model's passes run in threads of
their own. Work is given out at the moments when some can have become due: audio came, a turn paused or was
finished, a pass ended. So there is no loop to run, nothing polls, and nothing needs a lock.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.account import Account
from realtime_asr.engines.batched_turn import BatchedTurn, now
from realtime_asr.engines.engine import Capabilities, EngineError, Model, Text
from realtime_asr.engines.hearing import Hearing, Pass
from realtime_asr.engines.scheduling import Load, choose
from realtime_asr.engines.threads import in_thread
from realtime_asr.transcript.agreement import PACES
from realtime_asr.transcript.request import TurnRequest

_Outcome = Sequence[Text | EngineError]


class BatchingEngine:
    """Serves many turns with one model. Finals first; guesses get the time that is left."""

    def __init__(
        self,
        model: Model,
        *,
        workers: int = 1,
        partial_every_seconds: float = 0.5,
        prepares: bool = True,
        pass_seconds: float = 60.0,
    ) -> None:
        """With `prepares`, finals are made ahead in the pauses where turns may end. A pass that takes longer
        than `pass_seconds` is given up.
        """
        self.account = Account()
        self._model = model
        self._workers = workers
        self._every = samples(1000 * partial_every_seconds)
        self._prepares = prepares
        self._pass_seconds = pass_seconds
        self._load = Load(workers)
        self._running = False
        self._turns: dict[BatchedTurn, None] = {}  # a set that keeps its order
        self._passes: set[asyncio.Future[_Outcome]] = set()
        self._stuck: set[asyncio.Future[_Outcome]] = set()

    @property
    def stalled(self) -> bool:
        """As many passes hang as there are workers: nothing will be transcribed any more."""
        return len(self._stuck) >= self._workers

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    async def start(self) -> None:
        await in_thread(self._model.load)
        self._running = True

    async def stop(self) -> None:
        """Open turns fail. A running pass is waited for, as nothing interrupts it; a final still counts."""
        self._running = False
        stopped = EngineError("The engine was stopped before this turn was transcribed.")
        open_turns = tuple(self._turns)
        for turn in open_turns:
            if not turn.awaits_its_final:
                turn.fail(stopped)
        if self._passes:
            await asyncio.wait(self._passes, timeout=self._pass_seconds)
        for turn in open_turns:
            turn.fail(stopped)

    def open(self, request: TurnRequest) -> BatchedTurn:
        if not self._running:
            raise EngineError("The engine is not running.")
        hearing = Hearing(request, self._model.bands)
        every = round(self._every * PACES[request.delay].stretch)
        turn = BatchedTurn(hearing, every, self.account, self._give_out_work, prepares=self._prepares)
        self._turns[turn] = None
        return turn

    def _give_out_work(self) -> None:
        for turn in [turn for turn in self._turns if turn.over]:
            del self._turns[turn]
        while self._running and len(self._passes) < self._workers:
            standings = {turn: turn.standing for turn in self._turns}
            at = now()
            self.account.stretch = self._load.stretch(list(standings.values()), at)
            chosen = choose(standings, at, self.account.stretch, self.account.odds)
            if not chosen:
                return
            self._begin(chosen)

    def _begin(self, turns: Sequence[BatchedTurn]) -> None:
        begun = [(turn, turn.begin()) for turn in turns]
        running = in_thread(partial(self._model.transcribe, [work.job for _, work in begun]))
        self._passes.add(running)
        began = now()
        patience = asyncio.get_running_loop().call_later(self._pass_seconds, self._give_up, running, begun)
        running.add_done_callback(partial(self._end, begun, began, patience))

    def _end(
        self,
        begun: Sequence[tuple[BatchedTurn, Pass]],
        began: float,
        patience: asyncio.TimerHandle,
        ended: asyncio.Future[_Outcome],
    ) -> None:
        patience.cancel()
        texts = _texts(ended, len(begun))
        if ended in self._stuck:
            self._stuck.discard(ended)
            return
        self._passes.discard(ended)
        at, guess = now(), not begun[0][1].job.thorough
        self._load.passed(at - began, at, guess=guess)
        self.account.passed(at - began, guess=guess)
        for (turn, work), text in zip(begun, texts, strict=True):
            turn.end(work, text)
        self._give_out_work()

    def _give_up(self, running: asyncio.Future[_Outcome], begun: Sequence[tuple[BatchedTurn, Pass]]) -> None:
        """A thread cannot be stopped. It is left alone, and its worker's place given to another."""
        self._passes.discard(running)
        self._stuck.add(running)
        self.account.hung += 1
        for turn, work in begun:
            turn.end(work, EngineError("The engine took too long over this turn."))
        self._give_out_work()


def _texts(ended: asyncio.Future[_Outcome], count: int) -> _Outcome:
    problem = ended.exception()
    if problem is None:
        return ended.result()
    error = EngineError("The engine failed on this turn.")
    error.__cause__ = problem
    return [error] * count
