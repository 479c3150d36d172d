"""An engine around a model: it decides which turn is heard next and keeps the workers busy.

All of it happens on the event loop's thread, in plain functions; only the model's passes run in threads of
their own. Work is given out at the moments when some can have become due: audio came, a turn paused or was
finished, a pass ended. So there is no loop to run, nothing polls, and nothing needs a lock.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.account import Account
from realtime_asr.engines.batched_turn import BatchedTurn, failure, kind_of
from realtime_asr.engines.checking import checked
from realtime_asr.engines.clock import now
from realtime_asr.engines.engine import (
    Capabilities,
    EngineError,
    Job,
    Kind,
    Model,
    Needless,
    Passed,
    Text,
)
from realtime_asr.engines.hearing import Hearing, Pass
from realtime_asr.engines.mel import HOP
from realtime_asr.engines.scheduling import (
    Load,
    SharedTime,
    Shares,
    Standing,
    choose,
    urgent,
    worth_preparing,
)
from realtime_asr.engines.threads import in_thread
from realtime_asr.transcript.agreement import PACES
from realtime_asr.transcript.request import TurnRequest

_Turn = BatchedTurn[Pass]
_Outcomes = Sequence[Text | EngineError]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """What a worker does at once: one pass, or several that are alike."""

    begun: Sequence[tuple[_Turn, Pass]]
    kind: Kind
    began: float
    shares: Shares
    """What passes had got by then."""

    @property
    def job(self) -> Job:
        """The first: the others are like it."""
        return self.begun[0][1].job

    def passed(self, took: float, *, failed: bool) -> Passed:
        sources = [turn.source for turn, _ in self.begun]
        audio = sum(work.stop - work.start for _, work in self.begun)
        return Passed(self.kind, sources, audio, self.began, took, failed)


class BatchingEngine:
    """Serves many turns with one model. Finals first; guesses get the time that is left, and recordings what
    is left of that.
    """

    def __init__(
        self,
        model: Model,
        *,
        workers: int = 1,
        partial_every_seconds: float = 0.5,
        prepares: bool = True,
        pass_seconds: float = 60.0,
        watch: Callable[[Passed], None] = lambda _: None,
    ) -> None:
        """With `prepares`, finals are made ahead in the pauses where turns may end. A pass that takes longer
        than `pass_seconds` is given up. `watch` is told of every pass, once its turns were.
        """
        self.account = Account()
        self._model = model
        self._workers = workers
        self._every = samples(1000 * partial_every_seconds)
        self._prepares = prepares
        self._pass_seconds = pass_seconds
        self._watch = watch
        self._load = Load(workers)
        self._time = SharedTime(workers)
        self._running = False
        self._got_on = 0.0
        """When a pass over a recording began last."""
        self._turns: dict[_Turn, None] = {}  # a set that keeps its order
        self._guesses: set[asyncio.Future[_Outcomes]] = set()
        """With what is made of recordings, which can wait as well."""
        self._finals: set[asyncio.Future[_Outcomes]] = set()
        """Passes that run, as are the guesses. No more of either than there are workers."""
        self._stuck: set[asyncio.Future[_Outcomes]] = set()

    @property
    def stalled(self) -> bool:
        """As many passes hang as there are workers: nothing will be transcribed any more."""
        return len(self._stuck) >= self._workers

    @property
    def waiting(self) -> int:
        """Turns that are finished while no pass makes their final yet."""
        # A copy: other threads ask, too.
        return sum(turn.waits_for_its_final for turn in tuple(self._turns))

    @property
    def running(self) -> int:
        """Passes, without those that hang."""
        return len(self._passes)

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

    def open(self, request: TurnRequest) -> BatchedTurn[Pass]:
        if not self._running:
            raise EngineError("The engine is not running.")
        hearing = Hearing(request, self._model.bands)
        every = round(self._every * PACES[request.delay].stretch)
        turn = BatchedTurn(
            hearing, every, self.account, self._guess_if_free, self._give_out_work, prepares=self._prepares
        )
        self._turns[turn] = None
        return turn

    @property
    def _passes(self) -> set[asyncio.Future[_Outcomes]]:
        return self._guesses | self._finals

    def _guess_if_free(self) -> None:
        """Turns ask with every piece of audio, most often while all workers are busy."""
        if len(self._passes) < self._workers:
            self._give_out_work()

    def _give_out_work(self) -> None:
        """A guess begins when a worker is free, and so does a recording's final. Finals of live turns do not
        wait for that: models let them go first, when a step of what runs is done.
        """
        while self._running and len(self._finals) < self._workers:
            self._turns = dict.fromkeys(turn for turn in self._turns if not turn.over)
            standings: Mapping[_Turn, Standing] = {turn: turn.standing for turn in self._turns}
            at = now()
            self.account.stretch = self._load.stretch(list(standings.values()), at)
            ahead = worth_preparing(self.account.stretch, self.account.odds)
            if len(self._passes) >= self._workers:
                standings = urgent(standings, ahead=ahead)
            chosen = choose(
                standings,
                at,
                self.account.stretch,
                ahead=ahead,
                got_on=self._got_on,
                together=self.capabilities.together,
            )
            if not chosen:
                return
            self._begin(chosen, ahead=ahead)

    def _begin(self, turns: Sequence[_Turn], *, ahead: bool) -> None:
        begun: list[tuple[_Turn, Pass]] = []
        for turn in turns:
            with _its_own_fault(turn):
                begun.append((turn, turn.begin(ahead=ahead)))
        if begun:
            self._transcribe(begun)

    def _transcribe(self, begun: Sequence[tuple[_Turn, Pass]]) -> None:
        batch = _Batch(begun, kind_of(*begun[0]), now(), self._shares())
        clock, late = asyncio.get_running_loop().time, batch.began + self._pass_seconds / 2
        jobs = [
            replace(work.job, wanted=partial(turn.waits_for, work), has_time=lambda: clock() < late)
            for turn, work in begun
        ]
        running = in_thread(partial(_answers, self._model, jobs))
        (self._finals if batch.job.urgent else self._guesses).add(running)
        if batch.job.request.recorded:
            self._got_on = batch.began
        patience = asyncio.get_running_loop().call_later(self._pass_seconds, self._give_up, running, batch)
        running.add_done_callback(partial(self._end, batch, patience))

    def _end(self, batch: _Batch, patience: asyncio.TimerHandle, ended: asyncio.Future[_Outcomes]) -> None:
        patience.cancel()
        outcomes = _outcomes(ended, len(batch.begun))
        if ended in self._stuck:
            self._stuck.discard(ended)
            return
        self._count(batch, left=any(isinstance(outcome, Needless) for outcome in outcomes))
        self._forget(ended)
        self._tell(batch, outcomes)

    def _give_up(self, running: asyncio.Future[_Outcomes], batch: _Batch) -> None:
        """A thread cannot be stopped. It is left alone, and its worker's place given to another."""
        self._shares()
        self._forget(running)
        self._stuck.add(running)
        self.account.hung += 1
        self._tell(batch, [EngineError("The engine took too long over this turn.")] * len(batch.begun))

    def _count(self, batch: _Batch, *, left: bool) -> None:
        """Recordings take the time that is left, so they are no reason to leave more. And what a guess takes
        is not seen in one that was left.
        """
        job, shares, before = batch.job, self._shares(), batch.shares
        took = shares.final - before.final if job.urgent else shares.guess - before.guess
        self.account.passed(took, guess=not job.thorough)
        if not job.request.recorded and (job.thorough or not left):
            each = took if job.thorough else took / len(batch.begun)
            self._load.passed(each, now(), guess=not job.thorough)

    def _shares(self) -> Shares:
        """Ask before the number of passes changes."""
        return self._time.until(now(), guesses=len(self._guesses), finals=len(self._finals))

    def _forget(self, running: asyncio.Future[_Outcomes]) -> None:
        self._guesses.discard(running)
        self._finals.discard(running)

    def _tell(self, batch: _Batch, outcomes: _Outcomes) -> None:
        took = now() - batch.began
        for (turn, work), outcome in zip(batch.begun, outcomes, strict=True):
            with _its_own_fault(turn):
                turn.end(work, outcome, took)
        self._give_out_work()
        self._watch(batch.passed(took, failed=any(map(_is_failure, outcomes))))


def _is_failure(outcome: Text | EngineError) -> bool:
    return isinstance(outcome, EngineError) and not isinstance(outcome, Needless)


def _answers(model: Model, jobs: Sequence[Job]) -> _Outcomes:
    """Runs in a thread of its own. A model that answers some other number of questions has failed."""
    answers = zip(jobs, model.transcribe(jobs), strict=True)
    return [checked(answer, len(job.frames) * HOP) for job, answer in answers]


def _outcomes(ended: asyncio.Future[_Outcomes], count: int) -> _Outcomes:
    problem = ended.exception()
    return ended.result() if problem is None else [failure(problem)] * count


@contextmanager
def _its_own_fault(turn: _Turn) -> Iterator[None]:
    """What goes wrong in the books of one turn fails this turn, and the others go on."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001  whatever it is, it must not end a session, or all work
        turn.fail(failure(problem))
