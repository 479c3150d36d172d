"""How a Whisper comes to run in OpenVINO: layouts, devices, compute types, windows, and what is kept."""

import ctypes
import gc
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino as ov
import pytest

from benchmarks.random_whisper import WORDS, make
from realtime_asr.engines.backend import GREEDY, Search
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import UnusableModel
from realtime_asr.engines.mel import Frames
from realtime_asr.engines.openvino.backend import OpenVino
from realtime_asr.engines.openvino.devices import found, has_accelerator, takes_one_length
from realtime_asr.engines.openvino.loading import WINDOWS, is_accelerated, load_openvino
from tests.engines.listening import SETTINGS, asked_for, heard, job, loaded
from tests.engines.openvino.models import exported_by_optimum, exported_by_us, exported_in_steps
from tests.speech.clips import clip

DOOR = job(clip("door").samples).frames
SAID = " Wait ten seconds, then close the door."


def text(whisper: OpenVino, window: int = 500, search: Search = GREEDY) -> str:
    [found] = decoded(whisper, [DOOR], search, window)
    return found


def decoded(whisper: OpenVino, stack: Sequence[Frames], search: Search, window: int = 500) -> list[str]:
    encoded, starts = whisper.encode(stack, window), [whisper.vocabulary.start([], None)] * len(stack)
    found = whisper.decode(encoded, starts, [[]] * len(stack), 60, search)
    return [whisper.vocabulary.text(each.tokens) for each in found]


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
    times = whisper.align(encoded[:1], start, both[0].tokens).times
    assert times is not None
    assert len(both[0].tokens) + 1 == len(times)


def test_a_model_of_the_optimum_layout_transcribes(tmp_path: Path) -> None:
    model = loaded(replace(SETTINGS, model=str(exported_by_us(tmp_path))), load_openvino)

    assert SAID == "".join(word.text for word in heard(model, job(clip("door").samples)).words)


def test_an_export_that_does_not_show_where_it_listens_says_the_same_without_times(tmp_path: Path) -> None:
    settings = replace(SETTINGS, model=str(exported_in_steps(tmp_path)))
    asked = job(clip("door").samples, asked_for(logprobs=True, word_times=True))

    words = heard(loaded(settings, load_openvino), asked).words

    timed = heard(loaded(SETTINGS, load_openvino), asked).words
    assert [(word.text, None, None) for word in timed] == [
        (word.text, word.start, word.end) for word in words
    ]
    assert [word.logprob for word in timed] == pytest.approx([word.logprob for word in words], abs=0.05)


@pytest.mark.parametrize("search", [Search(beams=4), Search(temperature=0.0001, candidates=3)])
def test_rows_that_cannot_share_their_audio_find_the_same(tmp_path: Path, search: Search) -> None:
    apart = load_openvino(replace(SETTINGS, model=str(exported_in_steps(tmp_path))))
    stack = [DOOR, job(clip("bridge").samples).frames]

    texts = [decoded(whisper, stack, search) for whisper in (apart, load_openvino(SETTINGS))]

    assert texts[0] == texts[1]


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


@pytest.mark.parametrize("quantization", ["float32", "float16", "int16", "int8_float16"])
def test_weights_of_another_kind_become_bytes(tmp_path: Path, quantization: str) -> None:
    whisper = load_openvino(replace(SETTINGS, model=str(make("micro", tmp_path, quantization=quantization))))
    encoded, start = whisper.encode([DOOR], 500), whisper.vocabulary.start([], "en")

    [decoded] = whisper.decode(encoded, [start], [[]], 20, GREEDY)

    assert "".join(f" {word}" for word in WORDS[:20]) == whisper.vocabulary.text(decoded.tokens)


def test_an_unknown_kind_of_numbers_names_those_that_are_known() -> None:
    with pytest.raises(UnusableModel, match=r"compute type 'int3': .* int8_float32"):
        loaded(replace(SETTINGS, compute_type="int3"), load_openvino)


# Devices


@pytest.mark.parametrize(
    "device",
    ["cpu", "CPU.0", "auto", "AUTO:CPU", "AUTO:-GPU", "AUTO:-GPU, CPU", "HETERO:CPU", "hetero:cpu.0"],
)
def test_it_runs_on_what_there_is_everywhere(device: str) -> None:
    assert SAID == text(load_openvino(replace(SETTINGS, device=device)))


