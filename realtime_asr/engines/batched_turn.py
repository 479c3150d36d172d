"""One turn of an engine that hears in passes: between the session that feeds it and the passes over it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.account import Account
from realtime_asr.engines.clock import now
from realtime_asr.engines.engine import EngineError, Kind, Text
from realtime_asr.engines.mailbox import Mailbox
from realtime_asr.engines.scheduling import Phase, Standing
from realtime_asr.transcript.hypothesis import Effort, Hypothesis
from realtime_asr.transcript.request import TurnRequest


class Work(Protocol):
    """A pass, whoever makes it."""

    @property
    def whole(self) -> bool:
        """It hears all that it was asked to."""

    @property
    def voiced(self) -> int | None:
        """For verdicts: where the turn's words end."""


W = TypeVar("W", bound=Work)


class Heard(Protocol[W]):
    """What is known of the turn between two passes. `Hearing` says what each of these does."""

    @property
    def request(self) -> TurnRequest: ...
    @property
    def fed(self) -> int: ...
    @property
    def stretch(self) -> int: ...
    @property
    def preface(self) -> str: ...
    @property
    def outline(self) -> str: ...
    def feed(self, heard: Samples, voice: float) -> None: ...
    def guess(self) -> W: ...
    def verdict(self, voiced: int) -> W: ...
    def learn(self, done: W, text: Text) -> Hypothesis | None: ...


