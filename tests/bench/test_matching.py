from realtime_asr.bench.facts import Commit, Heard
from realtime_asr.bench.matching import exchanges
from tests.bench.examples import detected, heard, recorded, said

HELLO, WORLD, AGAIN = said("hello you", at=1), said("big world", at=5), said("once more", at=9)


def texts(*told: Heard, **more: object) -> list[tuple[tuple[str, ...], str]]:
    """What was said and what was understood, of each exchange."""
    recording = recorded(HELLO, WORLD, AGAIN, heard=told, **more)  # type: ignore[arg-type]
    return [(tuple(turn.text for turn in each.turns), each.text) for each in exchanges(recording)]


def test_each_turn_is_answered_by_the_item_of_its_audio_whenever_it_comes() -> None:
    told = texts(
        *detected("b", 4.7, 6.5, at=20),
        *detected("a", 0.7, 2.5),
        heard(21, "completed", "b", "big world"),
        heard(22, "completed", "a", "hello you"),
    )

    assert [(("hello you",), "hello you"), (("big world",), "big world"), (("once more",), "")] == told


def test_a_turn_cut_in_two_is_one_exchange() -> None:
    told = texts(
        *detected("a", 0.7, 1.4),
        heard(2, "completed", "a", "hello"),
        *detected("b", 1.4, 2.5),
        heard(3, "completed", "b", "you"),
    )

    assert (("hello you",), "hello you") == told[0]


def test_two_turns_made_into_one_are_one_exchange() -> None:
    told = texts(
        *detected("a", 0.7, 6.5), heard(7, "completed", "a", "hello you big world"), *detected("b", 8.7, 10.5)
    )

    assert [(("hello you", "big world"), "hello you big world"), (("once more",), "")] == told


def test_speech_heard_where_nobody_spoke_answers_no_turn() -> None:
    told = texts(*detected("a", 3.0, 3.5), heard(4, "completed", "a", "thank you"))

    assert ((), "thank you") == told[-1]


def test_without_times_of_audio_an_item_answers_the_turn_begun_last_when_it_was_told_of() -> None:
    told = texts(
        heard(1.2, "speech_started", "a"),
        heard(6.5, "committed", "b"),
        heard(7.0, "completed", "a", "hello you"),
        heard(7.1, "completed", "b", "big world"),
    )

    assert [(("hello you",), "hello you"), (("big world",), "big world")] == told[:2]


def test_what_is_told_before_anybody_spoke_answers_no_turn() -> None:
    assert ((), "hm") == texts(heard(0.5, "completed", "a", "hm"))[-1]
    assert ((), "") == texts(heard(5.5, "delta", "a", "hm"))[-1]


def test_what_the_client_commits_is_answered_in_order_but_for_what_was_refused() -> None:
    commits = (Commit(2.1, "one"), Commit(6.1, "two"), Commit(10.1, "three"))
    recording = recorded(
        HELLO,
        WORLD,
        AGAIN,
        commits=commits,
        heard=(
            heard(2.2, "error", "one", "input_audio_buffer_commit_empty"),
            heard(12.0, "committed", "b"),
            heard(12.1, "completed", "b", "big world"),
            heard(12.2, "committed", "c"),
            heard(12.3, "failed", "c", "server_error"),
        ),
    )

    hello, world, again = exchanges(recording)

    assert ((), [6.1], [10.1]) == (
        hello.items,
        [item.committed_at for item in world.items],
        [item.committed_at for item in again.items],
    )
    assert [False, True, False] == [each.is_answered for each in (hello, world, again)]


def test_turns_that_a_broken_stream_did_not_get_to_say_are_not_asked_for() -> None:
    assert [("hello you",), ("big world",)] == [turns for turns, _ in texts(sent=5.5)]


def test_a_silent_stream_has_no_exchange() -> None:
    assert [] == exchanges(recorded())
