"""A Whisper in CTranslate2, which is what faster-whisper runs.

faster-whisper loads it. Its `transcribe` is not used: that pads each pass to 30 s, fifteen times the cost of
a window that fits five seconds of speech, and encodes twice to detect the language.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.backend import Aligned, Decoded, Encoded, Search, WhisperSettings
from realtime_asr.engines.mel import Frames, windows
from realtime_asr.engines.model_folder import CTRANSLATE2, model_folder
from realtime_asr.engines.vocabulary import Tokens, Vocabulary

_MOST_TOKENS: Final = 448  # the length of Whisper's table of text positions
_MOMENT: Final = samples(20)  # a step of the encoder's output


def load_faster_whisper(settings: WhisperSettings) -> "FasterWhisper":
    folder = model_folder(settings.model, [CTRANSLATE2], settings.download_root)
    device, compute_type = fitting(settings.device, settings.compute_type)
    return FasterWhisper(folder, device, compute_type, settings.cpu_threads, settings.workers)


class FasterWhisper:
    """A `Backend`."""

    def __init__(self, folder: Path, device: str, compute_type: str, threads: int, workers: int) -> None:
        self._loaded = WhisperModel(
            str(folder), device=device, compute_type=compute_type, cpu_threads=threads, num_workers=workers
        )
        self._model = self._loaded.model
        self.folder = folder
        self.vocabulary = Vocabulary(self._loaded.hf_tokenizer, is_multilingual=self._model.is_multilingual)
        # The weights know: the file that tells the extractor may be missing.
        self.bands: int = self._model.n_mels
        self._end = self.vocabulary.mark("endoftext")

    def encode(self, stack: Sequence[Frames], window: int) -> Encoded:
        return self._loaded.encode(windows(stack, window))

    def parts(self, stack: Encoded) -> list[Encoded]:
        if stack.shape[0] == 1:
            return [stack]
        # In single precision, as NumPy knows no bfloat16.
        on_cpu = np.array(stack.to_device(ctranslate2.Device.cpu).to(ctranslate2.DataType.float32))
        return [ctranslate2.StorageView.from_array(part) for part in np.split(on_cpu, len(on_cpu))]

    def likelihoods(self, encoded: Encoded) -> list[dict[str, float]]:
        ranked = self._model.detect_language(encoded)
        marks = ({mark[2:-2]: likelihood for mark, likelihood in one} for one in ranked)
        return [{code: p for code, p in one.items() if code in self.vocabulary.languages} for one in marks]

    def decode(
        self, encoded: Encoded, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        text = len(given[0]) + most
        results = self._model.generate(
            encoded,
            [start + words for start, words in zip(starts, given, strict=True)],
            # All text gets half of max_length, or what the start leaves of it, whichever is less.
            max_length=min(max(2 * text, len(starts[0]) - 1 + text), _MOST_TOKENS),
            # Else the text could not end right after what is given.
            suppress_blank=not given[0],
            return_scores=True,
            return_no_speech_prob=search.judged,
            **_options(search),
        )
        return [self._decoded(result, judged=search.judged) for result in results]

    def align(self, encoded: Encoded, start: Tokens, text: Tokens) -> Aligned:
        # CTranslate2 adds the last token of the start, <|notimestamps|>, itself.
        # All of the window: what follows the words belongs to the end of the text, which else takes theirs.
        (aligned,) = self._model.align(encoded, start[:-1], [text], [2 * encoded.shape[1]])
        begins = dict(reversed(aligned.alignments))
        times = [begins[n] * _MOMENT for n in range(len(text) + 1)]
        return Aligned(times, [math.log(max(p, 1e-10)) for p in aligned.text_token_probs])

    def _decoded(self, result: Any, *, judged: bool) -> Decoded:
        tokens = [token for token in result.sequences_ids[0] if token < self._end]
        # The score is the mean over the tokens, given ones counted as certain; Whisper's thresholds count the
        # end of the text as one more.
        mean = result.scores[0] * len(tokens) / (len(tokens) + 1)
        return Decoded(tokens, mean, result.no_speech_prob if judged else None)


def _options(search: Search) -> dict[str, Any]:
    """As CTranslate2 calls them."""
    if not search.temperature:
        return {"beam_size": search.beams}
    return {
        "beam_size": 1,
        "num_hypotheses": search.candidates,
        "sampling_topk": 0,
        "sampling_temperature": search.temperature,
    }


def fitting(device: str, compute_type: str) -> tuple[str, str]:
    """What "auto" and "default" stand for on this machine."""
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if compute_type == "default":
        compute_type = "float16" if device == "cuda" else "int8"
    return device, compute_type
