"""One turn of a `BatchingEngine`: between the session that feeds it and the passes over it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.account import Account
from realtime_asr.engines.clock import now
from realtime_asr.engines.engine import EngineError, Text
from realtime_asr.engines.hearing import Hearing, Pass
from realtime_asr.engines.mailbox import Mailbox
from realtime_asr.engines.scheduling import Phase, Standing
from realtime_asr.transcript.hypothesis import Hypothesis


class BatchedTurn:
    """Says where it stands. The engine begins passes over it, and tells how they ended."""

    def __init__(
        self,
        hearing: Hearing,
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
        self._prepares = prepares
        self._mailbox = Mailbox()
        self._phase = Phase.GROWING
        self._waiting_since = now()
        """When its last pass began; when it was finished, once it was."""
        self._heard = 0
        self._voiced = 0
        """Where its words end, once it paused or was finished."""
        self._work: Pass | None = None
        self._prepared: dict[int, Hypothesis] = {}
        """The final, if the words end there. One at most."""
        self._preparations = 0
        self._ahead = False
        """The pass that runs prepares a final."""

    @property
    def over(self) -> bool:
        return self._mailbox.closed

    @property
    def standing(self) -> Standing:
        finished = self._phase is Phase.FINISHED
        return Standing(
            new=self._new,
            stretch=self._hearing.stretch,
            every=self._every,
            waiting_since=self._waiting_since,
            phase=self._phase,
            busy=self._work is not None if self._phase is Phase.GROWING else self._awaits_its_verdict,
            preface=self._hearing.preface if finished else "",
        )

    @property
    def awaits_its_final(self) -> bool:
        """It is finished, and the pass that runs is over its last words. A guess that runs is in vain."""
        return self._phase is Phase.FINISHED and self._awaits_its_verdict

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
        if self._new >= self._every:
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

    def begin(self, *, ahead: bool) -> Pass:
        """What the next pass is over, which begins now. In a pause it prepares a final only if `ahead`."""
        preparing = ahead and self._phase is Phase.PAUSING
        finished = self._phase is Phase.FINISHED
        work = self._hearing.verdict(self._voiced) if preparing or finished else self._hearing.guess()
        self._ahead = preparing and work.whole
        self._preparations += self._ahead
        self._account.prepared += self._ahead
        if not finished:
            self._waiting_since = now()
        self._work, self._heard = work, self._hearing.fed
        return work

    def end(self, work: Pass, outcome: Text | EngineError) -> None:
        """Of passes that run at once only the newest counts: the others are guesses that came too late."""
        if work is not self._work:
            return
        in_vain = self.over or (self._phase is Phase.FINISHED and not self.awaits_its_final)
        self._work = None
        if in_vain:
            return
        if isinstance(outcome, Text):
            self._learn(work, outcome)
        elif self._phase is Phase.FINISHED:
            self.fail(outcome)
        else:
            # A favour that failed: the final will tell.
            self._phase = Phase.GROWING

    def _learn(self, work: Pass, text: Text) -> None:
        if text.doubt is not None:
            self._account.doubts[text.doubt] += 1
        hypothesis = self._hearing.learn(work, text)
        if hypothesis is None:
            return
        if work.voiced is None or not work.whole:
            self._mailbox.put(hypothesis)
        elif self._phase is Phase.FINISHED:
            self._conclude(hypothesis, prepared=self._ahead)
        else:
            self._prepared = {work.voiced: hypothesis}
            self._mailbox.put(hypothesis)
            if work.voiced == self._voiced:
                self._phase = Phase.GROWING

    def _conclude(self, hypothesis: Hypothesis, *, prepared: bool) -> None:
        self._account.finals += 1
        self._account.used += prepared
        self._mailbox.put(replace(hypothesis, final=True))
        self._settle_account(used=int(prepared))

    def _settle_account(self, *, used: int) -> None:
        self._account.wasted += self._preparations - used
        self._preparations = 0

    @property
    def _new(self) -> int:
        """Once it pauses only its words count, not the silence after them."""
        end = self._hearing.fed if self._phase is Phase.GROWING else self._voiced
        return max(end - self._heard, 0)
