"""The buffer against the plainest model there is: one array of everything ever heard."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.audio.timeline import Samples


class AgainstOneArray(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.buffer = AudioBuffer()
        self.heard: Samples = np.empty(0, np.float32)
        self.forgotten = 0

    @rule(length=st.one_of(st.integers(0, 700), st.integers(0, 20_000)))
    def append(self, length: int) -> None:
        samples = np.arange(len(self.heard), len(self.heard) + length, dtype=np.float32)
        self.buffer.append(samples)
        self.heard = np.concatenate([self.heard, samples])

    @rule(back=st.one_of(st.integers(-100, 700), st.integers(-100, 30_000)))
    def forget(self, back: int) -> None:
        position = len(self.heard) - back
        self.buffer.forget_before(position)
        self.forgotten = max(self.forgotten, min(position, len(self.heard)))

    @rule(data=st.data())
    def slice(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(self.forgotten, len(self.heard)))
        stop = data.draw(st.integers(start, len(self.heard)))

        assert np.array_equal(self.heard[start:stop], self.buffer.slice(start, stop))

    @invariant()
    def holds_what_is_not_forgotten(self) -> None:
        assert (self.forgotten, len(self.heard)) == (self.buffer.start, self.buffer.end)
        assert np.array_equal(
            self.heard[self.forgotten :], self.buffer.slice(self.forgotten, self.buffer.end)
        )


TestAgainstOneArray = AgainstOneArray.TestCase


def test_a_slice_is_a_copy_that_later_audio_does_not_change() -> None:
    buffer = AudioBuffer()
    buffer.append(np.ones(8, np.float32))
    taken = buffer.slice(0, 8)

    taken[:] = 0

    assert np.array_equal(np.ones(8, np.float32), buffer.slice(0, 8))


def test_memory_stays_bounded_however_long_a_session_lasts() -> None:
    buffer = AudioBuffer()

    for _ in range(2_000):
        buffer.append(np.zeros(512, np.float32))
        buffer.forget_before(buffer.end - 16_000)

    assert len(buffer._store) < 10 * 16_000


def test_room_grows_by_an_eighth_more_than_is_needed() -> None:
    buffer = AudioBuffer()

    buffer.append(np.zeros(80_000, np.float32))

    assert 90_000 == len(buffer._store)


def test_what_is_forgotten_is_given_back_once_it_is_half_as_much_as_what_is_kept() -> None:
    buffer = AudioBuffer()
    buffer.append(np.zeros(20_000, np.float32))
    before = len(buffer._store)

    buffer.forget_before(6_600)
    little = len(buffer._store)
    buffer.forget_before(6_800)
    more = len(buffer._store)

    assert (before, 13_200 * 9 // 8) == (little, more)


@pytest.mark.parametrize(("start", "stop"), [(0, 8), (4, 9), (7, 6)])
def test_what_is_not_there_cannot_be_taken(start: int, stop: int) -> None:
    buffer = AudioBuffer()
    buffer.append(np.zeros(8, np.float32))
    buffer.forget_before(4)

    with pytest.raises(AssertionError):
        buffer.slice(start, stop)
