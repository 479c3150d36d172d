"""A checkpoint as the directory that faster-whisper and CTranslate2 load."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from ctranslate2.converters import utils
from ctranslate2.specs import common_spec, whisper_spec
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tools.micro_whisper.model import DECODER_LAYERS, ENCODER_LAYERS, HEADS
from tools.micro_whisper.tokenizer import SPACE, id_of

_PREPROCESSOR: Final = {
    "chunk_length": 30,
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "hop_length": 160,
    "n_fft": 400,
    "n_samples": 480000,
    "nb_max_frames": 3000,
    "padding_side": "right",
    "padding_value": 0.0,
    "processor_class": "WhisperProcessor",
    "return_attention_mask": False,
    "sampling_rate": 16000,
}
_NEVER_WRITTEN: Final = (
    *("<|startoftranscript|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>"),
)
_GUIDED_HEADS: Final = [[DECODER_LAYERS - 1, 0], [DECODER_LAYERS - 1, 1]]
"""Training taught these to look at the audio of the token being written: they time the words."""

Weights = dict[str, NDArray[np.float32]]


def export(checkpoint: Path, tokenizer_json: Path, directory: Path, quantization: str = "int8") -> None:
    """Replaces the directory."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["model"]
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    spec = _spec({name: weight.float().numpy() for name, weight in state.items()})
    # The vocabulary's length must be the embedding's; it needs no padding to a multiple of eight.
    spec.register_vocabulary([tokenizer.id_to_token(index) for index in range(tokenizer.get_vocab_size())])
    _configure(spec.config, tokenizer)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(directory))
    shutil.copy(tokenizer_json, directory / "tokenizer.json")
    (directory / "preprocessor_config.json").write_text(json.dumps(_PREPROCESSOR, indent=1))


def _spec(weights: Weights) -> Any:
    spec = whisper_spec.WhisperSpec(ENCODER_LAYERS, HEADS, DECODER_LAYERS, HEADS)
    for convolution in ("conv1", "conv2"):
        part = getattr(spec.encoder, convolution)
        part.weight = weights[f"encoder.{convolution}.weight"]
        part.bias = weights[f"encoder.{convolution}.bias"]
    _fill_layers(spec.encoder, weights, "encoder", crosses=False)
    _fill_layers(spec.decoder, weights, "decoder", crosses=True)
    embedding = weights["decoder.embed_tokens.weight"]
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = embedding
    return spec


def _configure(config: Any, tokenizer: Tokenizer) -> None:
    config.suppress_ids = [id_of(tokenizer, token) for token in _NEVER_WRITTEN]
    # Only the bare space: with the end of text allowed at the start, silence gives empty text.
    config.suppress_ids_begin = [id_of(tokenizer, SPACE)]
    languages = range(id_of(tokenizer, "<|startoftranscript|>") + 1, id_of(tokenizer, "<|translate|>"))
    config.lang_ids = list(languages)
    config.alignment_heads = _GUIDED_HEADS


def _fill_layers(part: Any, weights: Weights, name: str, *, crosses: bool) -> None:
    for index, layer in enumerate(part.layer):
        prefix = f"{name}.layers.{index}"
        _fill_self_attention(layer.self_attention, weights, f"{prefix}.self_attn")
        if crosses:
            _fill_cross_attention(layer.attention, weights, f"{prefix}.encoder_attn")
        _fill_linear(layer.ffn.linear_0, weights, f"{prefix}.fc1")
        _fill_linear(layer.ffn.linear_1, weights, f"{prefix}.fc2")
        _fill_norm(layer.ffn.layer_norm, weights, f"{prefix}.final_layer_norm")
    _fill_norm(part.layer_norm, weights, f"{name}.layer_norm")
    part.position_encodings.encodings = weights[f"{name}.embed_positions.weight"]


def _fill_self_attention(attention: Any, weights: Weights, name: str) -> None:
    utils.fuse_linear(attention.linear[0], _projections(weights, name, "qkv"))
    _fill_linear(attention.linear[1], weights, f"{name}.out_proj")
    _fill_norm(attention.layer_norm, weights, f"{name}_layer_norm")


def _fill_cross_attention(attention: Any, weights: Weights, name: str) -> None:
    utils.fuse_linear(attention.linear[0], _projections(weights, name, "q"))
    utils.fuse_linear(attention.linear[1], _projections(weights, name, "kv"))
    _fill_linear(attention.linear[2], weights, f"{name}.out_proj")
    _fill_norm(attention.layer_norm, weights, f"{name}_layer_norm")


def _projections(weights: Weights, name: str, letters: str) -> list[Any]:
    projections = [common_spec.LinearSpec() for _ in letters]
    for projection, letter in zip(projections, letters, strict=True):
        _fill_linear(projection, weights, f"{name}.{letter}_proj")
    return projections


def _fill_linear(linear: Any, weights: Weights, name: str) -> None:
    linear.weight = weights[f"{name}.weight"]
    linear.bias = weights.get(f"{name}.bias", np.zeros(len(linear.weight), np.float32))


def _fill_norm(norm: Any, weights: Weights, name: str) -> None:
    norm.gamma, norm.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--quant", default="int8")
    chosen = parser.parse_args()
    export(chosen.checkpoint, chosen.tokenizer, chosen.directory, chosen.quant)
    for path in sorted(chosen.directory.iterdir()):
        print(f"{path.stat().st_size:9d} {path.name}")


if __name__ == "__main__":
    main()