@pytest.mark.parametrize(
    "device", ["NPU.7", "gpu.7", "HETERO:GPU.7,CPU", "cuda", "AUTO:CPU,GPU.7", "CPU.1", "", " "]
)
def test_a_device_that_is_missing_names_those_that_are_found(device: str) -> None:
    with pytest.raises(
        UnusableModel, match=r"There is no device '(\w+(\.\d)?)?' on this machine\. OpenVINO finds: .*CPU"
    ):
        is_accelerated(device)


@pytest.mark.parametrize("device", ["HETERO", "HETERO:", "AUTO:", "AUTO:,", "multi", "MULTI: ,"])
def test_of_what_is_made_of_others_they_must_be_named(device: str) -> None:
    with pytest.raises(
        UnusableModel, match=rf"'{device}' names no devices: write it like \w+:GPU,CPU. OpenVINO finds: .*CPU"
    ):
        is_accelerated(device)


def machine(*devices: str) -> Any:
    return SimpleNamespace(available_devices=list(devices))


LARGE = machine("CPU", "GPU.0", "GPU.1", "NPU")
SMALL = machine("CPU")


@pytest.mark.parametrize(
    ("device", "spelt"),
    [
        ("gpu", "GPU"),
        ("GPU.1", "GPU.1"),
        ("xpu", "GPU"),
        ("xpu.1", "GPU.1"),
        ("NPU", "NPU"),
        ("NPU.0", "NPU"),
        ("cpu.0", "CPU"),
        ("auto", "AUTO"),
        ("HETERO:GPU.0,cpu.0", "HETERO:GPU.0,CPU"),
        ("AUTO: XPU, -NPU", "AUTO:GPU,-NPU"),
    ],
)
def test_devices_may_be_called_by_several_names(device: str, spelt: str) -> None:
    assert spelt == found(device, LARGE)


def test_where_there_is_but_a_cpu_there_is_no_choice() -> None:
    assert "CPU" == found("auto", SMALL)


@pytest.mark.parametrize(
    ("device", "large", "small"),
    [
        ("CPU", False, False),
        ("GPU.1", True, True),
        ("NPU", True, True),
        ("AUTO", True, False),
        ("AUTO:-NPU", True, False),
        ("AUTO:-GPU", False, False),
        ("AUTO:CPU", False, False),
        ("AUTO:GPU,-NPU", True, True),
        ("HETERO:NPU,CPU", True, True),
        ("HETERO:CPU", False, False),
    ],
)
def test_whatever_is_more_than_a_cpu_is_an_accelerator(device: str, *, large: bool, small: bool) -> None:
    assert (large, small) == (has_accelerator(device, LARGE), has_accelerator(device, SMALL))


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


# What a device is told


def compiled(whisper: OpenVino) -> dict[str, ov.CompiledModel]:
    """Each half."""
    halves: dict[str, Any] = {"encoder": whisper._encoder, "decoder": whisper._decoder}
    return {name: half._requests._idle.queue[0].get_compiled_model() for name, half in halves.items()}


def told(whisper: OpenVino, name: str) -> dict[str, Any]:
    return {half: graph.get_property(name) for half, graph in compiled(whisper).items()}


@pytest.mark.parametrize(("workers", "hint"), [(1, "LATENCY"), (2, "THROUGHPUT")])
def test_one_worker_wants_to_be_quick_and_several_to_get_much_done(workers: int, hint: str) -> None:
    whisper = load_openvino(replace(SETTINGS, workers=workers))

    # Each worker has a decoder of its own.
    assert {"encoder": hint, "decoder": "LATENCY"} == told(whisper, "PERFORMANCE_HINT")
    assert {"encoder": workers, "decoder": 1} == told(whisper, "NUM_STREAMS")


@pytest.mark.parametrize(
    ("compute_type", "precision"), [("int8_float32", ov.Type.f32), ("int8_bfloat16", ov.Type.bf16)]
)
def test_the_encoder_reckons_with_the_numbers_that_are_asked_for(
    compute_type: str, precision: ov.Type
) -> None:
    if precision == ov.Type.bf16 and "avx512" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("OpenVINO has no bfloat16 on CPUs without AVX-512: it was NOT tested")

    whisper = load_openvino(replace(SETTINGS, compute_type=compute_type))

    assert {"encoder": precision, "decoder": ov.Type.f32} == told(whisper, "INFERENCE_PRECISION_HINT")
    assert ov.Type.f32 == compiled(whisper)["decoder"].get_property("KV_CACHE_PRECISION")


