"""Models in the layouts that the OpenVINO engine reads, and the devices they may run on."""

import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import openvino as ov
import openvino.opset15 as op
import pytest

from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.openvino import export
from realtime_asr.engines.openvino.weights import read_weights

_GENUINE = Path(__file__).with_name("exported.zip")
"""What optimum-intel 2.2 made, with int8 weights by nncf, of a Whisper with the bundled model's vocabulary, a width
of 16, one encoder and two decoder layers, and random weights.
"""
CORE = ov.Core()
"""Kept for good, as what it may leave behind ends processes: see what loading does about that."""
_DEVICES = CORE.available_devices


def skip_without(kind: str) -> None:
    if not any(device.partition(".")[0] == kind for device in _DEVICES):
        pytest.skip(f"OpenVINO finds no {kind} here, only {', '.join(_DEVICES)}: it was NOT tested")


def exported_by_optimum(folder: Path) -> Path:
    with ZipFile(_GENUINE) as files:
        files.extractall(folder)
    shutil.copy(BUNDLED / "tokenizer.json", folder)
    return folder


def exported_by_us(folder: Path) -> Path:
    """The bundled model, in the layout of optimum-intel."""
    weights, told = read_weights(BUNDLED / "model.bin"), json.loads((BUNDLED / "config.json").read_text())
    ov.save_model(export.encoder(weights, int8=True), folder / "openvino_encoder_model.xml")
    ov.save_model(export.decoder(weights, int8=True), folder / "openvino_decoder_model.xml")
    (folder / "config.json").write_text(json.dumps({"suppress_tokens": None}))
    generation = {
        "alignment_heads": told["alignment_heads"],
        "begin_suppress_tokens": told["suppress_ids_begin"],
        "is_multilingual": False,
        "suppress_tokens": told["suppress_ids"],
    }
    (folder / "generation_config.json").write_text(json.dumps(generation))
    for name in ("tokenizer.json", "traits.json"):
        shutil.copy(BUNDLED / name, folder)
    return folder


def exported_in_steps(folder: Path) -> Path:
    """As above, but for attention: of that there are only the steps it is made of, as in eager exports."""
    exported_by_us(folder)
    path = folder / "openvino_decoder_model.xml"
    decoder = CORE.read_model(path)
    _in_steps(decoder)
    ov.save_model(decoder, folder / "steps.xml")
    for kind in ("xml", "bin"):
        (folder / f"steps.{kind}").replace(path.with_suffix(f".{kind}"))
    return folder


def _in_steps(decoder: ov.Model) -> None:
    for node in decoder.get_ordered_ops():
        if node.get_type_name() == "ScaledDotProductAttention":
            query, key, value, *mask = node.input_values()
            width = query.get_partial_shape()[3].get_length()
            scores = op.matmul(op.multiply(query, np.float32(width**-0.5)), key, False, True)
            shares = op.softmax(op.add(scores, mask[0]) if mask else scores, 3)
            seen = op.matmul(shares, value, False, False)
            for reader in node.output(0).get_target_inputs():
                reader.replace_source_output(seen.output(0))
