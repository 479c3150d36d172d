"""Segments one can read along, and files of them that strict readers take."""

from datetime import timedelta
from html import unescape

import pytest
import srt as strict_srt
import webvtt as strict_vtt
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.timeline import RATE, samples
from realtime_asr.transcript import captions
from realtime_asr.transcript.captions import Segment, segments, srt, vtt
from realtime_asr.transcript.hypothesis import Quality, Word, joined

SHORT = samples(300)


def spoken(text: str, *, pause_after: str = "", word: int = SHORT) -> list[Word]:
    """Each word as long as the others, with a second of silence after one of them."""
    at, words = 0, []
    for each in text.split():
        words.append(Word(f" {each}", start=at, end=at + word))
        at += word + (RATE if each == pause_after else 0)
    return words


def texts(words: list[Word]) -> list[str]:
    return [segment.text for segment in segments(words)]


# Segments


def test_where_nothing_was_said_there_is_no_segment() -> None:
    assert [] == segments([])


def test_a_segment_knows_its_words_their_times_and_their_quality() -> None:
    words, quality = spoken("Good morning."), Quality(temperature=0.2)

    assert [Segment(0, 2 * SHORT, " Good morning.", tuple(words), quality)] == segments(words, quality)


def test_each_sentence_is_a_segment() -> None:
    assert [" Wait here.", " Why?", " The door is open… It is cold"] == texts(
        spoken("Wait here. Why? The door is open… It is cold")
    )


def test_a_full_stop_may_stand_alone() -> None:
    words = [Word(" Quoi", start=0, end=1), Word(" ?", start=1, end=2), Word(" Rien", start=2, end=3)]

    assert [" Quoi ?", " Rien"] == texts(words)


@pytest.mark.parametrize("text", ["This is Dr. Who", "We ate apples etc. and left", "It costs 3.5 dollars"])
def test_a_full_stop_within_a_sentence_ends_none(text: str) -> None:
    assert [f" {text}"] == texts(spoken(text))


def test_after_a_pause_any_full_stop_ends_a_sentence() -> None:
    assert [" I said No.", " Who asked?"] == texts(spoken("I said No. Who asked?", pause_after="No."))


def test_what_is_too_long_to_read_is_cut_into_equal_shares() -> None:
    words = spoken(" ".join(["telephone"] * 12), word=samples(100))

    assert [6, 6] == [len(segment.words) for segment in segments(words)]


def test_what_lasts_too_long_is_cut_too() -> None:
    words = spoken("a b c d e f g h", word=RATE)

    assert [4, 4] == [len(segment.words) for segment in segments(words)]


@pytest.mark.parametrize("place", ["four,", "four"])
def test_a_long_sentence_is_cut_at_a_mark_or_a_pause(place: str) -> None:
    text = f"one two three {place} five six seven eight nine ten eleven"
    pause = "" if place.endswith(",") else place

    first, *_ = segments(spoken(text, pause_after=pause, word=samples(800)))

    assert f" one two three {place}" == first.text


def test_a_word_of_any_length_is_not_cut() -> None:
    words = spoken("so " + "very" * 40 + " long")

    assert [" so", " " + "very" * 40, " long"] == texts(words)


timed = st.tuples(
    st.text("ab.,?A", min_size=1, max_size=30),
    st.integers(0, 3 * RATE),
    st.integers(0, 2 * RATE),
)


@given(st.lists(timed, max_size=60))
def test_nothing_is_lost_and_nothing_is_too_long_to_read(spoken: list[tuple[str, int, int]]) -> None:
    at, words = 0, []
    for text, length, pause in spoken:
        words.append(Word(f" {text}", start=at, end=at + length))
        at += length + pause

    cut = segments(words)

    assert joined(words) == "".join(segment.text for segment in cut)
    assert words == [word for segment in cut for word in segment.words]
    for segment in cut:
        fits = segment.end - segment.start <= 7 * RATE and len(segment.text) <= 84
        assert fits or len(segment.words) == 1


def test_time_is_counted_as_everywhere() -> None:
    assert RATE == captions._RATE


# Files

CUES = [
    Segment(samples(500), samples(2_250), " Good morning."),
    Segment(samples(3_600_000), samples(3_661_001), " An hour <later>, 1 --> 2 & so on:\n\nbye."),
]


def test_subrip_is_written_as_everybody_writes_it() -> None:
    assert (
        "1\n00:00:00,500 --> 00:00:02,250\nGood morning.\n\n"
        "2\n01:00:00,000 --> 01:01:01,001\nAn hour <later>, 1 --> 2 & so on: bye.\n\n"
    ) == srt(CUES)


def test_webvtt_is_written_as_the_standard_wants_it() -> None:
    assert (
        "WEBVTT\n\n00:00:00.500 --> 00:00:02.250\nGood morning.\n\n"
        "01:00:00.000 --> 01:01:01.001\nAn hour &lt;later&gt;, 1 --&gt; 2 &amp; so on: bye.\n\n"
    ) == vtt(CUES)


def test_where_nothing_was_said_there_are_no_cues() -> None:
    silent = [Segment(0, RATE, " \n ")]

    assert ("", "WEBVTT\n\n") == (srt(silent), vtt(silent))


def test_cues_follow_each_other_and_last_some_time() -> None:
    crossed = [Segment(0, RATE, "one"), Segment(RATE // 2, RATE // 2, "two"), Segment(RATE, RATE, "three")]

    cues = [(cue.start, cue.end) for cue in strict_srt.parse(srt(crossed))]

    assert [(0, 1_000), (1_000, 1_001), (1_001, 1_002)] == [
        tuple(time / timedelta(milliseconds=1) for time in cue) for cue in cues
    ]


readable = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\n<>&-\t"),
    max_size=40,
)
any_segments = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), readable), max_size=8).map(
    lambda found: [Segment(start, start + length, text) for start, length, text in sorted(found)]
)


@given(any_segments)
def test_strict_readers_find_the_same_texts_and_times(said: list[Segment]) -> None:
    told = [" ".join(segment.text.split()) for segment in said]
    told = [text for text in told if text]

    subtitles = list(strict_srt.parse(srt(said)))
    cues = strict_vtt.from_string(vtt(said)).captions

    assert told == [subtitle.content for subtitle in subtitles]
    assert told == [unescape(cue.raw_text) for cue in cues]
    times = [(subtitle.start, subtitle.end) for subtitle in subtitles]
    assert [(cue.start, cue.end) for cue in cues] == [tuple(map(clock, each)) for each in times]
    assert all(start < end for start, end in times)
    assert sorted(times) == times


def clock(time: timedelta) -> str:
    return str(strict_srt.timedelta_to_srt_timestamp(time)).replace(",", ".")
