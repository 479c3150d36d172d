"""A whole recording, transcribed by a model alone: for tools that need no server."""

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.engine import EngineError, Model
from realtime_asr.engines.hearing import Hearing
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest


def transcribe(model: Model, recording: Samples, request: TurnRequest) -> Hypothesis:
    """Raises EngineError."""
    hearing = Hearing(request, model.bands)
    hearing.feed(recording)
    return conclude(model, hearing, len(recording))


def conclude(model: Model, hearing: Hearing, voiced: int) -> Hypothesis:
    """In thorough passes, as many as it takes. Raises EngineError."""
    while True:
        work = hearing.verdict(voiced)
        (text,) = model.transcribe([work.job])
        if isinstance(text, EngineError):
            raise text
        hypothesis = hearing.learn(work, text)
        if work.whole and hypothesis is not None:
            return hypothesis
