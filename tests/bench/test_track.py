import base64
import json
from dataclasses import replace

from realtime_asr.bench.plan import Plan
from realtime_asr.bench.speech import Clip, Spoken
from realtime_asr.bench.track import Track, tracks
from tests.fakes import speech

PLAN = Plan(
    "ws://localhost/v1", turns=2, warmup_turns=1, turn_seconds=0, pause_seconds=1, chunk_ms=40, streams=3
)
CLIP = Clip(Spoken("hello", 0.0, 1.01), speech(1.01))


def pcm(track: Track) -> bytes:
    return b"".join(base64.b64decode(json.loads(frame)["audio"]) for frame in track.frames)


def test_a_stream_says_its_turns_with_pauses_between_them() -> None:
    [track, *_] = tracks(PLAN, [CLIP])
    audio = pcm(track)

    assert len(track.turns) == 3
    for turn in track.turns:
        first, last = round(turn.start * 24_000), round(turn.end * 24_000)
        assert CLIP.pcm == audio[2 * first : 2 * last]
        assert bytes(24_000) == audio[2 * last + 1920 : 2 * last + 1920 + 24_000]


def test_every_chunk_is_as_long_as_the_plan_says() -> None:
    for track in tracks(PLAN, [CLIP]):
        lengths = {len(json.loads(frame)["audio"]) for frame in (*track.frames, track.silence)}

        assert {40 * 24 * 2 * 4 // 3} == lengths


def test_a_turn_is_over_with_the_chunk_that_holds_its_last_sound() -> None:
    for track in tracks(PLAN, [CLIP]):
        for turn, end in zip(track.turns, sorted(track.ends), strict=True):
            assert 0 <= end * 0.04 - turn.end < 0.041


def test_streams_begin_at_different_times_and_speech_anywhere_in_a_chunk() -> None:
    planned = tracks(PLAN, [CLIP])

    assert len({track.begins_after for track in planned}) == 3
    assert len({round(turn.start % 0.04, 4) for track in planned for turn in track.turns}) > 3


def test_the_same_seed_says_the_same_again() -> None:
    assert tracks(PLAN, [CLIP]) == tracks(PLAN, [CLIP])
    assert tracks(PLAN, [CLIP]) != tracks(replace(PLAN, seed=1), [CLIP])


def test_a_stream_of_so_many_seconds_says_as_many_turns_as_it_takes() -> None:
    [track, *_] = tracks(replace(PLAN, seconds=10), [CLIP])

    assert len(track.turns) == 5
    assert 10 <= len(track.frames) * 0.04 < 12.2


def test_a_stream_of_a_moment_still_says_a_turn_that_counts() -> None:
    [track, *_] = tracks(replace(PLAN, seconds=0.1), [CLIP])

    assert len(track.turns) == 2


def test_silent_streams_come_last_and_say_nothing() -> None:
    planned = tracks(replace(PLAN, silent_streams=2), [CLIP])

    assert [3, 3, 3, 0, 0] == [len(track.turns) for track in planned]
    assert ((), b"") == (planned[-1].frames, pcm(planned[-1]))
