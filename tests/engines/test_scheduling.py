"""The order in which turns are heard."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.engines.scheduling import Standing, choose

EVERY = 8_000

standings = st.builds(
    Standing,
    fed=st.integers(8_000, 40_000),
    heard=st.integers(0, 8_000),
    waiting_since=st.floats(0, 100),
    finished=st.booleans(),
    busy=st.booleans(),
)
crowds = st.dictionaries(st.integers(0, 20), standings)


def fresh(fed: int = EVERY, since: float = 0.0) -> Standing:
    return Standing(fed=fed, heard=0, waiting_since=since)


def test_without_turns_there_is_nothing_to_do() -> None:
    assert choose({}, EVERY) is None


def test_a_partial_is_due_once_enough_new_audio_came() -> None:
    assert choose({"a": fresh(fed=EVERY - 1)}, EVERY) is None
    assert choose({"a": fresh(fed=EVERY)}, EVERY) == "a"
    assert choose({"a": Standing(fed=3 * EVERY - 1, heard=2 * EVERY, waiting_since=0)}, EVERY) is None


def test_a_partial_over_more_than_one_window_is_nobodys_due() -> None:
    endless = fresh(fed=29 * 16_000)

    assert choose({"a": endless}, EVERY) is None
    assert choose({"a": replace(endless, finished=True)}, EVERY) == "a"


def test_a_turn_is_heard_by_one_partial_pass_at_a_time() -> None:
    assert choose({"a": replace(fresh(), busy=True)}, EVERY) is None


def test_a_final_waits_neither_for_more_audio_nor_for_its_own_partial() -> None:
    finished = Standing(fed=100, heard=100, waiting_since=0, finished=True, busy=True)

    assert choose({"a": finished}, EVERY) == "a"


def test_finals_go_first_and_the_oldest_of_them_before_the_others() -> None:
    turns = {
        "stale partial": fresh(since=1),
        "later final": replace(fresh(since=3), finished=True),
        "earlier final": replace(fresh(since=2), finished=True),
    }

    assert choose(turns, EVERY) == "earlier final"


@given(crowds)
def test_no_partial_goes_before_any_final(turns: dict[int, Standing]) -> None:
    chosen = choose(turns, EVERY)

    if any(standing.finished for standing in turns.values()):
        assert chosen is not None
        assert turns[chosen].finished


@given(crowds)
def test_whoever_is_chosen_waited_longest_among_equals(turns: dict[int, Standing]) -> None:
    chosen = choose(turns, EVERY)

    if chosen is not None:
        due = [s for s in turns.values() if s.finished or (not s.busy and s.fed - s.heard >= EVERY)]
        equals = [s.waiting_since for s in due if s.finished == turns[chosen].finished]
        assert turns[chosen].waiting_since == min(equals)


@given(st.lists(st.integers(EVERY, 48 * EVERY // 36), min_size=1, max_size=12))
def test_no_talker_starves_however_fast_the_others_talk(paces: list[int]) -> None:
    turns = {turn: fresh(fed=0) for turn in range(len(paces))}

    served = []
    for now in range(1, 3 * len(paces) + 1):
        turns = {turn: replace(s, fed=s.fed + paces[turn]) for turn, s in turns.items()}
        chosen = choose(turns, EVERY)
        assert chosen is not None
        served.append(chosen)
        turns[chosen] = replace(turns[chosen], heard=turns[chosen].fed, waiting_since=now)

    assert [served.count(turn) for turn in turns] == [3] * len(paces)
