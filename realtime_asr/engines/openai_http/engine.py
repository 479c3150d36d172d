"""An engine that lets somebody else listen: turns are posted to an OpenAI-compatible file endpoint.

Who is heard next is decided as for a model of our own, with requests in the place of its passes: finals
first, guesses in the time that is left. But a request can be given up at any moment, so a guess is that is in
vain, or in the way of a final. And a final that the remote could not answer is posted again for a while; in
between it keeps no place. One that is longer than a window is posted piece by piece, and each of these counts
as a final.

All of it happens in plain functions, at the moments when something can have become due. Only requests are
tasks.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.account import Account
from realtime_asr.engines.batched_turn import BatchedTurn, failure, kind_of
from realtime_asr.engines.clock import now
from realtime_asr.engines.cutting import LONGEST
from realtime_asr.engines.engine import Capabilities, EngineError, Kind, Passed, Text
from realtime_asr.engines.openai_http.endpoint import Endpoint, Unavailable
from realtime_asr.engines.openai_http.hearing import Recording, RemoteHearing
from realtime_asr.engines.scheduling import Load, Phase, Standing, choose, urgent, worth_preparing
from realtime_asr.transcript.agreement import PACES
from realtime_asr.transcript.request import TurnRequest

_Turn = BatchedTurn[Recording]
_GIVEN_UP: Final = EngineError("The engine gave up a request.")


@dataclass(frozen=True, slots=True)
class Retries:
    """What happens while the remote does not answer, in seconds."""

    waits: Sequence[float] = (0.25, 0.5, 1.0, 1.5)
    """Before a final is posted again; the last of them each further time. Short enough to be there again soon
    after the remote is.
    """
    patience: float = 9.5
    """From the first attempt to the last."""
    spare: float = 1.0
    """Without guesses, after each time."""
    look_every: float = 1.0
    """Whether it is back, where nobody is there at all."""


RETRIES: Final = Retries()


@dataclass(frozen=True, slots=True, eq=False)
class _Post:
    recording: Recording
    kind: Kind
    began: float
    task: asyncio.Task[Text | EngineError]


@dataclass(slots=True)
class _Trials:
    """Of a turn's final, or of the next piece of it, as far as they failed."""

    count: int = 0
    until: float = 0.0
    """When the last may begin, once one has failed."""
    resting: bool = False


