"""A Whisper in OpenVINO's own runtime.

OpenVINO's pipeline for Whisper is not used: it pads short windows to 30 s, cannot be given words to go on
from, and keeps to itself how likely its tokens are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.backend import Aligned, Decoded, Search
from realtime_asr.engines.mel import Frames
from realtime_asr.engines.openvino.reading import Contents
from realtime_asr.engines.openvino.running import Decoder, Encoder, Heard
from realtime_asr.engines.openvino.search import (
    Logits,
    Numbers,
    Opening,
    Text,
    beamed,
    drawn,
    greedy,
    log_shares,
)
from realtime_asr.engines.openvino.timing import begins
from realtime_asr.engines.vocabulary import Tokens

_MOMENT: Final = samples(20)  # a step of the encoder's output


class OpenVino:
    """A `Backend`."""

    def __init__(self, folder: Path, contents: Contents, encoder: Encoder, decoder: Decoder) -> None:
        self.folder = folder
        self.vocabulary = contents.vocabulary
        self.bands = contents.bands
        self._encoder, self._decoder = encoder, decoder
        self._end = self.vocabulary.mark("endoftext")
        self._begin = self.vocabulary.mark("startoftranscript")
        self._nobody = self.vocabulary.mark("nospeech", "nocaptions")
        self._never, self._not_first = contents.never, contents.not_first

    def encode(self, stack: Sequence[Frames], window: int) -> Heard:
        return self._encoder.encode(stack, window)

    def parts(self, stack: Heard) -> list[Heard]:
        return np.split(stack, len(stack))

    def likelihoods(self, encoded: Heard) -> list[dict[str, float]]:
        marks = {code: self.vocabulary.mark(code) for code in self.vocabulary.languages}
        with self._decoder.about(encoded) as reader:
            logits = reader.read(np.full((len(encoded), 1), self._begin), np.arange(len(encoded)))
            likely = np.exp(log_shares(logits[:, 0, list(marks.values())])).tolist()
        return [dict(zip(marks, one, strict=True)) for one in likely]

    def decode(
        self, encoded: Heard, starts: Sequence[Tokens], given: Sequence[Tokens], most: int, search: Search
    ) -> list[Decoded]:
        prompts = np.array([start + words for start, words in zip(starts, given, strict=True)])
        last = prompts.shape[1] - 1
        asked = [starts[0].index(self._begin), last] if search.judged else [last]
        with self._decoder.about(encoded) as reader:
            logits = reader.read(prompts, np.arange(len(prompts)), np.array(asked))
            nobody = self._nobody_spoke(logits[:, 0]) if search.judged else [None] * len(prompts)
            first = self._allowed(logits[:, -1])
            if not given[0]:
                first[:, self._not_first] = -np.inf

            def follow(tokens: Numbers, rows: Numbers) -> Logits:
                return self._allowed(reader.read(tokens[:, None], rows)[:, 0])

            opening = Opening(
                [tuple(words) for words in given], first, follow, self._end, min(most, reader.room)
            )
            texts = _found(opening, search)
        return [
            Decoded(list(text.tokens), text.mean, silence)
            for text, silence in zip(texts, nobody, strict=True)
        ]

    def align(self, encoded: Heard, start: Tokens, text: Tokens) -> Aligned:
        places = np.arange(len(start) - 1, len(start) + len(text))
        with self._decoder.about(encoded) as reader:
            logits = reader.read(np.array([start + text]), np.zeros(1, np.int64), places[:-1], places)[0]
            logprobs = np.take_along_axis(log_shares(logits), np.array(text)[:, None], axis=1)[:, 0]
            looks = reader.looks
        times = None if looks is None else [time * _MOMENT for time in begins(looks)]
        return Aligned(times, logprobs.tolist())

    def _nobody_spoke(self, logits: Logits) -> list[float | None]:
        """How likely that is, as Whisper says at the beginning of the transcript."""
        likely: list[float | None] = np.exp(log_shares(logits))[:, self._nobody].tolist()
        return likely

    def _allowed(self, logits: Logits) -> Logits:
        """Marks and stamps, whose numbers are above the end's, are not for texts."""
        logits[:, self._end + 1 :] = -np.inf
        logits[:, self._never] = -np.inf
        return logits


def _found(opening: Opening, search: Search) -> list[Text]:
    if search.temperature:
        return drawn(opening, search.temperature, search.candidates, np.random.default_rng())
    return beamed(opening, search.beams) if search.beams > 1 else greedy(opening)
