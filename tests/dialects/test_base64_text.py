import base64
import binascii
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.dialects.base64_text import decoded, decoded_leniently

AUDIO: Final = bytes(range(256)) * 3_000
"""More than is decoded at once."""


@given(st.binary(max_size=50))
def test_what_was_encoded_is_decoded(data: bytes) -> None:
    assert data == decoded(base64.b64encode(data).decode())


@given(st.text("Az/+=-", max_size=9))
def test_what_is_no_base64_is_refused_as_python_would(text: str) -> None:
    try:
        expected = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  it has nothing to say
            decoded(text)
    else:
        # But for Python's taste in padding.
        assert expected == decoded(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def test_how_long_a_text_is_does_not_matter() -> None:
    assert AUDIO == decoded(base64.b64encode(AUDIO).decode())


@pytest.mark.parametrize("at", [256 * 1024, 300_000, 400_000])
@pytest.mark.parametrize("wrong", ["====", "AA==", "ü===", "\n\n\n\n"])
def test_what_is_wrong_far_inside_is_noticed(at: int, wrong: str) -> None:
    text = base64.b64encode(AUDIO).decode()

    with pytest.raises(ValueError):  # noqa: PT011  as above
        decoded(text[:at] + wrong + text[at:])


@pytest.mark.parametrize("start", ["", "data:audio/wav;base64,", "data:;base64,\r\n"])
def test_lines_and_data_urls_are_fine_where_we_are_lenient(start: str) -> None:
    lines = base64.encodebytes(AUDIO).decode().replace("\n", " \t\r\n")

    assert AUDIO == decoded_leniently(start + lines)


@pytest.mark.parametrize("text", ["!!!!", "data:audio/wav,AAAA", "AAA", "AAAA\u2028", "data:;base64,AAA"])
def test_even_lenient_decoding_has_limits(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  as above
        decoded_leniently(text)
