"""Silero's speech model, the copy that ships with faster-whisper, judging one window at a time."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.timeline import WINDOW, Samples

_CONTEXT = 64
_STATE = (1, 1, 128)

# Root mean square of what nobody hears. Speech scaled down to this level never scored above 0.08; an open
# line, dithered silence and a muted microphone stay below it.
_AUDIBLE = 1e-4

# Windows of inaudible audio the model still hears, so that it follows the gaps inside words: 256 ms.
_PATIENCE = 8


def load_silero() -> Callable[[], SpeechScorer]:
    """Loads the model once; what comes back makes one scorer per session, all sharing it."""
    # Found without importing: the package brings CTranslate2 along, which a scorer has no use for.
    package = find_spec("faster_whisper")
    assert package is not None, "faster-whisper is installed with us"
    asset = Path(str(package.origin)).parent / "assets" / "silero_vad_v6.onnx"
    model = onnxruntime.InferenceSession(
        asset.read_bytes(), sess_options=_single_threaded(), providers=["CPUExecutionProvider"]
    )
    return lambda: SileroScorer(model)


class SileroScorer:
    """Hears a stream window by window, and sleeps while there is nothing to hear.

    Falling asleep forgets all that was heard: the next audible window meets a model as fresh as the session's
    first. That is better than running on. The model's cell state drifts in silence: after ten seconds of it
    speech was noticed up to seven windows late, by a fresh model after three at most.
    """

    tells_voices = True

    def __init__(self, model: onnxruntime.InferenceSession) -> None:
        self._model = model
        self._inaudible = 0
        self._hidden, self._cell, self._context = _nothing_heard()

    def score(self, window: Samples) -> float:
        assert len(window) == WINDOW, len(window)
        self._inaudible = self._inaudible + 1 if _inaudible(window) else 0
        if self._inaudible > _PATIENCE:
            if self._inaudible == _PATIENCE + 1:
                self._hidden, self._cell, self._context = _nothing_heard()
            return 0.0
        return self._run(window)

    def _run(self, window: Samples) -> float:
        heard = np.concatenate((self._context, window), dtype=np.float32)
        probability, self._hidden, self._cell = self._model.run(
            None, {"input": heard[np.newaxis], "h": self._hidden, "c": self._cell}
        )
        self._context = heard[-_CONTEXT:].copy()
        return float(probability[0])


def _nothing_heard() -> tuple[Samples, Samples, Samples]:
    return np.zeros(_STATE, np.float32), np.zeros(_STATE, np.float32), np.zeros(_CONTEXT, np.float32)


def _inaudible(window: Samples) -> bool:
    return float(np.dot(window, window)) < len(window) * _AUDIBLE**2


def _single_threaded() -> onnxruntime.SessionOptions:
    # A window is a tenth of a millisecond of work: threads would only spin between two of them.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options