class Elsewhere:
    """OpenVINO on a machine that has everything: what its devices are told is kept, and a CPU does the work."""

    available_devices = ("CPU", "GPU", "NPU")

    def __init__(self) -> None:
        self._core = ov.Core()
        self.compiled: list[tuple[str, str, dict[str, Any]]] = []
        self.gpu: dict[str, Any] = {}

    def set_property(self, device: str, properties: dict[str, Any]) -> None:
        if device == "CPU":
            self._core.set_property(device, properties)
        else:
            self.gpu |= properties

    def compile_model(self, graph: ov.Model, device: str, told: dict[str, Any]) -> ov.CompiledModel:
        self.compiled.append((graph.get_friendly_name(), device, told))
        return self._core.compile_model(graph, "CPU")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    core = Elsewhere()
    monkeypatch.setattr(ov, "Core", lambda: core)
    return core


def test_a_gpu_is_told_to_be_quick_and_where_to_keep_what_it_compiles(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    whisper = load_openvino(replace(SETTINGS, device="gpu", cache=tmp_path, compute_type="int8_float16"))

    asked = {"PERFORMANCE_HINT": "LATENCY", "CACHE_DIR": str(tmp_path)}
    assert [("encoder", "GPU", asked), ("decoder", "GPU", asked)] == elsewhere.compiled
    assert {"INFERENCE_PRECISION_HINT": "f16"} == elsewhere.gpu
    assert SAID == text(whisper)


def test_an_npu_hears_in_few_windows_and_a_cpu_writes(elsewhere: Elsewhere, tmp_path: Path) -> None:
    whisper = load_openvino(replace(SETTINGS, device="npu", cache=tmp_path))

    hint = {"PERFORMANCE_HINT": "LATENCY"}
    kept = ("encoder", "NPU", {**hint, "CACHE_DIR": str(tmp_path)})
    assert [*[kept] * len(WINDOWS), ("decoder", "CPU", hint)] == elsewhere.compiled
    assert SAID == text(whisper)


# What is left behind


def signal_stack() -> bytes:
    """Where this thread handles signals, as the system describes it."""
    told = ctypes.create_string_buffer(3 * ctypes.sizeof(ctypes.c_void_p))
    assert 0 == ctypes.CDLL(None).sigaltstack(None, told)
    return told.raw


@pytest.mark.skipif(sys.platform != "linux", reason="Windows has no signal stacks: it was NOT tested")
def test_a_thread_handles_its_signals_as_before_once_all_it_loaded_have_left() -> None:
    before = signal_stack()

    first, second = load_openvino(SETTINGS), load_openvino(SETTINGS)
    is_accelerated("CPU")
    del first
    gc.collect()
    del second
    gc.collect()

    assert before == signal_stack()


# What is kept


def test_what_takes_long_to_compile_is_kept(tmp_path: Path) -> None:
    settings = replace(SETTINGS, device="AUTO:CPU", cache=tmp_path)
    first = load_openvino(settings)
    kept = sorted(tmp_path.iterdir())

    again = load_openvino(settings)

    assert SAID == text(first) == text(again)
    assert len(kept) == 2
    assert kept == sorted(tmp_path.iterdir())


def test_models_of_one_shape_are_kept_apart(tmp_path: Path) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(BUNDLED, mute)
    weights = bytearray((mute / "model.bin").read_bytes())
    weights[3_000_000:3_100_000] = bytes(100_000)
    (mute / "model.bin").write_bytes(weights)
    settings = replace(SETTINGS, device="AUTO:CPU", cache=tmp_path / "cache")

    texts = [text(load_openvino(replace(settings, model=str(folder)))) for folder in (BUNDLED, mute, BUNDLED)]

    assert SAID == texts[0] == texts[2]
    assert texts[1] != SAID


def test_what_cannot_be_kept_any_more_is_compiled_again(tmp_path: Path) -> None:
    settings = replace(SETTINGS, device="AUTO:CPU", cache=tmp_path)
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


def _with_half_a_description(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"alignment_heads": [[0')


def _with_another_description(folder: Path) -> None:
    (folder / "config.json").write_text("7")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_without_attention, "does not remember what it read"),
        (_with_half_a_description, "generation_config.json is not understood: Expecting"),
        (_with_another_description, "config.json is not understood: 'int'"),
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
