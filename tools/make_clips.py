"""Speaks the sentences of tests/speech with espeak-ng: `python -m tools.make_clips`.

Of several voices each clip gets the first that the bundled model understands without a mistake.
"""

import json
import subprocess
import wave
from collections.abc import Iterator

import numpy as np
import soxr

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples, samples
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import EngineError, Job
from realtime_asr.engines.faster_whisper import FasterWhisper, FasterWhisperSettings
from realtime_asr.transcript.request import TurnRequest
from tests.speech import CLIPS, FOLDER, word_error_rate

_VOICES = ("en-us", "en-us+f2", "en", "en-us+m3")
_PAUSE = np.zeros(samples(1500), np.float32)

_SENTENCES = {
    "morning": ("Good morning, everybody. My name is Anna.",),
    "door": ("Wait ten seconds, then close the door.",),
    "bridge": ("The king found the wooden bridge near the river.",),
    "window": ("Daniel closed the small window because the wind was very strong.",),
    "monday": ("We leave London on Monday, March twenty two.",),
    "pause": ("The farmer sold the old horse in the village.", "My brother likes the warm soup."),
}


def main() -> None:
    model = FasterWhisper(FasterWhisperSettings(str(BUNDLED), device="cpu"))
    model.load()
    texts = {}
    for name, sentences in _SENTENCES.items():
        parts = [_best(model, sentence) for sentence in sentences]
        audio = np.concatenate([piece for part in parts for piece in (part, _PAUSE)][:-1])
        _write(name, audio)
        texts[f"{name}.wav"] = " ".join(sentences)
        print(f"{name}: {len(audio) / RATE:.1f} s")
    CLIPS.write_text(json.dumps(texts, indent=2) + "\n")


def _best(model: FasterWhisper, sentence: str) -> Samples:
    takes = [_speak(sentence, voice) for voice in _VOICES]
    return min(takes, key=lambda take: max(word_error_rate(sentence, text) for text in _heard(model, take)))


def _heard(model: FasterWhisper, audio: Samples) -> Iterator[str]:
    """In the full window of a final, in the short one of a partial."""
    request = TurnRequest("bundled")
    for answer in model.transcribe([Job(audio, request, final=True), Job(audio, request, final=False)]):
        assert not isinstance(answer, EngineError), answer
        yield answer.text


def _speak(sentence: str, voice: str) -> Samples:
    command = ["espeak-ng", "-v", voice, "-s", "165", "--stdout", sentence]
    recording = subprocess.run(command, check=True, capture_output=True).stdout
    # The header is not to be trusted when espeak-ng writes to a pipe: it does not know the length yet.
    spoken = np.frombuffer(recording[44:], "<i2").astype(np.float32) / 32768
    resampled: Samples = soxr.resample(spoken, 22_050, RATE).astype(np.float32)
    return resampled


def _write(name: str, audio: Samples) -> None:
    with wave.open(str(FOLDER / f"{name}.wav"), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        recording.writeframes(encode_pcm16(audio))


if __name__ == "__main__":
    main()
