"""What an item tells of when things happened. A window lasts 32 ms."""

import pytest

from realtime_asr.audio.timeline import WINDOW, seconds
from realtime_asr.session.commands import AppendAudio, Begin, CommitAudio, HypothesisArrived
from realtime_asr.session.events import Timing, TranscriptCompleted
from realtime_asr.session.session import Output
from realtime_asr.transcript.hypothesis import Effort, Hypothesis
from tests.fakes import PCM16_16K, configured, final, limited, session, words
from tests.session.call import Call, loud, only, quiet

WINDOW_SECONDS = seconds(WINDOW)


def stream(call: Call, *payloads: bytes) -> list[Output]:
    """Each comes in when its last sample was spoken."""
    outputs: list[Output] = []
    for payload in payloads:
        call.now += seconds(len(payload) // 2)
        outputs += call.hear(payload)
    return outputs


def timing(outputs: list[Output]) -> Timing:
    [done] = only(TranscriptCompleted, outputs)
    assert done.timing is not None
    return done.timing


def approximately(*moments: float) -> tuple[object, ...]:
    return tuple(map(pytest.approx, moments))


def moments(told: Timing) -> tuple[float, float, float]:
    return told.speech_ended, told.committed, told.completed


@pytest.mark.parametrize(
    "chunks",
    [[loud(10) + quiet(7)], [loud(9), loud(1) + quiet(3), quiet(4)], [*[loud(1)] * 10, *[quiet(1)] * 7]],
    ids=["one", "three", "each window"],
)
def test_speech_ended_when_its_last_sample_came_in_however_audio_is_cut(chunks: list[bytes]) -> None:
    call = Call()

    stream(call, *chunks)
    call.now = 2.0
    done = call.answer("item_1", "so")

    assert approximately(10 * WINDOW_SECONDS, 17 * WINDOW_SECONDS, 2.0) == moments(timing(done))


def test_what_is_sent_faster_than_it_was_spoken_did_not_come_in_before_it_was_sent() -> None:
    call = Call()
    call.now = 4.0
    call.hear(quiet(1))
    call.now = 4.1

    call.hear(loud(10) + quiet(50))
    done = call.answer("item_1", "so")

    assert (4.0, 4.1, 4.1) == moments(timing(done))


def test_a_client_that_takes_its_time_to_commit_does_not_move_when_speech_ended() -> None:
    call = Call(chosen_detection=None)

    stream(call, loud(9) + loud(0.5))
    call.now = 5.0
    call.do(CommitAudio())
    done = call.answer("item_1", "so")

    speech_ended, *rest = moments(timing(done))
    assert [5.0, 5.0] == rest
    assert speech_ended == pytest.approx(9.5 * WINDOW_SECONDS, abs=WINDOW_SECONDS)


def test_where_nobody_spoke_speech_ended_with_the_commit() -> None:
    call = Call(chosen_detection=None)

    stream(call, quiet(10))
    call.now = 5.0
    done = call.do(CommitAudio())

    assert (5.0, 5.0, 5.0) == moments(timing(done))


def test_speech_that_is_split_ended_where_it_was_cut() -> None:
    call = Call(limited(longest_turn=40 * WINDOW, longest_manual_turn=60 * WINDOW))

    stream(call, *[loud(1)] * 45)
    first = timing(call.answer("item_1", "so"))
    stream(call, *[quiet(1)] * 7)
    rest = timing(call.answer("item_2", "it goes"))

    assert first.speech_ended < first.committed < rest.speech_ended < rest.committed
    assert rest.speech_ended == pytest.approx(45 * WINDOW_SECONDS)


def test_an_item_that_waits_for_the_one_before_was_complete_when_its_text_came() -> None:
    call = Call()
    stream(call, loud(10), quiet(7), loud(10), quiet(7))

    call.now = 3.0
    waiting = call.answer("item_2", "it goes")
    call.now = 4.0
    told = only(TranscriptCompleted, call.answer("item_1", "so"))

    assert waiting == []
    assert [4.0, 3.0] == [done.timing.completed for done in told if done.timing]


def test_what_it_cost_the_engine_is_passed_on() -> None:
    call, effort = Call(), Effort(waited=0.1, decoded=0.4, passes=2)

    stream(call, loud(10), quiet(7))
    done = call.do(HypothesisArrived("item_1", Hypothesis(words("so"), final=True, effort=effort)))

    assert effort == timing(done).effort


def test_speech_did_not_end_before_the_session_began() -> None:
    late = session(configured(format=PCM16_16K))
    late.receive(Begin(), 100.0)

    late.receive(AppendAudio(loud(10) + quiet(50)), 100.1)
    done = late.receive(HypothesisArrived("item_1", final("so")), 100.1)

    assert 100.0 == timing(done).speech_ended
