"""Whisper models of true size with random weights: `python -m benchmarks.random_whisper --size base OUT`.

They cost what the released models cost: same shapes, same vocabulary, same quantization. What they write is
known beforehand: the language, the task and the absence of time stamps, then words, round and round.

The last token alone decides which one is next. The feed-forward part of the decoder's last layer remembers:
each token excites a unit of its own, which adds the embedding of the next token, ten times over. All that
positions and the other layers add is small beside one embedding. So neither what is heard nor what was said
before changes the text: as stable as that of a trained model, it goes on after the words that are given.

Nothing ends the text but the number of tokens asked for: no script could follow the length of the audio.
`traits.json` says how many to ask for.
"""

import argparse
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from ctranslate2.specs import whisper_spec
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tools.micro_whisper.grammar import LEXICON
from tools.micro_whisper.tokenizer import SPACE, SPECIAL, STAMPS, id_of

Size = Literal["micro", "tiny", "base", "small", "medium", "large-v3", "large-v3-turbo", "distil-small"]
Weights = NDArray[np.float32]
Merge = tuple[str, str]

POSITIONS: Final = 448
"""The length of the decoder's position table: prompt and text together."""
START: Final = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
WORDS: Final = random.Random(0).sample(
    sorted({word for words in LEXICON.values() for word in words if len(word) > 1}), 250
)
"""As many as a layer of the smallest size can remember; none twice."""
TRAITS: Final = {"final_window": "short", "beam_size": 5, "tokens_per_second": 4.0, "spare_tokens": 0}


@dataclass(frozen=True, slots=True)
class _Shape:
    width: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    mels: int = 80


_SHAPES: Final[dict[Size, _Shape]] = {
    "micro": _Shape(64, 2, 2, 2),  # of no released model: for tests
    "tiny": _Shape(384, 4, 4, 6),
    "base": _Shape(512, 6, 6, 8),
    "small": _Shape(768, 12, 12, 12),
    "medium": _Shape(1024, 24, 24, 16),
    "large-v3": _Shape(1280, 32, 32, 20, mels=128),
    "large-v3-turbo": _Shape(1280, 32, 4, 20, mels=128),
    "distil-small": _Shape(768, 12, 2, 12),
}
_FRAMES: Final = 3000
_SPREAD: Final = 0.02
"""Of the weights, as Whisper's are before training."""
_LOUD: Final = 20.0
"""How many times longer an embedding is than a normalised state."""
_STEEP: Final = 40.0
"""How fast a unit of the memory grows with the likeness, a cosine, of the state and the unit's token."""
_LIKE: Final = 0.75
"""From where on it does: more than any two embeddings have, less than noise leaves."""
_GAP: Final = 25.0
"""Between the logit of the wanted token and the mean of all logits, at every width."""

_TEXT_PIECES: Final = 50_256
_LETTERS: Final = "etaoinshrdlcumwfgypbvkjxqz"
_LANGUAGES: Final = """
    en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt
    la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc
    ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"""
"""In the order of their ids."""
_NEVER_WRITTEN: Final = (
    *("<|startoftranscript|>", "<|translate|>", "<|transcribe|>"),
    *("<|startoflm|>", "<|startofprev|>", "<|nospeech|>"),
)


def make(size: Size, folder: Path, *, quantization: str = "int8") -> Path:
    """Write all that faster-whisper loads, the same for the same size each time. The folder may exist."""
    shape = _SHAPES[size]
    # Those with more bands came with one more language.
    languages = _LANGUAGES.split()[: 100 if shape.mels == 128 else 99]
    tokenizer = _tokenizer(languages)
    spec = _spec(shape, tokenizer)
    _configure(spec.config, shape, tokenizer, languages)
    folder.mkdir(parents=True, exist_ok=True)
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "preprocessor_config.json").write_text(json.dumps(_preprocessor(shape), indent=1))
    (folder / "traits.json").write_text(json.dumps(TRAITS))
    return folder


def text_ids(tokenizer: Tokenizer) -> list[int]:
    """What is written after `<|notimestamps|>`, a token for each word. Then it begins again."""
    ids: list[int] = tokenizer.encode("".join(f" {word}" for word in WORDS)).ids
    return ids


def _tokenizer(languages: Sequence[str]) -> Tokenizer:
    """The ids of everything but the text are those of the released models."""
    vocabulary, merges = _pieces()
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in _special(languages)])
    tokenizer.add_tokens([AddedToken(stamp, normalized=False) for stamp in STAMPS])
    return tokenizer


def _special(languages: Sequence[str]) -> list[str]:
    tongues = [f"<|{language}|>" for language in languages]
    start, end = SPECIAL.index("<|startoftranscript|>") + 1, SPECIAL.index("<|translate|>")
    return [*SPECIAL[:start], *tongues, *SPECIAL[end:]]


def _pieces() -> tuple[dict[str, int], list[Merge]]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(itertools.islice(_merges(), _TEXT_PIECES - len(alphabet)))
    pieces = [*alphabet, *(left + right for left, right in merges)]
    # The released text vocabularies end in the empty token; CTranslate2 knows a multilingual model by it.
    return {piece: index for index, piece in enumerate([*pieces, ""])}, merges


