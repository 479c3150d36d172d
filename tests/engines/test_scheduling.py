"""Which turns get the next pass, and how often they are listened to while they grow."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.scheduling import Load, Phase, SharedTime, Standing, choose, urgent, worth_preparing

EVERY = samples(500)
BUSY = 1.5
"""From this stretch of the cadence on, there is no time for what is mostly in vain."""
STALE = 3.0
STUCK = 10.0
NOW = 100.0

standings = st.builds(
    Standing,
    new=st.integers(0, 3 * EVERY),
    stretch=st.integers(0, samples(40_000)),
    every=st.just(EVERY),
    waiting_since=st.floats(80, NOW),
    phase=st.sampled_from(Phase),
    busy=st.booleans(),
    preface=st.sampled_from(["", "My name is Anna."]),
    recorded=st.booleans(),
)
in_any_crowd = given(
    turns=st.dictionaries(st.integers(0, 20), standings), stretch=st.floats(1, 4), ahead=st.booleans()
)


def growing(new: int = EVERY, since: float = NOW) -> Standing:
    return Standing(new=new, stretch=new, every=EVERY, waiting_since=since)


def pausing(since: float = NOW, *, new: int = 1) -> Standing:
    return replace(growing(new, since), phase=Phase.PAUSING)


def finished(since: float = NOW, *, length: float = 3.0, preface: str = "") -> Standing:
    stretch = samples(1_000 * length)
    return replace(growing(0, since), stretch=stretch, phase=Phase.FINISHED, preface=preface)


def recorded(since: float = NOW, *, length: float = 3.0) -> Standing:
    return replace(finished(since, length=length), recorded=True)


# Who is chosen


def test_without_turns_there_is_nothing_to_do() -> None:
    assert choose({}, NOW, 1.0, ahead=True) == []


@pytest.mark.parametrize(("stretch", "new"), [(1.0, EVERY), (1.5, 3 * EVERY // 2)])
def test_a_guess_is_due_once_enough_new_audio_came(stretch: float, new: int) -> None:
    assert choose({"a": growing(new - 1)}, NOW, stretch, ahead=True) == []
    assert choose({"a": growing(new)}, NOW, stretch, ahead=True) == ["a"]


def test_under_load_finals_are_made_ahead_only_if_they_are_mostly_used() -> None:
    assert worth_preparing(1.0, 0.0)
    assert worth_preparing(BUSY, 0.5)
    assert not worth_preparing(BUSY, 0.4)


@pytest.mark.parametrize("new", [0, 1])
def test_a_pause_is_used_before_a_guess_is_made(new: int) -> None:
    turns = {"talks": growing(since=NOW - 1), "pauses": pausing(new=new)}

    assert choose(turns, NOW, 1.0, ahead=True) == ["pauses"]


def test_of_two_pauses_the_one_whose_turn_was_heard_longer_ago_is_used_first() -> None:
    assert choose({"late": pausing(), "early": pausing(NOW - 1)}, NOW, 1.0, ahead=True) == ["early"]


def test_a_guess_that_waited_long_goes_before_a_pause() -> None:
    turns = {"talks": growing(since=NOW - STALE), "pauses": pausing()}

    assert choose(turns, NOW, 1.0, ahead=True) == ["talks"]


def test_where_finals_are_not_made_ahead_a_pause_waits_like_any_guess() -> None:
    earlier, later = {"talks": growing(since=NOW - 2)}, {"pauses": pausing(NOW - 1)}

    assert choose(later | earlier, NOW, 1.0, ahead=False) == ["talks"]
    assert choose(later, NOW, 1.0, ahead=False) == ["pauses"]


def test_where_finals_are_not_made_ahead_a_pause_after_which_all_was_heard_is_left_alone() -> None:
    assert choose({"pauses": pausing(new=0)}, NOW, 1.0, ahead=False) == []


def test_finals_that_take_the_same_steps_are_made_together() -> None:
    turns = {n: finished(NOW - n, length=3 + n / 10) for n in range(6)}

    assert choose(turns, NOW, 1.0, ahead=True) == [5, 4, 3, 2]


@pytest.mark.parametrize(
    "other", [finished(length=4), finished(length=2.3), finished(preface="My name is Anna.")]
)
def test_finals_that_take_other_steps_wait_for_their_turn(other: Standing) -> None:
    turns = {"first": finished(NOW - 3), "other": replace(other, waiting_since=NOW - 2), "like": finished()}

    assert choose(turns, NOW, 1.0, ahead=True) == ["first"]


def test_finals_of_which_one_takes_a_quarter_longer_are_made_together() -> None:
    assert [1, 2] == choose({1: finished(length=4), 2: finished(length=5)}, NOW, 1.0, ahead=True)


def test_no_more_finals_are_made_together_than_forty_seconds_hold_even_if_all_take_a_quarter_longer() -> None:
    finals = {number: finished(length=10) for number in range(5)}

    assert [0, 1, 2] == choose(finals, NOW, 1.0, ahead=True)


def test_long_finals_are_made_one_by_one() -> None:
    assert choose({n: finished(length=28) for n in range(4)}, NOW, 1.0, ahead=True) == [0]


@pytest.mark.parametrize("live", [growing(), pausing(), finished()], ids=["guess", "pause", "final"])
def test_a_recording_waits_for_all_that_is_live(live: Standing) -> None:
    turns = {"recorded": recorded(NOW - STUCK + 1), "live": live}

    assert choose(turns, NOW, 1.0, ahead=True) == ["live"]


def test_a_recording_gets_the_time_that_nobody_else_wants() -> None:
    turns = {"talks": growing(EVERY - 1), "recorded": recorded()}

    assert choose(turns, NOW, 1.0, ahead=True) == ["recorded"]


@pytest.mark.parametrize("phase", [Phase.GROWING, Phase.PAUSING])
def test_of_a_recording_nothing_but_the_final_is_wanted(phase: Phase) -> None:
    turns = {"a": replace(recorded(), phase=phase, new=9 * EVERY)}

    assert [] == [*choose(turns, NOW, 1.0, ahead=True), *choose(turns, NOW, 1.0, ahead=False)]


@pytest.mark.parametrize("live", [growing(since=NOW - 50), pausing()], ids=["guess", "pause"])
def test_recordings_none_of_which_got_on_for_long_go_before_guesses_and_pauses(live: Standing) -> None:
    turns = {"live": live, "recorded": recorded(NOW - STUCK)}

    assert choose(turns, NOW, 1.0, ahead=True) == ["recorded"]
    assert choose(turns, NOW, 1.0, ahead=True, got_on=NOW - STUCK + 1) == ["live"]


def test_no_recording_goes_before_a_live_final() -> None:
    turns = {"recorded": recorded(NOW - 2 * STUCK), "live": finished()}

    assert choose(turns, NOW, 1.0, ahead=True) == ["live"]


def test_finals_of_recordings_are_made_together_but_with_no_live_one() -> None:
    turns = {"one": recorded(NOW - 3), "live": finished(NOW - 2), "other": recorded(NOW - 1)}

    assert choose(turns, NOW, 1.0, ahead=True) == ["live"]
    del turns["live"]
    assert choose(turns, NOW, 1.0, ahead=True) == ["one", "other"]


def test_guesses_are_made_one_by_one_unless_a_pass_leaves_most_of_its_device_idle() -> None:
    turns = {n: growing(since=NOW - n) for n in range(6)}

    assert choose(turns, NOW, 1.0, ahead=True) == [5]
    assert choose(turns, NOW, 1.0, ahead=True, together=True) == [5, 4, 3, 2]


@pytest.mark.parametrize(
    "other",
    [
        replace(growing(), preface="My name is Anna."),
        replace(growing(), stretch=2 * EVERY),
        growing(EVERY - 1),
        pausing(),
        recorded(),
    ],
)
def test_a_guess_that_takes_other_steps_is_passed_over(other: Standing) -> None:
    turns = {
        "first": growing(since=NOW - 3),
        "other": replace(other, waiting_since=NOW - 2),
        "like": growing(),
    }

    assert choose(turns, NOW, 1.0, ahead=False, together=True) == ["first", "like"]


@in_any_crowd
def test_only_guesses_that_are_alike_go_along_with_the_one_that_is_made_anyway(
    turns: dict[int, Standing], stretch: float, *, ahead: bool
) -> None:
    alone = choose(turns, NOW, stretch, ahead=ahead)

    chosen = choose(turns, NOW, stretch, ahead=ahead, together=True)

    along = [turns[turn] for turn in chosen[len(alone) :]]
    assert chosen[: len(alone)] == alone
    assert len(chosen) <= 4
    if along:
        first = turns[chosen[0]]
        assert all(each.phase is first.phase is Phase.GROWING and wants(each, stretch) for each in along)
        assert {each.preface for each in along} == {first.preface}
        assert all(longest(each, first) <= 1.25 * shortest(each, first) for each in along)
        assert sum(turns[turn].stretch for turn in chosen) <= samples(40_000)


def longest(*standings: Standing) -> int:
    return max(standing.stretch for standing in standings)


def shortest(*standings: Standing) -> int:
    return min(standing.stretch for standing in standings)


@in_any_crowd
def test_finals_of_live_turns_come_before_everything_in_the_order_asked(
    turns: dict[int, Standing], stretch: float, *, ahead: bool
) -> None:
    finals = [t for t, s in turns.items() if s.phase is Phase.FINISHED and not s.busy and not s.recorded]
    in_order = sorted(finals, key=lambda turn: turns[turn].waiting_since)

    chosen = choose(turns, NOW, stretch, ahead=ahead)

    assert not finals or chosen == in_order[: max(len(chosen), 1)]


@in_any_crowd
def test_those_passed_together_are_few_short_and_alike(
    turns: dict[int, Standing], stretch: float, *, ahead: bool
) -> None:
    chosen = [turns[turn] for turn in choose(turns, NOW, stretch, ahead=ahead)]

    lengths = [standing.stretch for standing in chosen]
    assert len(chosen) <= 4
    assert len(chosen) < 2 or sum(lengths) <= samples(40_000)
    assert all(standing.phase is Phase.FINISHED for standing in chosen[1:])
    assert all(length <= 1.25 * lengths[0] and lengths[0] <= 1.25 * length for length in lengths)
    assert len({standing.preface for standing in chosen}) <= 1
    assert len({standing.recorded for standing in chosen}) <= 1


@in_any_crowd
def test_recordings_come_last_unless_none_got_on_for_long(
    turns: dict[int, Standing], stretch: float, *, ahead: bool
) -> None:
    chosen = [turns[turn] for turn in choose(turns, NOW, stretch, ahead=ahead)]

    others = {turn: standing for turn, standing in turns.items() if not standing.recorded}
    waits = choose(others, NOW, stretch, ahead=ahead)
    stuck = [s for s in chosen if s.recorded and s.waiting_since <= NOW - STUCK]
    assert not any(standing.recorded for standing in chosen) or not waits or stuck
    assert all(standing.phase is Phase.FINISHED for standing in chosen if standing.recorded)


@in_any_crowd
def test_a_busy_turn_is_never_chosen(turns: dict[int, Standing], stretch: float, *, ahead: bool) -> None:
    assert not any(turns[turn].busy for turn in choose(turns, NOW, stretch, ahead=ahead))


def wants(standing: Standing, stretch: float) -> bool:
    """It has something to be heard."""
    if standing.recorded and standing.phase is not Phase.FINISHED:
        return False
    if standing.busy or standing.phase is Phase.FINISHED:
        return not standing.busy
    return standing.new >= (EVERY * stretch if standing.phase is Phase.GROWING else 1)


@in_any_crowd
def test_a_guess_is_made_only_when_it_is_due_and_the_oldest_first(
    turns: dict[int, Standing], stretch: float, *, ahead: bool
) -> None:
    chosen = choose(turns, NOW, stretch, ahead=ahead)

    not_guesses = {Phase.FINISHED} | ({Phase.PAUSING} if ahead else set())
    guessed = [turns[turn] for turn in chosen if turns[turn].phase not in not_guesses]
    due = [s for s in turns.values() if s.phase not in not_guesses and wants(s, stretch)]
    oldest = sorted(standing.waiting_since for standing in due)
    assert [standing.waiting_since for standing in guessed] == oldest[: len(guessed)]


@in_any_crowd
def test_a_worker_rests_only_when_there_is_nothing_to_do(
    turns: dict[int, Standing], stretch: float, *, ahead: bool
) -> None:
    pauses = [s for s in turns.values() if s.phase is Phase.PAUSING and not s.busy and not s.recorded]
    anything = any(wants(standing, stretch) for standing in turns.values())

    assert bool(choose(turns, NOW, stretch, ahead=ahead)) == (anything or (ahead and bool(pauses)))


# How often


def loaded(workers: int = 1, *, guesses: float = 0.0, finals: float = 0.0) -> Load:
    load = Load(workers)
    if guesses:
        load.passed(guesses, NOW, guess=True)
    if finals:
        load.passed(finals, NOW, guess=False)
    return load


def test_before_any_pass_the_cadence_is_as_wished() -> None:
    assert Load(1).stretch([growing()] * 100, NOW) == 1.0


def test_the_cadence_stretches_so_that_guesses_fill_the_time_there_is() -> None:
    # Ten turns, each wanting a tenth of a second of work every half second, are twice a worker's time.
    assert loaded(guesses=0.1).stretch([growing()] * 10, NOW) == pytest.approx(2.0)
    assert loaded(workers=2, guesses=0.1).stretch([growing()] * 10, NOW) == 1.0


def test_time_spent_on_finals_is_not_there_for_guesses() -> None:
    busy, idle = loaded(guesses=0.1, finals=2.0), loaded(guesses=0.1)

    assert busy.stretch([growing()] * 10, NOW) == pytest.approx(idle.stretch([growing()] * 10, NOW) / 0.6)


def test_what_finals_took_counts_less_the_longer_ago_it_was() -> None:
    busy = loaded(guesses=0.1, finals=2.0)

    assert busy.stretch([growing()] * 10, NOW + 5) == pytest.approx(2.0 / (1 - 0.4 * math.exp(-1)))


def test_guesses_keep_a_tenth_of_the_time_however_busy_finals_are() -> None:
    busy = loaded(workers=2, guesses=0.1, finals=20.0)

    assert busy.stretch([growing()] * 10, NOW) == pytest.approx(10.0)


def test_the_newest_guess_counts_a_fifth() -> None:
    load = loaded(guesses=0.1)
    load.passed(0.2, NOW, guess=True)

    assert load.stretch([growing()] * 10, NOW) == pytest.approx(2.4)


def test_turns_that_pause_or_are_finished_want_no_guesses() -> None:
    assert loaded(guesses=9.0).stretch([pausing(), finished()], NOW) == 1.0


def test_recordings_want_no_guesses() -> None:
    assert loaded(guesses=9.0).stretch([replace(growing(), recorded=True)] * 10, NOW) == 1.0


passes = st.lists(st.tuples(st.floats(0.001, 5), st.booleans()), max_size=20)


@given(passes, st.integers(1, 4), st.integers(0, 50))
def test_the_cadence_is_never_denser_than_wished_and_stretches_with_every_turn(
    done: list[tuple[float, bool]], workers: int, turns: int
) -> None:
    load = Load(workers)
    for after, (took, guess) in enumerate(done):
        load.passed(took, NOW + after, guess=guess)

    fewer, more = (load.stretch([growing()] * n, NOW + len(done)) for n in (turns, turns + 1))

    assert 1.0 <= fewer <= more


@given(st.floats(0.01, 0.3), st.integers(1, 4), st.floats(0, 1))
def test_the_cadence_recovers_within_ten_seconds_after_the_load_fell(
    took: float, workers: int, finals: float
) -> None:
    load = Load(workers)
    for second in range(30):
        load.passed(took, second, guess=True)
        load.passed(finals * workers, second, guess=False)
        load.stretch([growing()] * 100, second)

    assert load.stretch([growing()] * workers, 40.0) == 1.0


# All together

TICK = 0.1


@dataclass(eq=False)
class Work:
    """A pass, of which a worker is free again in the end."""

    turns: list[int]
    guess: bool
    took: float
    ends: float


@dataclass
class Talker:
    """Talks, pauses now and then, finishes, and begins anew once it has its final."""

    phases: Sequence[Phase]
    restless: float
    """How often in a second it may come into another of these."""
    since: float
    """What its standing calls `waiting_since`."""
    recorded: bool = False
    phase: Phase = Phase.GROWING
    new: int = 0
    length: int = 0
    work: Work | None = None
    waited: float = 0.0
    """With something to be heard, in this phase."""

    @property
    def standing(self) -> Standing:
        busy = self.work is not None
        return Standing(self.new, self.length, EVERY, self.since, self.phase, busy, recorded=self.recorded)

    def live(self, rng: random.Random, now: float) -> None:
        if self.phase is Phase.GROWING:
            self.new += samples(1_000 * TICK)
            self.length = min(self.length + samples(1_000 * TICK), samples(6_000))
        if self.phase is not Phase.FINISHED and rng.random() < TICK * self.restless:
            self.enter(rng.choice(self.phases), now)

    def enter(self, phase: Phase, now: float) -> None:
        if phase is not self.phase:
            self.phase, self.waited = phase, 0.0
        if phase is Phase.FINISHED:
            self.since, self.work = now, None  # a guess that runs is in vain now


class World:
    """Talkers before workers whose passes take as long as chance will have it. The first one never pauses.
    Beside them recordings, of which one turn follows on the other.
    """

    def __init__(
        self,
        seed: int,
        talkers: int,
        restless: float,
        workers: int,
        slowness: float,
        odds: float,
        recordings: int,
        *,
        endless: bool,
    ) -> None:
        self.now = 0.0
        self.asked: list[int] = []
        self.served: list[int] = []
        self.recordings_asked: list[int] = []
        self.recordings_served: list[int] = []
        self.waited = dict.fromkeys(Phase, 0.0)
        """The longest that anybody who talks did."""
        self.stuck = 0.0
        """The longest that no recording got on though one could have."""
        self.bound = (talkers + min(recordings, 1)) * (slowness + TICK)
        """As long as it takes to hear everybody once, one after the other."""
        self._rng = random.Random(seed)
        self._load = Load(workers)
        self._workers = workers
        self._slowness = slowness
        self._odds = odds
        phases = [Phase.GROWING, Phase.PAUSING] if endless else list(Phase)
        self._turns = {n: Talker(phases if n else [Phase.GROWING], restless, 0.0) for n in range(talkers)}
        for n in range(talkers, talkers + recordings):
            self._turns[n] = Talker([Phase.FINISHED], 9.0, 0.0, recorded=True)
        self._got_on = 0.0
        self._running: list[Work] = []

    def run(self, duration: float) -> None:
        while self.now < duration:
            self.now += TICK
            for n, turn in self._turns.items():
                turn.live(self._rng, self.now)
                if turn.phase is Phase.FINISHED and turn.since == self.now:
                    (self.recordings_asked if turn.recorded else self.asked).append(n)
            for work in [work for work in self._running if work.ends <= self.now]:
                self._end(work)
            while len(self._running) < self._workers and self._begins():
                pass
            self._wait()

    @property
    def _stretch(self) -> float:
        return self._load.stretch([turn.standing for turn in self._turns.values()], self.now)

    def _begins(self) -> bool:
        standings = {n: turn.standing for n, turn in self._turns.items()}
        ahead = worth_preparing(self._stretch, self._odds)
        chosen = list(choose(standings, self.now, self._stretch, ahead=ahead, got_on=self._got_on))
        if not chosen:
            return False
        phase, recorded = self._turns[chosen[0]].phase, self._turns[chosen[0]].recorded
        self._got_on = self.now if recorded else self._got_on
        guess = phase is Phase.GROWING or (phase is Phase.PAUSING and not ahead)
        took = self._rng.uniform(0.2, 1.0) * self._slowness
        work = Work(chosen, guess, took, self.now + took)
        self._running.append(work)
        for n in chosen:
            turn = self._turns[n]
            turn.work, turn.new = work, 0
            if turn.phase is Phase.FINISHED:
                (self.recordings_served if recorded else self.served).append(n)
            else:
                turn.since = self.now
        return True

    def _end(self, work: Work) -> None:
        self._running.remove(work)
        if not self._turns[work.turns[0]].recorded:
            self._load.passed(work.took, self.now, guess=work.guess)
        for n in work.turns:
            turn = self._turns[n]
            if turn.work is not work:
                continue
            turn.work = None
            if turn.phase is Phase.FINISHED:
                self._turns[n] = Talker(turn.phases, turn.restless, self.now, turn.recorded)
            elif turn.phase is Phase.PAUSING and not work.guess:
                turn.enter(Phase.GROWING, self.now)

    def _wait(self) -> None:
        stretch = self._stretch
        for turn in self._turns.values():
            if turn.recorded:
                if wants(turn.standing, stretch):
                    self.stuck = max(self.stuck, self.now - max(turn.since, self._got_on))
                continue
            turn.waited = turn.waited + TICK if wants(turn.standing, stretch) else 0.0
            self.waited[turn.phase] = max(self.waited[turn.phase], turn.waited)


def worlds(*, endless: bool) -> st.SearchStrategy[World]:
    return st.builds(
        World,
        seed=st.integers(0, 10_000),
        talkers=st.integers(1, 8),
        restless=st.floats(0.1, 3),
        workers=st.integers(1, 3),
        slowness=st.floats(0.02, 1.0),
        odds=st.floats(0, 1),
        recordings=st.integers(0, 5),
        endless=st.just(endless),
    )


@given(worlds(endless=False))
@settings(max_examples=50, deadline=None)
def test_finals_are_served_in_the_order_asked_and_none_is_forgotten(world: World) -> None:
    world.run(duration=60.0)

    assert world.asked[: len(world.served)] == world.served
    assert world.recordings_asked[: len(world.recordings_served)] == world.recordings_served
    assert world.waited[Phase.FINISHED] <= world.bound


@given(worlds(endless=True))
@settings(max_examples=50, deadline=None)
def test_nobody_waits_much_longer_than_it_takes_to_hear_everybody_once(world: World) -> None:
    world.run(duration=60.0)

    assert world.waited[Phase.PAUSING] <= world.bound
    assert world.waited[Phase.GROWING] <= STALE + world.bound


@given(worlds(endless=True))
@settings(max_examples=50, deadline=None)
def test_recordings_get_on_however_many_talk(world: World) -> None:
    world.run(duration=60.0)

    assert world.stuck <= STUCK + world.bound


def test_finals_have_workers_for_themselves_and_guesses_share_what_is_left() -> None:
    time = SharedTime(workers=2)
    time.until(10.0, guesses=0, finals=0)

    shares = [
        time.until(11.0, guesses=2, finals=0),
        time.until(13.0, guesses=2, finals=1),
        time.until(15.0, guesses=2, finals=2),
        time.until(17.0, guesses=0, finals=4),
    ]

    guess, final = zip(*shares, strict=True)
    assert [1.0, 0.0, 0.0] == [after - before for before, after in pairwise(guess)]
    assert [2.0, 2.0, 1.0] == [after - before for before, after in pairwise(final)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_pass_has_one_worker_at_the_most(workers: int) -> None:
    time = SharedTime(workers)
    began = time.until(10.0, guesses=0, finals=0)

    guessed = time.until(11.0, guesses=1, finals=0)
    finished = time.until(12.0, guesses=0, finals=1)

    assert (1.0, 1.0) == (guessed.guess - began.guess, finished.final - guessed.final)


@given(turns=st.dictionaries(st.integers(), standings), ahead=st.booleans())
def test_urgent_are_finals_and_where_they_are_made_ahead_pauses_of_live_turns(
    turns: dict[int, Standing],
    *,
    ahead: bool,
) -> None:
    chosen = urgent(turns, ahead=ahead)

    live = {turn: standing for turn, standing in turns.items() if not standing.recorded}
    others = [standing.phase for turn, standing in live.items() if turn not in chosen]
    assert Phase.GROWING not in {standing.phase for standing in chosen.values()}
    assert not any(standing.recorded for standing in chosen.values())
    assert Phase.FINISHED not in others
    assert ahead == (Phase.PAUSING not in others) or Phase.PAUSING not in {s.phase for s in live.values()}
