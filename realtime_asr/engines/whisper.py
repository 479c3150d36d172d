"""One Whisper in CTranslate2: frames and tokens in; tokens, their times and probabilities out.

faster-whisper loads it and knows its tokens. Its `transcribe` is not used: that pads each pass to 30 s,
fifteen times the cost of a window that fits five seconds of speech, and encodes twice to detect the language.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.utils import _MODELS

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.mel import Frames, normalised
from realtime_asr.transcript.request import Task

SIZES: Final[Mapping[str, str]] = _MODELS
"""The repository on the Hugging Face Hub that a size such as `small.en` is short for."""

_MOST_TOKENS: Final = 448  # the length of Whisper's table of text positions
_MOMENT: Final = samples(20)  # a step of the encoder's output

Encoded: TypeAlias = ctranslate2.StorageView
Tokens = list[int]
Search = dict[str, Any]
GREEDY: Final[Search] = {"beam_size": 1}
GOING_ON: Final[Search] = {"beam_size": 1, "return_no_speech_prob": False}
"""Greedy, where somebody surely speaks: whether that is so takes another look at all the vocabulary."""


def beams(count: int) -> Search:
    return {"beam_size": count}


def sampling(temperature: float, candidates: int) -> Search:
    return {
        "beam_size": 1,
        "num_hypotheses": candidates,
        "sampling_topk": 0,
        "sampling_temperature": temperature,
    }


@dataclass(frozen=True, slots=True)
class Decoded:
    tokens: Tokens
    """With those that were given."""
    mean_logprob: float
    no_speech_probability: float | None
    """None where nobody asked."""


class Aligned(NamedTuple):
    times: list[int]
    """When each token begins, and the last one ends: in order, in samples from the beginning."""
    logprobs: list[float]
    """How likely each token is, given those before it."""


class Whisper:
    """Several threads may call it at once. Raises RuntimeError or ValueError, as CTranslate2 does."""

    def __init__(self, folder: Path, device: str, compute_type: str, threads: int, workers: int) -> None:
        self._loaded = WhisperModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=threads, num_workers=workers
        )
        self._model = self._loaded.model
        self.bands = int(self._loaded.feature_extractor.mel_filters.shape[0])
        self.is_multilingual: bool = self._model.is_multilingual
        self.languages = frozenset(filter(self._knows, self._loaded.supported_languages))

    def tokens(self, text: str) -> Tokens:
        ids: Tokens = self._loaded.hf_tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def text(self, tokens: Tokens) -> str:
        text: str = self._loaded.hf_tokenizer.decode(tokens)
        return text

    def start(self, told: Tokens, language: str | None, task: Task = "transcribe") -> Tokens:
        """What comes before the text. Language and task do not matter where the model has one language only:
        it transcribes.
        """
        tokenizer = self._tokenizer(language, task)
        before = [tokenizer.sot_prev, *told] if told else []
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def words(self, tokens: Tokens, language: str | None) -> list[tuple[str, int]]:
        """Each with the number of its tokens."""
        texts, groups = self._tokenizer(language).split_to_word_tokens(tokens)
        return list(zip(texts, map(len, groups), strict=True))

    def encode(self, stack: Sequence[Frames], window: int) -> Encoded:
        """Each in a window of so many frames."""
        return self._loaded.encode(np.stack([_padded(frames, window) for frames in stack]))

    def likelihoods(self, encoded: Encoded) -> list[dict[str, float]]:
        """Of the languages it knows, for each of the stack."""
        ranked = self._model.detect_language(encoded)
        marks = ({mark[2:-2]: likelihood for mark, likelihood in one} for one in ranked)
        return [{code: p for code, p in one.items() if code in self.languages} for one in marks]

    def decode(
        self, encoded: Encoded, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        """Adds `most` tokens to those given, or fewer. All starts are of one length, and so is all given."""
        text = len(given[0]) + most
        asked: Search = {"return_no_speech_prob": True, **search}
        results = self._model.generate(
            encoded,
            [start + words for start, words in zip(starts, given, strict=True)],
            # All text gets half of max_length, or what the start leaves of it, whichever is less.
            max_length=min(max(2 * text, len(starts[0]) - 1 + text), _MOST_TOKENS),
            return_scores=True,
            **asked,
        )
        return [self._decoded(result, judged=asked["return_no_speech_prob"]) for result in results]

    def align(self, encoded: Encoded, window: int, start: Tokens, text: Tokens) -> Aligned:
        """Decoding tells probabilities for greedy search only; this does for any text, in one pass."""
        # CTranslate2 adds the last token of the start, <|notimestamps|>, itself.
        # All of the window: what follows the words belongs to the end of the text, which else takes theirs.
        (aligned,) = self._model.align(encoded, start[:-1], [text], [window])
        begins = dict(reversed(aligned.alignments))
        times = [begins[n] * _MOMENT for n in range(len(text) + 1)]
        return Aligned(times, [math.log(max(p, 1e-10)) for p in aligned.text_token_probs])

    def _tokenizer(self, language: str | None, task: Task = "transcribe") -> Tokenizer:
        return Tokenizer(self._loaded.hf_tokenizer, self.is_multilingual, task, language)

    def _knows(self, language: str) -> bool:
        return language == "en" or self._loaded.hf_tokenizer.token_to_id(f"<|{language}|>") is not None

    def _decoded(self, result: Any, *, judged: bool) -> Decoded:
        end_of_text = self._loaded.hf_tokenizer.token_to_id("<|endoftext|>")
        tokens = [token for token in result.sequences_ids[0] if token < end_of_text]
        # The score is the mean over the tokens, given ones counted as certain; Whisper's thresholds count the
        # end of the text as one more.
        mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decoded(tokens, mean, result.no_speech_prob if judged else None)


def fitting(device: str, compute_type: str) -> tuple[str, str]:
    """What "auto" and "default" stand for on this machine."""
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if compute_type == "default":
        compute_type = "float16" if device == "cuda" else "int8"
    return device, compute_type


def parts(stack: Encoded, count: int) -> list[Encoded]:
    """What was encoded together, one by one."""
    if count == 1:
        return [stack]
    on_cpu = np.array(stack.to_device(ctranslate2.Device.cpu))
    return [ctranslate2.StorageView.from_array(part) for part in np.split(on_cpu, count)]


def _padded(frames: Frames, window: int) -> Frames:
    mel = normalised(frames)
    return np.pad(mel, ((0, 0), (0, window - mel.shape[1])))