def _merges() -> Iterator[Merge]:
    """Those of the words before all others, so that a word is one piece."""
    of_words = dict.fromkeys(itertools.chain.from_iterable(map(_merges_of, WORDS)))
    yield from of_words
    yield from (merge for merge in _merges_of_all_letters() if merge not in of_words)


def _merges_of(word: str) -> Iterator[Merge]:
    piece = SPACE + word
    return ((piece[:end], piece[end]) for end in range(1, len(piece)))


def _merges_of_all_letters() -> Iterator[Merge]:
    """Shortest first, without end."""
    known = [SPACE, *_LETTERS]
    for left in known:
        for right in _LETTERS:
            yield left, right
            known.append(left + right)


def _spec(shape: _Shape, tokenizer: Tokenizer) -> Any:
    spec = whisper_spec.WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    filling = _Filling(shape.width)
    filling.encoder(spec.encoder, shape.mels)
    filling.decoder(spec.decoder, tokenizer)
    spec.register_vocabulary([tokenizer.id_to_token(index) for index in range(tokenizer.get_vocab_size())])
    return spec


class _Filling:
    """Puts random weights into the parts of a model."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rng = np.random.default_rng(0)

    def encoder(self, part: Any, mels: int) -> None:
        self._linear(part.conv1, self._width, mels, 3)
        self._linear(part.conv2, self._width, self._width, 3)
        part.position_encodings.encodings = self._random(_FRAMES // 2, self._width)
        self._layers(part)

    def decoder(self, part: Any, tokenizer: Tokenizer) -> None:
        embedding = self._random(tokenizer.get_vocab_size(), self._width, spread=_LOUD)
        part.embeddings.weight = part.projection.weight = embedding
        part.position_encodings.encodings = self._random(POSITIONS, self._width)
        self._layers(part)
        _remember(part.layer[-1].ffn, embedding, _script(tokenizer))
        # What is projected is to be as long as makes its product with an embedding the gap.
        part.layer_norm.gamma *= np.float32(_GAP / (_LOUD * self._width))

    def _layers(self, part: Any) -> None:
        for layer in part.layer:
            self._attention(layer.self_attention, 3, 1)
            if hasattr(layer, "attention"):
                self._attention(layer.attention, 1, 2, 1)
            self._norm(layer.ffn.layer_norm)
            self._linear(layer.ffn.linear_0, 4 * self._width, self._width)
            self._linear(layer.ffn.linear_1, self._width, 4 * self._width)
        self._norm(part.layer_norm)

    def _attention(self, part: Any, *fused: int) -> None:
        """Given how many projections each of its matrices does at once."""
        self._norm(part.layer_norm)
        for linear, projections in zip(part.linear, fused, strict=True):
            self._linear(linear, projections * self._width, self._width)

    def _linear(self, part: Any, outputs: int, *inputs: int) -> None:
        part.weight = self._random(outputs, *inputs)
        part.bias = np.zeros(outputs, np.float32)

    def _norm(self, part: Any) -> None:
        part.gamma, part.beta = np.ones(self._width, np.float32), np.zeros(self._width, np.float32)

    def _random(self, *shape: int, spread: float = _SPREAD) -> Weights:
        return self._rng.standard_normal(shape, np.float32) * np.float32(spread)


def _remember(memory: Any, embedding: Weights, script: dict[int, int]) -> None:
    tokens, following = embedding[list(script)], embedding[list(script.values())]
    directions = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    count, width = tokens.shape
    # The state before it is normalised to the length √width.
    memory.linear_0.weight[:count] = directions * np.float32(_STEEP / width**0.5)
    memory.linear_0.bias[:count] = -_STEEP * _LIKE
    memory.linear_1.weight[:, :count] = following.T


def _script(tokenizer: Tokenizer) -> dict[int, int]:
    """Which token follows each."""
    start, text = [id_of(tokenizer, token) for token in START], text_ids(tokenizer)
    return dict(itertools.pairwise([*start, *text, text[0]]))


def _configure(config: Any, shape: _Shape, tokenizer: Tokenizer, languages: Sequence[str]) -> None:
    config.suppress_ids = [id_of(tokenizer, token) for token in _NEVER_WRITTEN]
    config.suppress_ids_begin = [id_of(tokenizer, token) for token in (SPACE, "<|endoftext|>")]
    config.lang_ids = [id_of(tokenizer, f"<|{language}|>") for language in languages]
    # What CTranslate2 assumes of a model whose heads nobody has looked at.
    later_half = range(shape.decoder_layers // 2, shape.decoder_layers)
    config.alignment_heads = list(itertools.product(later_half, range(shape.heads)))


def _preprocessor(shape: _Shape) -> dict[str, object]:
    return {
        "chunk_length": 30,
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": shape.mels,
        "hop_length": 160,
        "n_fft": 400,
        "n_samples": 480_000,
        "nb_max_frames": _FRAMES,
        "padding_side": "right",
        "padding_value": 0.0,
        "processor_class": "WhisperProcessor",
        "return_attention_mask": False,
        "sampling_rate": 16_000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="A Whisper model of a true size with random weights.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=get_args(Size), default="base")
    parser.add_argument("--quantization", default="int8")
    chosen = parser.parse_args()
    folder = make(chosen.size, chosen.folder, quantization=chosen.quantization)
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:11,d} {path.name}")


if __name__ == "__main__":
    main()
