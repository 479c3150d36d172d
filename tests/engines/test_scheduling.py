"""Which turns get the next pass, and how often they are listened to while they grow."""

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.scheduling import Load, Phase, Standing, choose

EVERY = samples(500)
BUSY = 1.5
"""From this stretch of the cadence on, nothing is prepared."""
NOW = 100.0

standings = st.builds(
    Standing,
    new=st.integers(0, 3 * EVERY),
    stretch=st.integers(0, samples(40_000)),
    every=st.just(EVERY),
    waiting_since=st.floats(90, NOW),
    phase=st.sampled_from(Phase),
    busy=st.booleans(),
    preface=st.sampled_from(["", "My name is Anna."]),
)
crowds = st.dictionaries(st.integers(0, 20), standings)
stretches = st.floats(1, 4)


def growing(new: int = EVERY, since: float = NOW) -> Standing:
    return Standing(new=new, stretch=new, every=EVERY, waiting_since=since)


def pausing(since: float = NOW) -> Standing:
    return replace(growing(0, since), phase=Phase.PAUSING)


def finished(since: float = NOW, *, length: float = 3.0, preface: str = "") -> Standing:
    stretch = samples(1_000 * length)
    return replace(growing(0, since), stretch=stretch, phase=Phase.FINISHED, preface=preface)


# Who is chosen


def test_without_turns_there_is_nothing_to_do() -> None:
    assert choose({}, NOW, 1.0) == []


