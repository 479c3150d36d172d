"""Models in the layouts that the OpenVINO engine reads."""

import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import openvino as ov

from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.openvino import export
from realtime_asr.engines.openvino.weights import read_weights

_GENUINE = Path(__file__).with_name("exported.zip")
"""What optimum-intel 2.2 made, with int8 weights by nncf, of a Whisper with the bundled model's vocabulary, a width
of 16, one encoder and two decoder layers, and random weights.
"""


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