class RemoteEngine:
    """Serves many turns with one endpoint."""

    capabilities = Capabilities()

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        workers: int = 8,
        partial_every_seconds: float = 0.5,
        prepares: bool = True,
        retries: Retries = RETRIES,
        watch: Callable[[Passed], None] = lambda _: None,
    ) -> None:
        """No more than `workers` requests are under way at once. With `prepares`, finals are made ahead in
        the pauses where turns may end. `watch` is told of every pass, but for those that were given up.
        """
        self.account = Account()
        self.stalled = False
        self._endpoint = endpoint
        self._workers = workers
        self._every = samples(1000 * partial_every_seconds)
        self._prepares = prepares
        self._retries = retries
        self._watch = watch
        self._load = Load(workers)
        self._running = False
        self._got_on = 0.0
        """When a recording was posted last."""
        self._spared_until = 0.0
        """Until then the remote is asked for finals only: it has trouble enough."""
        self._turns: dict[_Turn, _Trials] = {}
        self._posts: dict[_Turn, _Post] = {}
        self._dropped: set[asyncio.Task[Text | EngineError]] = set()
        """They were told to end, and will in a moment."""
        self._lookout: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return sum(turn.waits_for_its_final for turn in tuple(self._turns))

    @property
    def running(self) -> int:
        return len(self._posts)

    async def start(self) -> None:
        try:
            await self._endpoint.look()
        except BaseException:
            await self._endpoint.close()
            raise
        self._running = True

    async def stop(self) -> None:
        """Open turns fail, but for those whose finals are under way: these are waited for."""
        self._running = False
        stopped = EngineError("The engine was stopped before this turn was transcribed.")
        open_turns = tuple(self._turns)
        for turn in open_turns:
            if not turn.awaits_its_final:
                turn.fail(stopped)
        self._drop_what_is_in_vain()
        try:
            if self._posts:
                await asyncio.wait([post.task for post in self._posts.values()])
        finally:
            for turn in open_turns:
                turn.fail(stopped)
            self._drop_what_is_in_vain()
            if self._lookout is not None:
                self._lookout.cancel()
            await asyncio.gather(*self._dropped, *filter(None, [self._lookout]), return_exceptions=True)
            await self._endpoint.close()

    def open(self, request: TurnRequest) -> BatchedTurn[Recording]:
        if not self._running:
            raise EngineError("The engine is not running.")
        every = round(self._every * PACES[request.delay].stretch)
        hearing, due, changed = RemoteHearing(request), self._guess_if_free, self._give_out_work
        turn = BatchedTurn(hearing, every, self.account, due, changed, prepares=self._prepares)
        self._turns[turn] = _Trials()
        return turn

    def _guess_if_free(self) -> None:
        """Turns ask with every piece of audio, most often while there is no place for more."""
        if len(self._posts) < self._workers:
            self._give_out_work()

    def _give_out_work(self) -> None:
        self._drop_what_is_in_vain()
        while self._running:
            self._turns = {turn: trials for turn, trials in self._turns.items() if not turn.over}
            standings = {turn: turn.standing for turn, trials in self._turns.items() if not trials.resting}
            at = now()
            self.account.stretch = self._load.stretch(list(standings.values()), at)
            ahead = worth_preparing(self.account.stretch, self.account.odds)
            admitted = self._admitted(standings, ahead=ahead)
            chosen = choose(admitted, at, self.account.stretch, ahead=ahead, got_on=self._got_on)
            if not chosen:
                return
            self._begin(chosen[0], ahead=ahead)

    def _admitted(self, standings: Mapping[_Turn, Standing], *, ahead: bool) -> Mapping[_Turn, Standing]:
        """Those there is a place for. The last one is for turns that somebody speaks; where there is none,
        guesses make way for what is urgent.
        """
        free, favours = self._workers - len(self._posts), now() >= self._spared_until
        fitting = {
            turn: standing
            for turn, standing in standings.items()
            if standing.phase is Phase.FINISHED or (favours and standing.stretch <= LONGEST)
        }
        if free > 1 or free == self._workers:
            return fitting
        if free == 1:
            return {turn: standing for turn, standing in fitting.items() if not standing.recorded}
        return urgent(fitting, ahead=ahead) if self._guessing() else {}

    def _guessing(self) -> list[_Turn]:
        return [turn for turn, post in self._posts.items() if post.kind == "guess"]

    def _begin(self, turn: _Turn, *, ahead: bool) -> None:
        before = self._posts.get(turn)
        recording = turn.begin(ahead=ahead)
        if before is not None:
            self._drop(turn)
        elif len(self._posts) >= self._workers:
            self._drop(self._guessing()[0])
        task = asyncio.create_task(self._heard(recording))
        post = self._posts[turn] = _Post(recording, kind_of(turn, recording), now(), task)
        if recording.request.recorded:
            self._got_on = post.began
        task.add_done_callback(partial(self._end, turn, post))

    async def _heard(self, recording: Recording) -> Text | EngineError:
        try:
            return await self._endpoint.transcribe(recording)
        except EngineError as error:
            return error
        except Exception as problem:  # noqa: BLE001  whatever it is, it must not end more than this turn
            return failure(problem)

    def _end(self, turn: _Turn, post: _Post, ended: asyncio.Task[Text | EngineError]) -> None:
        self._dropped.discard(ended)
        if self._posts.get(turn) is not post:
            return
        del self._posts[turn]
        outcome, took = ended.result(), now() - post.began
        self._count(post, took)
        if isinstance(outcome, Unavailable):
            self._miss(outcome)
        if isinstance(outcome, Unavailable) and self._puts_off(turn, post, outcome):
            turn.try_again(took)
        else:
            self._turns[turn] = _Trials()
            turn.end(post.recording, outcome, took)
        self._give_out_work()
        failed, recording = isinstance(outcome, EngineError), post.recording
        self._watch(Passed(post.kind, [turn.source], recording.length, post.began, took, failed))

    def _count(self, post: _Post, took: float) -> None:
        """Recordings take the time that is left, so they are no reason to leave more."""
        is_guess = post.kind == "guess"
        self.account.passed(took, guess=is_guess)
        if not post.recording.request.recorded:
            self._load.passed(took, now(), guess=is_guess)

    # What is given up

    def _drop_what_is_in_vain(self) -> None:
        for turn, post in tuple(self._posts.items()):
            if not turn.waits_for(post.recording):
                self._drop(turn)

    def _drop(self, turn: _Turn) -> None:
        post = self._posts.pop(turn)
        post.task.cancel()
        self._dropped.add(post.task)
        turn.end(post.recording, _GIVEN_UP, now() - post.began)

    # What is tried again

    def _puts_off(self, turn: _Turn, post: _Post, why: Unavailable) -> bool:
        """Whether there is time for another attempt, which is made after a while then."""
        if not (self._running and turn.awaits_its_final):
            return False
        trials, retries = self._turns[turn], self._retries
        trials.until = trials.until or post.began + retries.patience
        left = trials.until - now()
        if left <= 0 or why.after > left:
            return False
        wait = max(min(retries.waits[min(trials.count, len(retries.waits) - 1)], left), why.after)
        trials.count += 1
        trials.resting = True
        asyncio.get_running_loop().call_later(wait, self._rested, trials)
        return True

    def _rested(self, trials: _Trials) -> None:
        trials.resting = False
        self._give_out_work()

    def _miss(self, why: Unavailable) -> None:
        self.account.hung += why.why == "late"
        self._spared_until = now() + max(why.after, self._retries.spare)
        if why.why != "busy" and self._lookout is None and self._running:
            self._lookout = asyncio.create_task(self._look_out())

    async def _look_out(self) -> None:
        """Once nobody is let in any more, nobody else would find out that the remote is back."""
        began = now()
        await asyncio.sleep(self._retries.look_every)
        while not await self._endpoint.answers():
            self.stalled = now() - began >= self._retries.patience
            await asyncio.sleep(self._retries.look_every)
        self.stalled, self._lookout = False, None
