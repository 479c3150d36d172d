"""How a Whisper comes to run in OpenVINO: layouts, devices, compute types, windows, and what is kept."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from benchmarks.random_whisper import WORDS, make
from realtime_asr.engines.backend import GREEDY, Search
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import UnusableModel
from realtime_asr.engines.openvino.backend import OpenVino
from realtime_asr.engines.openvino.devices import found, takes_one_length
from realtime_asr.engines.openvino.loading import WINDOWS, check_device, load_openvino
from tests.engines.listening import SETTINGS, heard, job, loaded
from tests.engines.openvino.models import exported_by_optimum, exported_by_us
from tests.speech.clips import clip

DOOR = job(clip("door").samples).frames
SAID = " Wait ten seconds, then close the door."
DEVICES = ov.Core().available_devices


def text(whisper: OpenVino, window: int = 500, search: Search = GREEDY) -> str:
    encoded, start = whisper.encode([DOOR], window), whisper.vocabulary.start([], None)
    [decoded] = whisper.decode(encoded, [start], [[]], 60, search)
    return whisper.vocabulary.text(decoded.tokens)


# Layouts


def test_the_bundled_model_is_read_as_it_is() -> None:
    whisper = load_openvino(SETTINGS)

    assert (SAID, 80) == (text(whisper), whisper.bands)


def test_an_export_says_what_the_weights_say(tmp_path: Path) -> None:
    whisper = load_openvino(replace(SETTINGS, model=str(exported_by_us(tmp_path))))

    assert SAID == text(whisper)


def test_what_optimum_exports_is_read_and_runs(tmp_path: Path) -> None:
    whisper = load_openvino(replace(SETTINGS, model=str(exported_by_optimum(tmp_path))))
    encoded, start = whisper.encode([DOOR, DOOR], 350), whisper.vocabulary.start([], "de")

    both = whisper.decode(encoded, [start, start], [[], []], 7, Search(beams=2))

    assert (
        {"en", "de", "es", "fr", "it"}
        == whisper.vocabulary.languages
        == whisper.likelihoods(encoded)[0].keys()
    )
    assert both[0] == both[1]
    assert not {5, 6} & set(both[0].tokens)
    assert len(both[0].tokens) + 1 == len(whisper.align(encoded[:1], start, both[0].tokens).times)


def test_a_model_of_the_optimum_layout_transcribes(tmp_path: Path) -> None:
    model = loaded(replace(SETTINGS, model=str(exported_by_us(tmp_path))), load_openvino)

    assert SAID == "".join(word.text for word in heard(model, job(clip("door").samples)).words)


def test_the_parts_of_an_older_tokenizer_are_put_together(tmp_path: Path) -> None:
    folder = exported_by_us(tmp_path)
    whole = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(whole["model"]["vocab"]))
    pairs = (pair if isinstance(pair, str) else " ".join(pair) for pair in whole["model"]["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")
    marks = {token["content"]: token["id"] for token in whole["added_tokens"]}
    (folder / "added_tokens.json").write_text(json.dumps(marks))

    assert SAID == text(load_openvino(replace(SETTINGS, model=str(folder))))


# Compute types


@pytest.mark.parametrize("compute_type", ["int8", "int8_float32", "float32", "int8_bfloat16"])
def test_numbers_may_be_of_several_kinds(compute_type: str) -> None:
    assert SAID == text(load_openvino(replace(SETTINGS, compute_type=compute_type)))


@pytest.mark.parametrize("quantization", ["float32", "float16"])
def test_weights_of_another_kind_become_bytes(tmp_path: Path, quantization: str) -> None:
    whisper = load_openvino(replace(SETTINGS, model=str(make("micro", tmp_path, quantization=quantization))))
    encoded, start = whisper.encode([DOOR], 500), whisper.vocabulary.start([], "en")

    [decoded] = whisper.decode(encoded, [start], [[]], 20, GREEDY)

    assert "".join(f" {word}" for word in WORDS[:20]) == whisper.vocabulary.text(decoded.tokens)


def test_an_unknown_kind_of_numbers_names_those_that_are_known() -> None:
    with pytest.raises(UnusableModel, match=r"compute type 'int3': .* int8_float32"):
        loaded(replace(SETTINGS, compute_type="int3"), load_openvino)


# Devices


@pytest.mark.parametrize("device", ["cpu", "auto", "AUTO:CPU", "AUTO:-GPU,CPU", "HETERO:CPU"])
def test_it_runs_on_what_there_is_everywhere(device: str) -> None:
    assert SAID == text(load_openvino(replace(SETTINGS, device=device)))


@pytest.mark.parametrize("kind", ["GPU", "NPU"])
def test_it_runs_on_an_accelerator(kind: str) -> None:
    if not any(device.startswith(kind) for device in DEVICES):
        pytest.skip(f"OpenVINO finds no {kind} here, only {', '.join(DEVICES)}: it was NOT tested")

    model = loaded(replace(SETTINGS, device=kind), load_openvino)

    assert SAID == "".join(word.text for word in heard(model, job(clip("door").samples)).words)


@pytest.mark.parametrize("device", ["NPU.7", "gpu.7", "HETERO:GPU.7,CPU", "cuda", "AUTO:CPU,GPU.7"])
def test_a_device_that_is_missing_names_those_that_are_found(device: str) -> None:
    with pytest.raises(
        UnusableModel, match=r"There is no device '\w+(\.7)?' on this machine\. OpenVINO finds: .*CPU"
    ):
        check_device(device)


class Machine:
    available_devices = ("CPU", "GPU.0", "GPU.1", "NPU")


@pytest.mark.parametrize(
    "device", ["gpu", "GPU.1", "HETERO:GPU.0,CPU", "auto", "AUTO:GPU,-NPU", "NPU", "NPU.0"]
)
def test_of_several_of_a_kind_one_or_any_may_be_named(device: str) -> None:
    machine: Any = Machine()

    assert device.upper() == found(device, machine)


def test_only_npus_take_one_length() -> None:
    devices = ("NPU", "HETERO:NPU,CPU", "CPU", "GPU.1", "AUTO", "AUTO:-NPU")

    assert ["NPU", "HETERO:NPU,CPU"] == [device for device in devices if takes_one_length(device)]


# Windows


def test_windows_may_be_few() -> None:
    few, any_ = load_openvino(SETTINGS, WINDOWS), load_openvino(SETTINGS)

    assert [(1, 200, 192), (2, 400, 192)] == [
        few.encode([DOOR[:90]], 100).shape,
        few.encode([DOOR, DOOR], 500).shape,
    ]
    assert SAID == text(few)
    np.testing.assert_allclose(few.encode([DOOR], 800), any_.encode([DOOR], 800), atol=0.5)


def test_where_windows_are_few_the_longest_is_whisper_s() -> None:
    assert 3000 == max(WINDOWS)


# What is kept


def test_what_takes_long_to_compile_is_kept(tmp_path: Path) -> None:
    settings = replace(SETTINGS, device="AUTO", cache=tmp_path)
    first = text(load_openvino(settings))
    kept = sorted(tmp_path.iterdir())

    again = text(load_openvino(settings))

    assert SAID == first == again
    assert len(kept) == 2
    assert kept == sorted(tmp_path.iterdir())


def test_models_of_one_shape_are_kept_apart(tmp_path: Path) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(BUNDLED, mute)
    weights = bytearray((mute / "model.bin").read_bytes())
    weights[3_000_000:3_100_000] = bytes(100_000)
    (mute / "model.bin").write_bytes(weights)
    settings = replace(SETTINGS, device="AUTO", cache=tmp_path / "cache")

    texts = [text(load_openvino(replace(settings, model=str(folder)))) for folder in (BUNDLED, mute, BUNDLED)]

    assert SAID == texts[0] == texts[2]
    assert texts[1] != SAID


def test_what_cannot_be_kept_any_more_is_compiled_again(tmp_path: Path) -> None:
    settings = replace(SETTINGS, device="AUTO", cache=tmp_path)
    load_openvino(settings)
    for kept in tmp_path.iterdir():
        kept.chmod(0o600)
        kept.write_bytes(kept.read_bytes()[:1_000])

    assert SAID == text(load_openvino(settings))


def test_for_a_cpu_nothing_is_kept(tmp_path: Path) -> None:
    load_openvino(replace(SETTINGS, cache=tmp_path))

    assert [] == list(tmp_path.iterdir())


# When it cannot be loaded


def _without_attention(folder: Path) -> None:
    shutil.copy(folder / "openvino_encoder_model.xml", folder / "openvino_decoder_model.xml")
    shutil.copy(folder / "openvino_encoder_model.bin", folder / "openvino_decoder_model.bin")


def _without_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _with_half_a_graph(folder: Path) -> None:
    path = folder / "openvino_encoder_model.xml"
    path.write_bytes(path.read_bytes()[:5_000])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_without_attention, "no attention to audio as optimum-intel exports it"),
        (_without_a_tokenizer, "BPE files"),
        (_with_half_a_graph, "Error parsing"),
    ],
)
def test_an_export_that_is_damaged_is_named_with_the_reason(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(exported_by_us(tmp_path))

    with pytest.raises(UnusableModel, match=f"(?s)The model '{tmp_path}' cannot be loaded.*{says}"):
        loaded(replace(SETTINGS, model=str(tmp_path)), load_openvino)
