import json
from typing import Final

import jiter
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.dialects import json_text
from realtime_asr.dialects.json_text import LARGEST, MOST_VALUES, TooLarge, read_json

LONG: Final = 16 * 1024
AUDIO: Final = "AAA/" * LARGEST
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXTS: Final = {
    "plain": "x" * 3 * LONG,
    "foreign": "ü" * LONG,
    "escaped": "\n" * LONG,
    "quoting": 'say "hi", ' * 1_000,
    "ends in a quote": "x" * 2 * LONG + '"',
    "begins with one": '"' + "x" * 2 * LONG,
    "begins as what follows": ", " + "x" * 2 * LONG,
    "audio": AUDIO,
}


def written(value: object, *, ascii: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii).encode()


@given(JSON)
def test_what_is_json_is_read(value: object) -> None:
    assert value == read_json(written(value))


@given(value=JSON, names=st.lists(st.sampled_from(sorted(TEXTS)), max_size=4), ascii=st.booleans())
def test_what_is_long_is_read_as_what_is_short(*, value: object, names: list[str], ascii: bool) -> None:
    sent = {"audio": AUDIO, "more": [value, *({"text": TEXTS[name]} for name in names)]}

    assert sent == read_json(written(sent, ascii=ascii))


@pytest.mark.parametrize("audio", ["AAA/" * LARGEST, "AAAA\n" * LARGEST, "data:audio/wav;base64," + AUDIO])
def test_long_base64_may_have_escapes(audio: str) -> None:
    escaped = written({"audio": audio}).replace(b"/", b"\\/")

    assert {"audio": audio} == read_json(escaped)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":1}',
        b'[{"a":{"b":[],"b":[]}}]',
        b'{"a":NaN}',
        b"[-Infinity]",
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\xff"',
        b"9" * 5_000,
        b"[" * 202 + b"]" * 202,
        b"[" * 200_000,
        b'{"a":"\n"}',
    ],
)
def test_what_has_more_than_one_reading_or_none_is_refused(text: bytes) -> None:
    audio = b',"audio":"' + AUDIO.encode() + b'"}'

    for whole in (text, b'{"x":' + text + audio):
        with pytest.raises(ValueError, match=" "):
            read_json(whole)


def test_of_two_keys_that_are_the_same_the_name_is_told_but_not_all_of_a_long_one() -> None:
    key = "k" * 10_000

    with pytest.raises(ValueError, match="kkk") as refused:
        read_json(f'{{"{key}":1,"{key}":2}}'.encode())

    assert len(str(refused.value)) <= 200


@pytest.mark.parametrize("value", [b"[],", b"{},", b"1,", b'"",', b'"e",'])
def test_more_values_than_anybody_needs_are_refused_before_they_are_parsed(value: bytes) -> None:
    """What comes after them is no JSON, and nobody noticed."""
    with pytest.raises(ValueError, match="more than 10000 values"):
        read_json(b"[" + value * (MOST_VALUES + 1) + b"nonsense")


def test_so_many_keys_as_values_are_fine() -> None:
    assert MOST_VALUES == len(read_json(written(dict.fromkeys(map(str, range(MOST_VALUES))))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"x","a":[' + b"[]," * LARGEST + b"0]}",
        b'{"a":"' + AUDIO.encode() + b'","b":[' + b"[]," * LARGEST + b"0]}",
        b'{"a":[' + b'"e",' * LARGEST + b'"e"]}',
        b'{"a":' * LARGEST + b"1" + b"}" * LARGEST,
        b"[" + b" " * LARGEST + b"]",
        b'{"a":"b"' + b" " * LARGEST + b"}",
        b'{"a":' + b"9" * LARGEST + b"}",
        b"x" * (LARGEST + 1),
        b'{"a":"' + b"x" * LARGEST,
        b'{"a":"' + b"x" * LARGEST + b'\\"',
        b'{"' + b"k" * LARGEST + b'":1}',
        b'{"a":"' + b'\\"' * LARGEST + b'"}',
        b'{"a":"' + "ü".encode() * LARGEST + b'"}',
        b'{"a":"' + b"\\u0041" * 1_000_001 + b'"}',
    ],
    ids=map(str, range(14)),
)
def test_what_is_large_and_no_base64_is_refused_before_it_is_parsed(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def parse(text: bytes) -> object:
        parsed.append(text)
        return jiter.from_json(text)

    monkeypatch.setattr(json_text, "_from_json", parse)

    with pytest.raises(TooLarge, match="more than"):
        read_json(text)

    assert [] == [each for each in parsed if len(each) > LARGEST and not is_one_text(each)]


def is_one_text(parsed: bytes) -> bool:
    return parsed.startswith(b'"') and parsed.count(b'"') == 2
