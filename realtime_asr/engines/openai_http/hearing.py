"""One turn as a remote engine hears it: from its beginning each time, and where it is long in pieces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from realtime_asr.audio.formats import Encoding, decode, encode_pcm16
from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.cutting import CHOICE, LONGEST, quietest
from realtime_asr.engines.engine import Text
from realtime_asr.engines.hearing import CONTEXT, TAIL, moved
from realtime_asr.engines.mel import HOP, MelSpectrogram
from realtime_asr.transcript.hypothesis import Hypothesis, Word, joined
from realtime_asr.transcript.request import TurnRequest

_BANDS: Final = 80


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What one pass hears. It is a `Work`."""

    request: TurnRequest
    audio: bytes
    """PCM16 at 16 kHz."""
    voice: float = 1.0
    """How sure a detector was, at its surest, that somebody speaks."""
    voiced: int | None = None
    start: int = 0
    """Where in the turn it begins."""
    whole: bool = True

    @property
    def detailed(self) -> bool:
        """Somebody wants to know when its words are said, which takes most models longer."""
        return self.request.word_times and self.voiced is not None

    @property
    def length(self) -> int:
        """In samples."""
        return len(self.audio) // 2

    @property
    def stop(self) -> int:
        return self.start + self.length


class RemoteHearing:
    """It is a `Heard`. While the turn grows nothing is settled: whether a remote goes on from given words
    nobody knows. What a verdict is too long for is settled piece by piece: endpoints, and what stands in
    front of them, limit how much they take at once.
    """

    preface = outline = ""

    def __init__(self, request: TurnRequest) -> None:
        self.request = request
        self._audio = bytearray()
        self._voice = 1.0
        self._settled: Sequence[Word] = ()
        self._start = 0
        self._language = request.language

    @property
    def fed(self) -> int:
        return len(self._audio) // 2

    @property
    def stretch(self) -> int:
        return self.fed - self._start

    def feed(self, heard: Samples, voice: float) -> None:
        self._audio += encode_pcm16(heard)
        self._voice = voice

    def guess(self) -> Recording:
        return self._recording(self.fed)

    def verdict(self, voiced: int) -> Recording:
        stop = min(voiced + TAIL, self.fed)
        if stop - self._start <= LONGEST:
            return replace(self._recording(stop), voiced=voiced)
        return replace(self._recording(self._cut()), voiced=voiced, whole=False)

    def learn(self, done: Recording, text: Text) -> Hypothesis | None:
        if text.doubt is not None and done.voiced is None:
            return None
        words = (*self._settled, *(moved(word, lambda at: done.start + at) for word in text.words))
        if not done.whole:
            self._settled, self._start = words, done.stop
            self._learn_language(text)
        return Hypothesis(
            words,
            language=text.language,
            heard=done.stop,
            settled=len(self._settled),
            quality=text.quality,
        )

    def _recording(self, stop: int) -> Recording:
        return Recording(self._request, self._between(self._start, stop), self._voice, start=self._start)

    @property
    def _request(self) -> TurnRequest:
        """For what follows the settled words."""
        before = joined(self._settled[-CONTEXT:]) or self.request.spoken_before
        return replace(self.request, language=self._language, spoken_before=before)

    def _between(self, start: int, stop: int) -> bytes:
        return bytes(self._audio[2 * start : 2 * stop])

    def _cut(self) -> int:
        """The quietest point of the last seconds that a window holds."""
        earliest = self._start + LONGEST - CHOICE
        mel = MelSpectrogram(_BANDS)
        mel.feed(decode(self._between(earliest, earliest + CHOICE), Encoding.PCM16))
        return earliest + quietest(mel.frames(0, CHOICE)) * HOP

    def _learn_language(self, text: Text) -> None:
        """A piece may be too short to tell. Of a translation some endpoints tell the language it is in."""
        if text.words and self.request.task == "transcribe":
            self._language = self._language or text.language
