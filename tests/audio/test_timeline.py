"""Samples and milliseconds, there and back."""

from realtime_asr.audio.timeline import RATE, WINDOW, milliseconds, samples, seconds


def test_a_window_is_32_milliseconds() -> None:
    assert milliseconds(WINDOW) == 32


def test_milliseconds_become_whole_samples() -> None:
    assert [samples(ms) for ms in (0, 1, 0.04, 1000)] == [0, 16, 1, RATE]


def test_a_position_inside_a_millisecond_belongs_to_it() -> None:
    assert [milliseconds(position) for position in (15, 16, 31)] == [0, 1, 1]


def test_lengths_in_seconds_keep_their_fraction() -> None:
    assert seconds(RATE + RATE // 2) == 1.5
