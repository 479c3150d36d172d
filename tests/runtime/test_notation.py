import json
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.runtime.notation import meant, noted, sketched
from realtime_asr.session.commands import AppendAudio, ClearAudio, Command
from realtime_asr.session.config import SessionConfig
from realtime_asr.session.effects import FeedTurn
from realtime_asr.session.events import ItemRetrieved
from tests.fakes import tone

COMMANDS = st.one_of(*map(st.from_type, get_args(Command)))


@given(st.one_of(COMMANDS, st.from_type(SessionConfig)))
def test_what_enters_a_session_is_read_as_it_was_written(thing: object) -> None:
    # As text, nothing that is no number is unlike itself.
    assert repr(thing) == repr(meant(json.loads(json.dumps(noted(thing)))))


def test_answers_are_read_as_they_were_written() -> None:
    answers = [0.25, None, "tiny", frozenset({"de", "en"})]

    assert tuple(answers) == meant(json.loads(json.dumps(noted(answers))))


def test_samples_are_read_bit_for_bit() -> None:
    samples = tone(1000)

    read = meant(json.loads(json.dumps(noted(samples))))

    assert samples.dtype == read.dtype
    assert np.array_equal(samples, read)


def test_of_audio_that_comes_out_only_the_fingerprint_is_kept() -> None:
    fed = [sketched(FeedTurn("item_1", tone(1000, rate), 1.0)) for rate in (8_000, 8_000, 16_000)]
    retrieved = sketched(ItemRetrieved("item_1", None, bytes(9)))

    assert fed[0] == fed[1] != fed[2]
    assert 9 == retrieved["audio"]["length"]
    assert len(json.dumps(fed[0])) < 200


def test_what_no_session_knows_is_not_written() -> None:
    with pytest.raises(TypeError, match="No session knows a complex"):
        noted(AppendAudio(b"", ref=1j))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "note",
    [{}, {"is": "Popen", "args": "ls"}, {"is": "ClearAudio", "colour": "red"}, {"is": "audio", "bytes": "§"}],
)
def test_what_was_never_written_is_not_read(note: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        meant(note)


def test_what_is_left_out_is_as_it_is_by_itself() -> None:
    assert ClearAudio() == meant({"is": "ClearAudio"})
