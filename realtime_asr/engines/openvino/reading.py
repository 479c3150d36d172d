"""A model's folder, of either layout, as graphs and what has to be known besides."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino as ov
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from realtime_asr.engines.model_folder import OPENVINO, is_laid_out
from realtime_asr.engines.openvino import export
from realtime_asr.engines.openvino.fitting import Heads
from realtime_asr.engines.openvino.weights import read_weights
from realtime_asr.engines.vocabulary import Tokens, Vocabulary

_MULTILINGUAL_END = 50_257
"""The token that ends a text, in the released models of many languages. Those of English have one less."""


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    encoder: ov.Model
    decoder: ov.Model
    vocabulary: Vocabulary
    never: Tokens
    """Tokens not to be written, and"""
    not_first: Tokens
    """those not to begin a text with."""
    heads: Heads
    """That listen to what is being written; none where nobody knows which do."""

    @property
    def bands(self) -> int:
        bands: int = self.encoder.input(0).get_partial_shape()[1].get_length()
        return bands


def read(folder: Path, core: ov.Core, *, int8: bool) -> Contents:
    """With int8, weights that are not exported yet become bytes. Raises RuntimeError or ValueError."""
    return _exported(folder, core) if is_laid_out(folder, OPENVINO) else _converted(folder, int8=int8)


def _exported(folder: Path, core: ov.Core) -> Contents:
    known = _json(folder / "config.json") | _json(folder / "generation_config.json")
    tokenizer = _tokenizer(folder)
    return Contents(
        core.read_model(folder / "openvino_encoder_model.xml"),
        core.read_model(folder / "openvino_decoder_model.xml"),
        Vocabulary(tokenizer, is_multilingual=known.get("is_multilingual", _is_multilingual(tokenizer))),
        never=known.get("suppress_tokens", []),
        not_first=known.get("begin_suppress_tokens", []),
        heads=known.get("alignment_heads", []),
    )


def _converted(folder: Path, *, int8: bool) -> Contents:
    known = _json(folder / "config.json")
    tokenizer, weights = _tokenizer(folder), read_weights(folder / "model.bin")
    return Contents(
        export.encoder(weights, int8=int8),
        export.decoder(weights, int8=int8),
        Vocabulary(tokenizer, is_multilingual=_is_multilingual(tokenizer)),
        never=known.get("suppress_ids", []),
        not_first=known.get("suppress_ids_begin", []),
        heads=known.get("alignment_heads", []),
    )


def _tokenizer(folder: Path) -> Tokenizer:
    """Older exports have only the parts it is made of."""
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = _json(folder / "added_tokens.json")
    in_order = dict.fromkeys(["<|endoftext|>", *sorted(marks, key=marks.__getitem__)])
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in in_order])
    return tokenizer


def _is_multilingual(tokenizer: Tokenizer) -> bool:
    return bool(tokenizer.token_to_id("<|endoftext|>") == _MULTILINGUAL_END)


def _json(path: Path) -> dict[str, Any]:
    """What it says, without what it leaves open."""
    if not path.is_file():
        return {}
    try:
        told = dict(json.loads(path.read_bytes()))
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{path.name} is not understood: {problem}") from problem
    return {name: value for name, value in told.items() if value is not None}
