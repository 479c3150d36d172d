"""Where a turn is split: the rule alone, without a session."""

import pytest

from realtime_asr.audio.timeline import WINDOW
from realtime_asr.session.excerpt import Excerpt
from realtime_asr.session.splitting import InPause, InSpeech, Splitter
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import limited, partial, tone

LIMITS = limited(longest_turn=40 * WINDOW, longest_manual_turn=60 * WINDOW)


@pytest.mark.parametrize(
    ("heard", "silent", "split"),
    [(19, 3, None), (20, 2, None), (20, 3, InPause(20 * WINDOW)), (40, 3, InPause(40 * WINDOW))],
)
def test_in_its_second_half_a_turn_ends_at_the_first_pause(
    heard: int, silent: int, split: InPause | None
) -> None:
    turn = _turn(voiced_until=(heard - silent) * WINDOW)

    assert split == Splitter(LIMITS).place(turn, heard * WINDOW, 0)


def test_a_turn_without_a_pause_ends_where_its_second_half_is_quietest() -> None:
    splitter = _heard(40, quietest=(10, 25))

    assert splitter.place(_turn(voiced_until=39 * WINDOW), 39 * WINDOW, 0) is None
    assert InSpeech(25 * WINDOW) == splitter.place(_turn(voiced_until=40 * WINDOW), 40 * WINDOW, 0)


def test_what_is_said_or_forgotten_already_is_not_split() -> None:
    splitter = _heard(40, quietest=(25, 30, 35))
    silent, talking = (_turn(voiced_until=40 * WINDOW) for _ in range(2))
    talking.said_before = 31 * WINDOW

    assert InSpeech(30 * WINDOW) == splitter.place(silent, 40 * WINDOW, 26 * WINDOW)
    assert InSpeech(35 * WINDOW) == splitter.place(talking, 40 * WINDOW, 0)


def test_a_turn_that_was_said_to_its_end_ends_there() -> None:
    turn = _turn(voiced_until=40 * WINDOW)
    turn.said_before = 41 * WINDOW

    assert InSpeech(40 * WINDOW) == _heard(40, quietest=(25,)).place(turn, 40 * WINDOW, 0)


def test_a_client_that_commits_by_itself_may_take_longer() -> None:
    turn = _turn(voiced_until=59 * WINDOW, announced=False)

    assert Splitter(LIMITS).place(turn, 59 * WINDOW, 0) is None
    assert InSpeech(60 * WINDOW) == Splitter(LIMITS).place(turn, 60 * WINDOW, 0)


@pytest.mark.parametrize(("after", "known"), [(0, "so it"), (16_000, "so it"), (16_001, None)])
def test_what_was_said_before_a_split_is_known_once_to_a_voice_that_follows_soon(
    after: int, known: str | None
) -> None:
    splitter, turn = Splitter(LIMITS), _turn(voiced_until=40 * WINDOW)
    for guess in ("so it", "so it goes"):
        turn.guess(partial(guess))

    splitter.place(turn, 40 * WINDOW, 0)

    assert [known, None] == [splitter.spoken_before(40 * WINDOW + after) for _ in range(2)]


def _turn(*, voiced_until: int, announced: bool = True) -> Turn:
    request = TurnRequest("whisper-1")
    return Turn("a", 0, request, announced, live=True, voiced_until=voiced_until, excerpt=Excerpt(0))


def _heard(windows: int, *, quietest: tuple[int, ...]) -> Splitter:
    """The later of the quietest windows are less quiet."""
    splitter = Splitter(LIMITS)
    for window in range(1, windows + 1):
        loudness = (quietest.index(window) + 1) / 10 if window in quietest else 1
        splitter.hear(loudness * tone(WINDOW), window * WINDOW)
    return splitter
