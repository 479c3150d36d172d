"""An engine around a model: it decides which turn is heard next and keeps the workers busy.

All of it happens on the event loop's thread, in plain functions; only the model's passes run in workers.
Work is given out at the three moments when some can have become due: audio came, a turn was finished, a
pass ended. So there is no loop to run, nothing polls, and nothing needs a lock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.engine import Capabilities, EngineError, Job, Model
from realtime_asr.engines.mailbox import Mailbox
from realtime_asr.engines.scheduling import Standing, choose
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest

_TAIL = samples(200)
"""What a final hears past the last voiced sample: the ends of words are quiet."""

_Pass = asyncio.Future[Sequence[Hypothesis | EngineError]]


class BatchingEngine:
    """Serves many turns with one model. Finals first; partials get the time that is left."""

    def __init__(self, model: Model, *, workers: int = 1, partial_every_seconds: float = 0.5) -> None:
        self._model = model
        self._workers = workers
        self._partial_every = samples(1000 * partial_every_seconds)
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: dict[_Turn, None] = {}  # a set that keeps its order
        self._passes: set[_Pass] = set()

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    async def start(self) -> None:
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="transcribe")
        try:
            await asyncio.get_running_loop().run_in_executor(pool, self._model.load)
        except BaseException:
            pool.shutdown(wait=False)
            raise
        self._pool = pool

    async def stop(self) -> None:
        """Open turns fail. A running pass is waited for, as nothing interrupts it; a final still counts."""
        pool, self._pool = self._pool, None
        for turn in tuple(self._waiting):
            turn.fail(EngineError("The engine was stopped before this turn was transcribed."))
        if self._passes:
            await asyncio.wait(self._passes)
        if pool is not None:
            pool.shutdown()

    def open(self, request: TurnRequest) -> "_Turn":
        if self._pool is None:
            raise EngineError("The engine is not running.")
        turn = _Turn(request, self._give_out_work, self._forget)
        self._waiting[turn] = None
        return turn

    def _forget(self, turn: "_Turn") -> None:
        self._waiting.pop(turn, None)

    def _give_out_work(self) -> None:
        while self._pool is not None and len(self._passes) < self._workers:
            turn = choose({turn: turn.standing for turn in self._waiting}, self._partial_every)
            if turn is None:
                return
            self._begin_pass(turn, self._pool)

    def _begin_pass(self, turn: "_Turn", pool: ThreadPoolExecutor) -> None:
        job = turn.next_job()
        running = asyncio.get_running_loop().run_in_executor(pool, self._model.transcribe, [job])
        self._passes.add(running)
        running.add_done_callback(partial(self._end_pass, turn, job))

    def _end_pass(self, turn: "_Turn", job: Job, ended: _Pass) -> None:
        self._passes.discard(ended)
        turn.answer(job, _outcome(ended))
        self._give_out_work()


class _Turn:
    """The audio of one turn and what came of it. `changed` is called when there may be work to do."""

    def __init__(
        self, request: TurnRequest, changed: Callable[[], None], ended: Callable[["_Turn"], None]
    ) -> None:
        self.standing = Standing(fed=0, heard=0, waiting_since=_now())
        self._request = request
        self._audio = AudioBuffer()
        self._words_end = 0
        self._mailbox = Mailbox()
        self._changed = changed
        self._ended = ended

    def feed(self, samples: Samples) -> None:
        if self._mailbox.closed:
            return
        assert not self.standing.finished, "fed after it was finished"
        self._audio.append(samples)
        self.standing = replace(self.standing, fed=self._audio.end)
        self._changed()

    def finish(self, voiced: int) -> None:
        if self._mailbox.closed:
            return
        self._words_end = min(voiced + _TAIL, self._audio.end) if voiced > 0 else 0
        if self._words_end == 0:
            self._mailbox.put(Hypothesis((), final=True))
            self._end()
        else:
            self.standing = replace(self.standing, finished=True, waiting_since=_now())
            self._changed()

    def abandon(self) -> None:
        self._mailbox.close()
        self._end()

    def fail(self, error: EngineError) -> None:
        self._mailbox.put(error)
        self._end()

    def hypotheses(self) -> AsyncIterator[Hypothesis]:
        return self._mailbox.collect()

    def next_job(self) -> Job:
        final = self.standing.finished
        end = self._words_end if final else self.standing.fed
        job = Job(self._audio.slice(0, end), self._request, final)
        if final:
            self._end()
        self.standing = replace(self.standing, heard=end, busy=True, waiting_since=_now())
        return job

    def answer(self, job: Job, outcome: Hypothesis | EngineError) -> None:
        self.standing = replace(self.standing, busy=False)
        # A partial is a favour: when it fails, the final will tell; when it is late, nobody misses it.
        if job.final or not (self.standing.finished or isinstance(outcome, EngineError)):
            self._mailbox.put(outcome)

    def _end(self) -> None:
        """There is nothing more to hear for this turn."""
        self._audio.forget_before(self._audio.end)
        self._ended(self)


def _outcome(ended: _Pass) -> Hypothesis | EngineError:
    problem = ended.exception()
    if problem is None:
        return ended.result()[0]
    error = EngineError("The engine failed on this turn.")
    error.__cause__ = problem
    return error


def _now() -> float:
    return asyncio.get_running_loop().time()
