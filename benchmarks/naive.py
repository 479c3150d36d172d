"""The gateway with live text made the usual way: `python -m benchmarks.naive serve ...`, for comparison.

Every guess decodes the whole turn again in Whisper's 30 s window, and so does the final.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from unittest.mock import patch

from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Engine, EngineError, Job, Text
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.whisper import Whisper, _Task
from realtime_asr.server.commands.cli import main
from realtime_asr.server.models import NamedModel


class NaiveWhisper(Whisper):
    """Knows nothing of what was heard before. Words without times are never settled."""

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Text | EngineError]:
        return super().transcribe([replace(job, given=(), spoken_before="", detailed=False) for job in batch])

    def _task(self, job: Job) -> _Task:
        return replace(super()._task(job), window=3000)


def naive_engines(*_: object) -> Callable[[NamedModel], Engine]:
    def make(named: NamedModel) -> Engine:
        model = NaiveWhisper(WhisperSettings(named.model, device="cpu", cpu_threads=1), load_faster_whisper)
        return BatchingEngine(model, partial_every_seconds=named.partial_every, prepares=False)

    return make


if __name__ == "__main__":
    with patch("realtime_asr.server.app.engines", naive_engines):
        sys.exit(main())
