"""CTranslate2's file, read without it."""

import struct
from pathlib import Path

import numpy as np
import pytest

from benchmarks.random_whisper import make
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.openvino.weights import read_weights


def test_all_weights_are_there_with_their_shapes() -> None:
    weights = read_weights(BUNDLED / "model.bin")

    assert (2493, 192) == weights["decoder/embeddings/weight"].shape
    assert (576, 192) == weights["encoder/layer_0/self_attention/linear_0/weight"].shape
    assert 4 == weights["decoder/num_heads"]


def test_one_array_may_have_two_names() -> None:
    weights = read_weights(BUNDLED / "model.bin")

    assert weights["decoder/projection/weight"] is weights["decoder/embeddings/weight"]
    assert weights["decoder/projection/weight_scale"] is weights["decoder/embeddings/weight_scale"]


@pytest.mark.parametrize(
    ("quantization", "kind"), [("int8", np.int8), ("float16", np.float16), ("float32", np.float32)]
)
def test_numbers_are_of_the_kind_they_are_stored_in(tmp_path: Path, quantization: str, kind: type) -> None:
    make("micro", tmp_path, quantization=quantization)

    assert kind == read_weights(tmp_path / "model.bin")["decoder/embeddings/weight"].dtype


def _one_array(kind: int) -> bytes:
    start = struct.pack("<IH2sII", 6, 2, b"a\0", 1, 1)
    return start + struct.pack("<H2sBIBIH", 2, b"b\0", 1, 1, kind, 2, 0) + struct.pack("<I", 0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty file"),
        (b"\x05\x00\x00\x00", "has the version 5, and 6 is understood"),
        ((BUNDLED / "model.bin").read_bytes()[:100_000], "cut off"),
        (_one_array(kind=5), "numbers of a kind, such as bfloat16, .* convert again"),
    ],
)
def test_a_file_that_is_not_understood_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=says):
        read_weights(path)
