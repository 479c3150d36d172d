"""Exported graphs give live text what it needs, and say what they said before."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray

from realtime_asr.engines.openvino.fitting import let_windows_vary, open_up
from tests.engines.openvino.models import CORE, exported_by_optimum, exported_by_us, exported_in_steps

Arrays = dict[str, NDArray[Any]]
PRECISE = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
TOKENS = np.array([[980, 991, 5, 6, 7, 8]])
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module", params=[exported_by_optimum, exported_by_us])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    exported: Path = request.param(tmp_path_factory.mktemp("exported"))
    return exported


def graph(folder: Path, half: str) -> ov.Model:
    return CORE.read_model(folder / f"openvino_{half}_model.xml")


class Running:
    def __init__(self, graph: ov.Model) -> None:
        self._request = CORE.compile_model(graph, "CPU", PRECISE).create_infer_request()
        self._names = {name for port in graph.inputs for name in port.get_names()}

    def run(self, **inputs: NDArray[Any]) -> Arrays:
        asked = {name: value for name, value in inputs.items() if name in self._names}
        return {port.get_any_name(): value.copy() for port, value in self._request.infer(asked).items()}


def read(
    decoder: Running, heard: NDArray[Any], tokens: NDArray[Any], *, at: int = 0, rows: list[int], **more: Any
) -> Arrays:
    places = np.arange(at, at + tokens.shape[1])
    return decoder.run(
        input_ids=tokens,
        encoder_hidden_states=heard,
        beam_idx=np.array(rows, np.int32),
        cache_position=places,
        **{"asked": np.arange(len(places)), "watched": np.zeros(0, np.int64), **more},
    )


def opened(folder: Path, heads: Any = ((1, 0), (1, 1))) -> Running:
    decoder = graph(folder, "decoder")
    open_up(decoder, heads)
    return Running(decoder)


def heard_in(folder: Path, count: int = 1, length: int = 50) -> NDArray[np.float32]:
    port = graph(folder, "decoder").input("encoder_hidden_states")
    return RNG.standard_normal((count, length, port.get_partial_shape()[2].get_length()), np.float32)


# The encoder


def test_windows_of_30_s_are_heard_as_before(folder: Path) -> None:
    mel, encoder = RNG.standard_normal((1, 80, 3000), np.float32), graph(folder, "encoder")
    before = Running(encoder.clone()).run(input_features=mel)

    let_windows_vary(encoder)

    after = Running(encoder).run(input_features=mel)
    np.testing.assert_allclose(after["last_hidden_state"], before["last_hidden_state"], atol=1e-3)


@pytest.mark.parametrize("frames", [100, 675, 1500])
def test_shorter_windows_are_heard_too(folder: Path, frames: int) -> None:
    encoder = graph(folder, "encoder")

    let_windows_vary(encoder)

    heard = Running(encoder).run(input_features=np.zeros((2, 80, frames), np.float32))
    assert (2, -(-frames // 2)) == heard["last_hidden_state"].shape[:2]


# The decoder


def test_what_follows_is_as_likely_as_before(folder: Path) -> None:
    heard = heard_in(folder)
    before = read(Running(graph(folder, "decoder")), heard, TOKENS, rows=[0])["logits"]

    after = read(opened(folder), heard, TOKENS, rows=[0])["logits"]

    np.testing.assert_allclose(after, before, atol=1e-3)


def test_a_text_read_piece_by_piece_is_the_same(folder: Path) -> None:
    heard, decoder = heard_in(folder), opened(folder)
    whole = read(opened(folder), heard, TOKENS, rows=[0])["logits"]

    pieces = [
        read(decoder, heard, TOKENS[:, begin:end], at=begin, rows=[0])["logits"]
        for begin, end in pairwise([0, 3, 4, 6])
    ]

    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-2)


def test_only_what_is_asked_is_told(folder: Path) -> None:
    heard = heard_in(folder)
    whole = read(opened(folder), heard, TOKENS, rows=[0])["logits"]

    asked = read(opened(folder), heard, TOKENS, rows=[0], asked=np.array([1, 5]))["logits"]

    np.testing.assert_allclose(asked, whole[:, [1, 5]], atol=1e-3)


def test_rows_that_share_their_audio_go_on_as_each_would_alone(folder: Path) -> None:
    heard, decoder = heard_in(folder, 2), opened(folder)
    beginnings, ends = np.array([[980, 991], [980, 992]]), np.array([[3], [4], [5], [6]])
    rows = [0, 0, 1, 1]

    read(decoder, heard, beginnings, rows=[0, 1])
    together = read(decoder, heard, ends, at=2, rows=rows)["logits"]

    for number, row in enumerate(rows):
        alone = opened(folder)
        text = np.array([[*beginnings[row], *ends[number]]])
        single = read(alone, heard[[row]], text, rows=[0])["logits"]
        np.testing.assert_allclose(together[number, -1], single[0, -1], atol=1e-2)


def test_it_tells_where_the_heads_look(folder: Path) -> None:
    heard = heard_in(folder)

    looks = read(opened(folder), heard, TOKENS, rows=[0], watched=np.array([2, 3, 4]))["looks"]

    assert (1, 2, 3, 50) == looks.shape
    np.testing.assert_allclose(looks.sum(axis=3), 1, atol=1e-3)


def test_where_nobody_knows_the_heads_those_of_the_later_half_are_watched(folder: Path) -> None:
    heads = graph(folder, "decoder").get_ordered_ops()
    number = next(
        node.input_value(0).get_partial_shape()[1].get_length()
        for node in heads
        if node.get_type_name() == "ScaledDotProductAttention"
    )

    looks = read(opened(folder, ()), heard_in(folder), TOKENS, rows=[0], watched=np.array([0]))["looks"]

    assert number == looks.shape[1]


def test_watching_nothing_is_no_looks(folder: Path) -> None:
    assert 0 == read(opened(folder), heard_in(folder), TOKENS, rows=[0])["looks"].size


def test_where_attention_cannot_be_seen_only_what_is_asked_is_told_still(tmp_path: Path) -> None:
    folder = exported_in_steps(tmp_path)
    heard = heard_in(folder)
    whole = read(Running(graph(folder, "decoder")), heard, TOKENS, rows=[0])["logits"]

    asked = read(opened(folder), heard, TOKENS, rows=[0], asked=np.array([1, 5]))

    assert {"logits"} == asked.keys()
    np.testing.assert_allclose(asked["logits"], whole[:, [1, 5]], atol=1e-3)


def test_a_graph_of_another_kind_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="does not remember what it read"):
        open_up(graph(folder, "encoder"), ())
