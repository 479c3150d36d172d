"""Whisper through CTranslate2, with faster-whisper's loader, features and tokenizer.

`WhisperModel.transcribe` is not used: it pads each pass to 30 s, fifteen times the cost of a window that fits
five seconds of speech, and it encodes twice to detect the language. The passes drive CTranslate2 directly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.utils import _MODELS as HUB_NAMES
from huggingface_hub import snapshot_download

from realtime_asr.audio.timeline import RATE, Samples, seconds
from realtime_asr.engines.cutting import pieces
from realtime_asr.engines.engine import Capabilities, EngineError, Job, UnusableModel
from realtime_asr.transcript.credibility import Credible, Evidence, Incredible, judge
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest

_FILES = ("config.json", "model.bin", "tokenizer.json", "preprocessor_config.json", "vocabulary.*")
_NEEDED = ("config.json", "model.bin", "tokenizer.json")

_SHORTEST_WINDOW = 100  # mel frames: a second
_MARGIN = 50  # mel frames of nothing after the audio, so that the last word is heard to end

_LADDER = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_SAMPLED = 5  # candidates drawn at each temperature above zero

# Speech has three to five tokens a second. What writes more than eight is in a loop.
_TOKENS_PER_SECOND = 8
_SPARE_TOKENS = 8
_MOST_TOKENS = 448  # the length of Whisper's table of text positions
_CONTEXT = 100  # tokens for the prompt and as many for the keywords: half the table stays free for the text


@dataclass(frozen=True, slots=True)
class FasterWhisperSettings:
    model: str
    """A folder with a converted model, a size such as `small.en`, or `owner/name` on the Hugging Face Hub."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "default"
    """`default` is int8 on a CPU and float16 on a GPU."""
    cpu_threads: int = 0
    """Per worker; 0 leaves the choice to CTranslate2."""
    workers: int = 1
    beam_size: int = 5
    final_window: Literal["full", "short"] = "full"
    """Whisper was trained on windows padded to 30 s. A short one is cheaper, where the model bears it."""
    download_root: str | None = None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Audio of at most one window, encoded, with what the decoder is told beforehand."""

    encoded: ctranslate2.StorageView
    frames: int
    seconds: float
    tokenizer: Tokenizer
    prompt: list[int]


@dataclass(frozen=True, slots=True)
class _Guess:
    tokens: list[int]
    evidence: Evidence


class FasterWhisper:
    """A `Model`. Several workers may call it at once."""

    def __init__(self, settings: FasterWhisperSettings) -> None:
        self._settings = settings
        self._whisper: Any = None
        self._languages: frozenset[str] = frozenset()

    @property
    def capabilities(self) -> Capabilities:
        """Known once loaded."""
        assert self._whisper is not None, "the model is not loaded"
        return Capabilities(languages=self._languages)

    def load(self) -> None:
        self._whisper = _load(_folder(self._settings), self._settings)
        self._languages = _languages(self._whisper)
        silence = np.zeros(RATE, np.float32)
        try:
            self._hear(
                silence, Job(silence, TurnRequest(self._settings.model, logprobs=True), final=True), "en"
            )
        except (RuntimeError, ValueError) as problem:
            # Some libraries of a GPU are only missed by the first pass.
            raise UnusableModel(
                f"The model '{self._settings.model}' loads but does not run: {problem}"
            ) from problem

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Hypothesis | EngineError]:
        return [self._answer(job) for job in batch]

    def _answer(self, job: Job) -> Hypothesis | EngineError:
        language = job.request.language
        if language is not None and language not in self._languages:
            return EngineError(f"The model does not know the language '{language}'.")
        try:
            return self._transcribe(job)
        except (RuntimeError, ValueError) as problem:  # what CTranslate2 raises
            error = EngineError("The model failed on this turn.")
            error.__cause__ = problem
            return error

    def _transcribe(self, job: Job) -> Hypothesis:
        words: list[Word] = []
        language = job.request.language
        for piece in pieces(job.audio):
            heard, language = self._hear(piece, job, language)
            words += heard
        return Hypothesis(tuple(words), final=job.final, language=language)

    def _hear(self, audio: Samples, job: Job, language: str | None) -> tuple[list[Word], str | None]:
        features = self._features(audio, full=job.final and self._settings.final_window == "full")
        encoded = self._whisper.encode(features)
        if language is None and self._whisper.model.is_multilingual:
            language = self._detect(encoded, job.request.languages)
        tokenizer = Tokenizer(
            self._whisper.hf_tokenizer, self._whisper.model.is_multilingual, "transcribe", language
        )
        prompt = self._prompt(tokenizer, job.request)
        stretch = _Stretch(encoded, features.shape[1], seconds(len(audio)), tokenizer, prompt)
        tokens = self._final(stretch) if job.final else self._partial(stretch)
        return self._words(tokens, stretch, logprobs=job.request.logprobs), language

    def _features(self, audio: Samples, *, full: bool) -> Samples:
        extractor = self._whisper.feature_extractor
        frames = extractor.nb_max_frames
        if not full:
            frames = min(max(len(audio) // extractor.hop_length + _MARGIN, _SHORTEST_WINDOW), frames)
        mel = extractor(audio)[:, :frames]
        padded: Samples = np.pad(mel, ((0, 0), (0, frames - mel.shape[1])))
        return padded

    def _detect(self, encoded: ctranslate2.StorageView, candidates: Sequence[str]) -> str:
        ranked: list[str] = [mark[2:-2] for mark, _ in self._whisper.model.detect_language(encoded)[0]]
        return next((language for language in ranked if language in candidates), ranked[0])

    def _prompt(self, tokenizer: Tokenizer, request: TurnRequest) -> list[int]:
        context: list[int] = []
        if request.keywords:
            context += tokenizer.encode(" " + ", ".join(request.keywords))[:_CONTEXT]
        if request.prompt:
            context += tokenizer.encode(" " + request.prompt.strip())[-_CONTEXT:]
        prompt: list[int] = self._whisper.get_prompt(tokenizer, context, without_timestamps=True)
        return prompt

    def _partial(self, stretch: _Stretch) -> list[int]:
        """Quick and bounded; better nothing than what nobody said."""
        most = round(stretch.seconds * _TOKENS_PER_SECOND) + _SPARE_TOKENS
        # New tokens get half of max_length, or what the prompt leaves of it, whichever is less.
        length = min(max(2 * most, len(stretch.prompt) + most), _MOST_TOKENS)
        guess = self._guess(stretch, beam_size=1, max_length=length)
        return guess.tokens if judge(guess.evidence) == Credible() else []

    def _final(self, stretch: _Stretch) -> list[int]:
        """Tries ever more daring temperatures until the text is credible; else takes the least bad of all."""
        rejected: list[tuple[bool, float, list[int]]] = []
        for temperature in _LADDER:
            guess = self._guess(stretch, **self._search(temperature))
            match judge(guess.evidence):
                case Credible():
                    return guess.tokens
                case Incredible("no_speech"):
                    return []
                case Incredible(reason):
                    rejected.append((reason != "repetition", guess.evidence.mean_logprob, guess.tokens))
                case impossible:
                    assert_never(impossible)
        return max(rejected)[-1]

    def _search(self, temperature: float) -> dict[str, Any]:
        if temperature == 0:
            return {"beam_size": self._settings.beam_size}
        return {
            "beam_size": 1,
            "num_hypotheses": _SAMPLED,
            "sampling_topk": 0,
            "sampling_temperature": temperature,
        }

    def _guess(self, stretch: _Stretch, **search: Any) -> _Guess:
        result = self._whisper.model.generate(
            stretch.encoded, [stretch.prompt], return_scores=True, return_no_speech_prob=True, **search
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < stretch.tokenizer.eot]
        # The score is the mean over the tokens; Whisper's thresholds count the end of the text as one more.
        mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = stretch.tokenizer.decode(tokens)
        return _Guess(tokens, Evidence(text, stretch.seconds, mean, result.no_speech_prob))

    def _words(self, tokens: list[int], stretch: _Stretch, *, logprobs: bool) -> list[Word]:
        if not tokens:
            return []
        texts, parts = stretch.tokenizer.split_to_word_tokens(tokens)
        if not logprobs:
            return [Word(text) for text in texts]
        left = iter(self._logprobs(tokens, stretch))
        return [Word(text, sum(next(left) for _ in part)) for text, part in zip(texts, parts, strict=True)]

    def _logprobs(self, tokens: list[int], stretch: _Stretch) -> list[float]:
        """Of each token, given those before it.

        Generating returns them for greedy search only; aligning does for any text, in one parallel pass.
        """
        before_text = stretch.prompt[:-1]  # align adds the last token, <|notimestamps|>, itself
        aligned = self._whisper.model.align(stretch.encoded, before_text, [tokens], [stretch.frames])[0]
        return [math.log(max(probability, 1e-10)) for probability in aligned.text_token_probs]


def _folder(settings: FasterWhisperSettings) -> str:
    name = settings.model
    folder = Path(name).expanduser()
    if folder.is_dir():
        missing = [file for file in _NEEDED if not (folder / file).is_file()]
        if missing:
            lacks = " and ".join(missing)
            raise UnusableModel(f"The folder '{name}' holds no model converted for CTranslate2: no {lacks}.")
        return str(folder)
    if name.startswith(("/", ".", "~")):
        raise UnusableModel(f"The model folder '{name}' does not exist.")
    if name not in HUB_NAMES and name.count("/") != 1:
        raise UnusableModel(
            f"There is no model '{name}'. Name a folder, 'owner/name' on the Hugging Face Hub, "
            f"or one of {', '.join(HUB_NAMES)}."
        )
    return _download(HUB_NAMES.get(name, name), settings.download_root)


def _download(repository: str, root: str | None) -> str:
    # Not faster-whisper's own download_model: it hides the progress.
    try:
        return snapshot_download(repository, allow_patterns=list(_FILES), cache_dir=root)
    except (OSError, ValueError) as problem:
        reason = str(problem).partition("\n")[0]
        raise UnusableModel(
            f"The model '{repository}' is not on this machine, and fetching it from the Hugging Face Hub "
            f"failed: {reason}"
        ) from problem


def _load(folder: str, settings: FasterWhisperSettings) -> Any:
    device, compute_type = settings.device, settings.compute_type
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if compute_type == "default":
        compute_type = "float16" if device == "cuda" else "int8"
    try:
        return WhisperModel(
            folder,
            device=device,
            compute_type=compute_type,
            cpu_threads=settings.cpu_threads,
            num_workers=settings.workers,
        )
    except (RuntimeError, ValueError) as problem:
        raise UnusableModel(
            f"The model '{settings.model}' cannot be loaded on device '{device}' with compute type "
            f"'{compute_type}': {problem}"
        ) from problem


def _languages(whisper: Any) -> frozenset[str]:
    known = whisper.hf_tokenizer.token_to_id
    return frozenset(
        language
        for language in whisper.supported_languages
        if language == "en" or known(f"<|{language}|>") is not None
    )
