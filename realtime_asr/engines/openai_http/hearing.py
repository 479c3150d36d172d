"""One turn as a remote engine hears it: from its beginning, each time."""

from dataclasses import dataclass

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.engine import Text
from realtime_asr.engines.hearing import TAIL
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What one pass hears. It is a `Work`."""

    request: TurnRequest
    audio: bytes
    """PCM16 at 16 kHz."""
    voice: float = 1.0
    """How sure a detector was, at its surest, that somebody speaks."""
    voiced: int | None = None
    whole: bool = True
    """An endpoint takes a recording of any length."""

    @property
    def detailed(self) -> bool:
        """Somebody wants to know when its words are said, which takes most models longer."""
        return self.request.word_times and self.voiced is not None

    @property
    def length(self) -> int:
        """In samples."""
        return len(self.audio) // 2


class RemoteHearing:
    """It is a `Heard`. Nothing is ever settled: whether a remote goes on from given words nobody knows."""

    preface = outline = ""

    def __init__(self, request: TurnRequest) -> None:
        self.request = request
        self._audio = bytearray()
        self._voice = 1.0

    @property
    def fed(self) -> int:
        return len(self._audio) // 2

    @property
    def stretch(self) -> int:
        return self.fed

    def feed(self, heard: Samples, voice: float) -> None:
        self._audio += encode_pcm16(heard)
        self._voice = voice

    def guess(self) -> Recording:
        return Recording(self.request, bytes(self._audio), self._voice)

    def verdict(self, voiced: int) -> Recording:
        return Recording(self.request, bytes(self._audio[: 2 * (voiced + TAIL)]), self._voice, voiced)

    def learn(self, done: Recording, text: Text) -> Hypothesis | None:
        if text.doubt is not None and done.voiced is None:
            return None
        return Hypothesis(text.words, language=text.language, heard=done.length, quality=text.quality)