@pytest.mark.parametrize(("stretch", "new"), [(1.0, EVERY), (1.5, 3 * EVERY // 2)])
def test_a_guess_is_due_once_enough_new_audio_came(stretch: float, new: int) -> None:
    assert choose({"a": growing(new - 1)}, NOW, stretch) == []
    assert choose({"a": growing(new)}, NOW, stretch) == ["a"]


def test_a_pause_is_used_before_a_guess_is_made() -> None:
    assert choose({"talks": growing(), "pauses": pausing()}, NOW, 1.0) == ["pauses"]


def test_a_guess_that_waited_long_goes_before_a_pause() -> None:
    assert choose({"talks": growing(since=NOW - 3), "pauses": pausing()}, NOW, 1.0) == ["talks"]


def test_under_load_a_pause_is_not_used() -> None:
    assert choose({"pauses": pausing()}, NOW, BUSY) == []


def test_under_load_a_final_is_made_ahead_if_it_will_likely_be_used() -> None:
    turns = {"talks": growing(), "pauses": pausing()}

    assert choose(turns, NOW, BUSY, odds=0.5) == ["pauses"]
    assert choose(turns, NOW, BUSY, odds=0.4) == []


def test_finals_that_take_the_same_steps_are_made_together() -> None:
    turns = {n: finished(NOW - n, length=3 + n / 10) for n in range(6)}

    assert choose(turns, NOW, 1.0) == [5, 4, 3, 2]


@pytest.mark.parametrize(
    "other", [finished(length=4), finished(length=2.3), finished(preface="My name is Anna.")]
)
def test_finals_that_take_other_steps_wait_for_their_turn(other: Standing) -> None:
    turns = {"first": finished(NOW - 3), "other": replace(other, waiting_since=NOW - 2), "like": finished()}

    assert choose(turns, NOW, 1.0) == ["first"]


def test_long_finals_are_made_one_by_one() -> None:
    assert choose({n: finished(length=28) for n in range(4)}, NOW, 1.0) == [0]


@given(crowds, stretches)
def test_finals_come_before_everything_in_the_order_asked(turns: dict[int, Standing], stretch: float) -> None:
    finals = [t for t, s in turns.items() if s.phase is Phase.FINISHED and not s.busy]
    in_order = sorted(finals, key=lambda turn: turns[turn].waiting_since)

    chosen = choose(turns, NOW, stretch)

    assert not finals or chosen == in_order[: max(len(chosen), 1)]


@given(crowds, stretches)
def test_those_passed_together_are_few_short_and_alike(turns: dict[int, Standing], stretch: float) -> None:
    chosen = [turns[turn] for turn in choose(turns, NOW, stretch)]

    lengths = [standing.stretch for standing in chosen]
    assert len(chosen) <= 4
    assert len(chosen) < 2 or sum(lengths) <= samples(40_000)
    assert all(standing.phase is Phase.FINISHED for standing in chosen[1:])
    assert all(length <= 1.25 * lengths[0] and lengths[0] <= 1.25 * length for length in lengths)
    assert len({standing.preface for standing in chosen}) <= 1


@given(crowds, stretches)
def test_a_busy_turn_is_never_chosen(turns: dict[int, Standing], stretch: float) -> None:
    assert not any(turns[turn].busy for turn in choose(turns, NOW, stretch))


@given(crowds, stretches)
def test_nothing_is_prepared_under_load(turns: dict[int, Standing], stretch: float) -> None:
    phases = {turns[turn].phase for turn in choose(turns, NOW, stretch)}

    assert stretch < BUSY or Phase.PAUSING not in phases


@given(crowds, stretches)
def test_a_guess_is_made_only_when_it_is_due_and_the_oldest_first(
    turns: dict[int, Standing], stretch: float
) -> None:
    chosen = choose(turns, NOW, stretch)

    guessed = [turns[turn] for turn in chosen if turns[turn].phase is Phase.GROWING]
    due = [
        s.waiting_since
        for s in turns.values()
        if s.phase is Phase.GROWING and not s.busy and s.new >= EVERY * stretch
    ]
    assert [standing.waiting_since for standing in guessed] == sorted(due)[: len(guessed)]


@given(crowds, stretches)
def test_a_worker_rests_only_when_there_is_nothing_to_do(turns: dict[int, Standing], stretch: float) -> None:
    def wants(standing: Standing) -> bool:
        guess = standing.phase is Phase.GROWING and standing.new >= EVERY * stretch
        pause = standing.phase is Phase.PAUSING and stretch < BUSY
        return not standing.busy and (guess or pause or standing.phase is Phase.FINISHED)

    assert bool(choose(turns, NOW, stretch)) == any(map(wants, turns.values()))


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


def test_the_cadence_stretches_so_that_guesses_leave_a_fifth_of_the_time() -> None:
    # Ten turns, each wanting a tenth of a second of work every half second, are twice a worker's time.
    assert loaded(guesses=0.1).stretch([growing()] * 10, NOW) == pytest.approx(2.0 / 0.8)
    assert loaded(workers=2, guesses=0.1).stretch([growing()] * 10, NOW) == pytest.approx(2.0 / 1.6)


def test_time_spent_on_finals_is_not_there_for_guesses() -> None:
    busy, idle = loaded(guesses=0.1, finals=2.0), loaded(guesses=0.1)

    assert busy.stretch([growing()] * 10, NOW) == pytest.approx(2 * idle.stretch([growing()] * 10, NOW))


def test_turns_that_pause_or_are_finished_want_no_guesses() -> None:
    assert loaded(guesses=9.0).stretch([pausing(), finished()], NOW) == 1.0


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

    since: float
    passed: float
    endless: bool = False
    phase: Phase = Phase.GROWING
    new: int = 0
    length: int = 0
    work: Work | None = None

    @property
    def standing(self) -> Standing:
        since = self.passed if self.phase is Phase.GROWING else self.since
        return Standing(self.new, self.length, EVERY, since, self.phase, self.work is not None)

    def live(self, rng: random.Random, now: float) -> None:
        if self.phase is Phase.GROWING:
            self.new += samples(1_000 * TICK)
            self.length = min(self.length + samples(1_000 * TICK), samples(6_000))
        if not self.endless and self.phase is not Phase.FINISHED and rng.random() < TICK / 2:
            self.phase, self.since = rng.choice([phase for phase in Phase if phase is not self.phase]), now
        if self.phase is Phase.FINISHED and self.since == now:
            self.work = None  # a guess that runs is in vain now


TICK = 0.1


class World:
    """Talkers before workers whose passes take as long as chance will have it. The first one never pauses."""

    def __init__(self, seed: int, talkers: int, workers: int, slowness: float) -> None:
        self.now = 0.0
        self.asked: list[int] = []
        self.served: list[int] = []
        self.guesses = 0
        """Of what the first one says."""
        self._rng = random.Random(seed)
        self._load = Load(workers)
        self._workers = workers
        self._slowness = slowness
        self._turns = {n: Talker(0.0, 0.0, endless=n == 0) for n in range(talkers)}
        self._running: list[Work] = []

    def run(self, duration: float) -> None:
        while self.now < duration:
            self.now += TICK
            for n, turn in self._turns.items():
                turn.live(self._rng, self.now)
                if turn.phase is Phase.FINISHED and turn.since == self.now:
                    self.asked.append(n)
            for work in [work for work in self._running if work.ends <= self.now]:
                self._end(work)
            while len(self._running) < self._workers and self._begins():
                pass

    def _begins(self) -> bool:
        standings = {n: turn.standing for n, turn in self._turns.items()}
        stretch = self._load.stretch([*standings.values()], self.now)
        chosen = list(choose(standings, self.now, stretch))
        if not chosen:
            return False
        guess = self._turns[chosen[0]].phase is Phase.GROWING
        took = self._rng.uniform(0.2, 1.0) * self._slowness
        work = Work(chosen, guess, took, self.now + took)
        self._running.append(work)
        for n in chosen:
            turn = self._turns[n]
            turn.work, turn.passed, turn.new = work, self.now, 0
            if turn.phase is Phase.FINISHED:
                self.served.append(n)
            self.guesses += guess and n == 0
        return True

    def _end(self, work: Work) -> None:
        self._running.remove(work)
        self._load.passed(work.took, self.now, guess=work.guess)
        for n in work.turns:
            turn = self._turns[n]
            if turn.work is not work:
                continue
            turn.work = None
            if turn.phase is Phase.FINISHED:
                self._turns[n] = Talker(self.now, self.now)
            elif turn.phase is Phase.PAUSING and not work.guess:
                turn.phase = Phase.GROWING


@given(
    seed=st.integers(0, 10_000),
    talkers=st.integers(1, 8),
    workers=st.integers(1, 3),
    slowness=st.floats(0.02, 1.0),
)
@settings(max_examples=25, deadline=None)
def test_nobody_starves_and_finals_are_served_in_the_order_asked(
    seed: int, talkers: int, workers: int, slowness: float
) -> None:
    world = World(seed, talkers, workers, slowness)

    world.run(duration=120.0)

    assert world.asked[: len(world.served)] == world.served
    assert len(world.asked) - len(world.served) <= talkers
    assert world.guesses > 0