class BatchedTurn(Generic[W]):
    """Says where it stands. The engine begins passes over it, and tells how they ended."""

    def __init__(
        self,
        hearing: Heard[W],
        every: int,
        account: Account,
        due: Callable[[], None],
        changed: Callable[[], None],
        *,
        prepares: bool,
    ) -> None:
        """`due` is called when a guess is worthwhile, `changed` when there may be something else to do, or
        nothing more.
        """
        self._hearing = hearing
        self._every = every
        self._account = account
        self._due = due
        self._changed = changed
        self._recorded = hearing.request.recorded
        self._prepares = prepares and not self._recorded
        self._mailbox = Mailbox()
        self._phase = Phase.GROWING
        self._waiting_since = now()
        """When its last pass began; when it was finished, once it was."""
        self._heard = 0
        self._voiced = 0
        """Where its words end, once it paused or was finished."""
        self._preface = ""
        """Of its next final, once it was finished."""
        self._work: W | None = None
        self._prepared: dict[int, Hypothesis] = {}
        """The final, if the words end there. One at most."""
        self._preparations = 0
        self._ahead = False
        """The pass that runs prepares a final."""
        self._effort = Effort(waited=0.0, decoded=0.0, passes=0)

    @property
    def over(self) -> bool:
        return self._mailbox.closed

    @property
    def standing(self) -> Standing:
        return Standing(
            new=self._new,
            stretch=self._hearing.stretch,
            every=self._every,
            waiting_since=self._waiting_since,
            phase=self._phase,
            busy=self._work is not None if self._phase is Phase.GROWING else self._awaits_its_verdict,
            preface=self._preface if self._phase is Phase.FINISHED else self._hearing.outline,
            recorded=self._recorded,
        )

    @property
    def source(self) -> str:
        return self._hearing.request.source

    @property
    def finished(self) -> bool:
        """No more audio comes, and its final is owed."""
        return self._phase is Phase.FINISHED and not self.over

    @property
    def waits_for_its_final(self) -> bool:
        """It is finished, and no pass is over its last words."""
        return self.finished and not self._awaits_its_verdict

    @property
    def awaits_its_final(self) -> bool:
        """It is finished, and the pass that runs is over its last words. A guess that runs is in vain."""
        return self._phase is Phase.FINISHED and self._awaits_its_verdict

    def waits_for(self, work: W) -> bool:
        """Of passes that run at once only the newest counts: the others are guesses that came too late."""
        return work is self._work and not self.over and not self.waits_for_its_final

    @property
    def _awaits_its_verdict(self) -> bool:
        return self._work is not None and self._work.voiced == self._voiced

    # The session's side

    def feed(self, samples: Samples, voice: float = 1.0) -> None:
        if self.over:
            return
        assert self._phase is not Phase.FINISHED, "fed after it was finished"
        self._hearing.feed(samples, voice)
        self._phase = Phase.GROWING
        if self._new >= self._every and not self._recorded:
            self._due()

    def prepare(self, voiced: int) -> None:
        if self.over or not self._prepares or voiced <= 0 or voiced in self._prepared:
            return
        assert self._phase is not Phase.FINISHED, "prepared after it was finished"
        self._voiced = voiced
        self._phase = Phase.PAUSING
        self._changed()

    def finish(self, voiced: int) -> None:
        if self.over:
            return
        self._voiced = voiced
        if voiced <= 0:
            self._conclude(Hypothesis((), heard=self._hearing.fed), prepared=False)
        elif voiced in self._prepared:
            self._conclude(self._prepared[voiced], prepared=True)
        else:
            self._phase, self._waiting_since = Phase.FINISHED, now()
            self._preface = self._hearing.preface
        self._changed()

    def abandon(self) -> None:
        self._mailbox.close()
        self._settle_account(used=0)
        self._changed()

    def hypotheses(self) -> AsyncIterator[Hypothesis]:
        return self._mailbox.collect()

    # The engine's side

    def fail(self, error: EngineError) -> None:
        self._mailbox.put(error)
        self._settle_account(used=0)

    def begin(self, *, ahead: bool) -> W:
        """What the next pass is over, which begins now. In a pause it prepares a final only if `ahead`."""
        preparing = ahead and self._phase is Phase.PAUSING
        finished = self._phase is Phase.FINISHED
        work = self._hearing.verdict(self._voiced) if preparing or finished else self._hearing.guess()
        self._ahead = preparing and work.whole
        self._preparations += self._ahead
        self._account.prepared += self._ahead
        if finished:
            self._effort = replace(self._effort, waited=now() - self._waiting_since)
        else:
            self._waiting_since = now()
        self._work, self._heard = work, self._hearing.fed
        return work

    def try_again(self, took: float) -> None:
        """The pass over its last words came to nothing, and another shall be made."""
        assert self.awaits_its_final, "there was no such pass"
        self._count(took)
        self._work = None

    def end(self, work: W, outcome: Text | EngineError, took: float) -> None:
        """It counts only if it was waited for to its end."""
        self._count(took)
        wanted = self.waits_for(work)
        if work is self._work:
            self._work = None
        if not wanted:
            self._account.stale += work.voiced is None
            return
        if isinstance(outcome, Text):
            self._learn(work, outcome)
        elif self._phase is Phase.FINISHED:
            self.fail(outcome)
        else:
            # A favour that failed: the final will tell.
            self._phase = Phase.GROWING

    def _count(self, took: float) -> None:
        done = self._effort
        self._effort = replace(done, decoded=done.decoded + took, passes=done.passes + 1)

    def _learn(self, work: W, text: Text) -> None:
        if text.doubt is not None:
            self._account.doubts[text.doubt] += 1
        hypothesis = self._hearing.learn(work, text)
        if self.finished:
            self._preface = self._hearing.preface
        if hypothesis is None:
            return
        if work.voiced is None or not work.whole:
            self._show(hypothesis)
        elif self._phase is Phase.FINISHED:
            self._conclude(hypothesis, prepared=self._ahead)
        else:
            self._prepared = {work.voiced: hypothesis}
            self._show(hypothesis)
            if work.voiced == self._voiced:
                self._phase = Phase.GROWING

    def _show(self, hypothesis: Hypothesis) -> None:
        """Of a recording only the final is wanted."""
        if not self._recorded:
            self._mailbox.put(hypothesis)

    def _conclude(self, hypothesis: Hypothesis, *, prepared: bool) -> None:
        self._account.finals += 1
        self._account.used += prepared
        self._mailbox.put(replace(hypothesis, final=True, effort=self._effort))
        self._settle_account(used=int(prepared))

    def _settle_account(self, *, used: int) -> None:
        self._account.wasted += self._preparations - used
        self._preparations = 0

    @property
    def _new(self) -> int:
        """Once it pauses only its words count, not the silence after them."""
        end = self._hearing.fed if self._phase is Phase.GROWING else self._voiced
        return max(end - self._heard, 0)


def kind_of(turn: BatchedTurn[W], work: W) -> Kind:
    """What a pass over the turn is for, when it begins."""
    if work.voiced is None:
        return "guess"
    return "final" if turn.finished else "prepared"


def failure(problem: BaseException) -> EngineError:
    """What is nobody's business is only its cause."""
    error = EngineError("The engine failed on this turn.")
    error.__cause__ = problem
    return error
