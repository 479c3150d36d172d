import json
import random
import wave
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from realtime_asr.bench.plan import BadPlan
from realtime_asr.bench.speech import SHIPPED, Clip, Spoken, Word, clips, quiet, turns
from realtime_asr.bench.words import plain
from tests.bench.examples import said
from tests.fakes import silence, speech

BREATH = (30, 100)


def write(path: Path, pcm: bytes, *, rate: int = 24_000, channels: int = 1, sample_bytes: int = 2) -> None:
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(sample_bytes)
        recording.setframerate(rate)
        recording.writeframes(pcm)


def clip(text: str, seconds: float) -> Clip:
    return Clip(said(text, at=0.0, word_seconds=seconds), quiet(seconds))


# Clips


def test_the_clips_that_ship_say_when_each_word_is_spoken() -> None:
    shipped = clips()

    assert len(shipped) == 10
    for each in shipped:
        assert plain(each.spoken.text) == plain(" ".join(word.word for word in each.spoken.words))
        times = [time for word in each.spoken.words for time in (word.start, word.end)]
        assert sorted(times) == times
        assert 2 <= each.seconds <= 4
        assert abs(each.seconds - times[-1]) < 0.001
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 1_600_000


def test_ones_own_recordings_have_their_text_beside_them(tmp_path: Path) -> None:
    write(tmp_path / "hello.wav", silence(0.5) + speech(1.0) + silence(0.5))
    (tmp_path / "hello.txt").write_text("Hello\nyou.\n")

    [own] = clips(tmp_path)

    assert ("Hello you.", ()) == (own.spoken.text, own.spoken.words)
    assert (0.5, 1.5) == (round(own.spoken.start, 2), round(own.spoken.end, 2))


def test_word_times_may_lie_beside_a_recording_too(tmp_path: Path) -> None:
    write(tmp_path / "hello.wav", speech(1.0))
    (tmp_path / "hello.txt").write_text("Hello.")
    words = {"words": [{"word": "Hello.", "start": 0.1, "end": 0.9}]}
    (tmp_path / "hello.json").write_text(json.dumps(words))

    [own] = clips(tmp_path)

    assert Spoken("Hello.", 0.1, 0.9, (Word("Hello.", 0.1, 0.9),)) == own.spoken


def test_recordings_of_another_rate_and_in_stereo_are_converted(tmp_path: Path) -> None:
    both = np.repeat(np.frombuffer(speech(1.0, 48_000), np.int16), 2).tobytes()
    write(tmp_path / "hello.wav", both, rate=48_000, channels=2)
    (tmp_path / "hello.txt").write_text("Hello.")

    [own] = clips(tmp_path)

    assert 1.0 == pytest.approx(own.seconds, abs=0.001)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no NAME.wav"),
        ({"a.wav": b"RIFF"}, "has to be in"),
        ({"a.wav": b"RIFF", "a.txt": b"a"}, "cannot be read"),
        ({"a.wav": b"", "a.txt": b"a"}, "cannot be read"),
    ],
    ids=["nothing there", "no text", "no recording", "empty"],
)
def test_a_folder_that_will_not_do_is_refused(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    with pytest.raises(BadPlan, match=why):
        clips(tmp_path)


@pytest.mark.parametrize(
    ("pcm", "sample_bytes", "why"), [(silence(0.1), 2, "nothing is to be heard"), (b"abc", 1, "no 16-bit")]
)
def test_a_recording_that_will_not_do_is_refused(
    tmp_path: Path, pcm: bytes, sample_bytes: int, why: str
) -> None:
    write(tmp_path / "a.wav", pcm, sample_bytes=sample_bytes)
    (tmp_path / "a.txt").write_text("a")

    with pytest.raises(BadPlan, match=why):
        clips(tmp_path)


# Turns


def test_a_turn_is_clips_until_it_is_about_as_long_as_asked() -> None:
    three = [clip(text, 3.0) for text in ("one", "two", "three")]

    made = list(islice(turns(three, 5, random.Random(1), BREATH), 20))

    assert {2} == {len(turn.spoken.words) for turn in made}
    assert all(6.0 < turn.seconds < 6.11 for turn in made)
    assert all(turn.spoken.end == pytest.approx(turn.seconds) for turn in made)


def test_between_clips_there_is_a_breath_as_long_as_asked_and_words_keep_their_times() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(1000, 2000, 24_000, np.int16).tobytes()
    one = Clip(Spoken("one", 0.25, 0.75, (Word("one", 0.25, 0.75),)), noise)

    made = list(islice(turns([one, one], 3, random.Random(1), (200, 450)), 20))

    for turn in made:
        first, second = turn.spoken.words[:2]
        breath = second.start - first.end - 0.5
        after = round((first.end + 0.25) * 24_000)
        assert 0.2 <= breath <= 0.45
        assert not np.frombuffer(turn.pcm, np.int16)[after : after + round(breath * 24_000)].any()
        assert noise == turn.pcm[2 * round((second.start - 0.25) * 24_000) :][: len(noise)]
    assert len({turn.seconds for turn in made}) > 10


def test_a_turn_of_no_length_is_one_clip() -> None:
    assert {"hello"} == {
        turn.spoken.text for turn in islice(turns([clip("hello", 1.0)], 0, random.Random(1), BREATH), 5)
    }


def test_every_clip_is_said_before_one_is_said_again() -> None:
    three = [clip(text, 1.0) for text in ("one", "two", "three")]

    first = {turn.spoken.text for turn in islice(turns(three, 0, random.Random(1), BREATH), 3)}

    assert {"one", "two", "three"} == first


def test_beside_words_without_times_the_times_of_others_are_of_no_use() -> None:
    timed, untimed = clip("one", 1.0), Clip(Spoken("two", 0.0, 1.0), quiet(1.0))

    turn = next(turns([timed, untimed], 2, random.Random(1), BREATH))

    assert () == turn.spoken.words
