"""What was chosen to listen with, made from the settings. Heavy libraries are imported only if chosen."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import assert_never

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Engine, Model, Passed, UnusableModel
from realtime_asr.engines.host import has_gpu, plan, usable_cores
from realtime_asr.engines.recording import transcribe
from realtime_asr.server.harvest import kept_in, known_phrases
from realtime_asr.server.models import NamedModel, named_models, public_name
from realtime_asr.server.settings import Settings
from realtime_asr.session.config import NoiseReduction
from realtime_asr.transcript.request import TurnRequest


def engines(
    settings: Settings, watch: Callable[[Passed], None] = lambda _: None
) -> Callable[[NamedModel], Engine]:
    """Made, not loaded: that may wait until somebody wants the model. `watch` is told of every pass."""
    match settings.engine:
        case "faster_whisper":
            models = _faster_whisper(settings)
            return lambda named: _batching(models(named), named, watch)
        case "replay":
            from realtime_asr.engines.replay import ReplayEngine  # noqa: PLC0415

            return lambda _: ReplayEngine(settings.replay_script)
        case _:
            assert_never(settings.engine)


def scorers(settings: Settings) -> Callable[[], SpeechScorer]:
    match settings.vad:
        case "silero":
            from realtime_asr.detectors.silero import load_silero  # noqa: PLC0415

            return load_silero()
        case "energy":
            from realtime_asr.detectors.energy import EnergyScorer  # noqa: PLC0415

            return EnergyScorer
        case _:
            assert_never(settings.vad)


def denoisers(settings: Settings) -> Callable[[NoiseReduction], Denoiser] | None:
    """None without the extra that brings one."""
    if settings.noise_reduction == "off" or find_spec("webrtc_noise_gain") is None:
        return None
    from realtime_asr.denoisers.webrtc import webrtc_denoiser  # noqa: PLC0415

    return webrtc_denoiser


def ears(settings: Settings) -> Callable[[Samples], str]:
    """The main model, loaded and asked directly, without a detector that would spare it what is no speech.

    It takes what it is known to make up for as good as anything else. Raises UnusableModel.
    """
    main, *_ = named_models(settings, {}).values()
    model = _faster_whisper(settings, knowing_phrases=False)(main)
    model.load()
    request = TurnRequest(public_name(main.model))
    return lambda samples: transcribe(model, samples, request).text


def _faster_whisper(settings: Settings, *, knowing_phrases: bool = True) -> Callable[[NamedModel], Model]:
    from realtime_asr.engines.bundled import BUNDLED  # noqa: PLC0415
    from realtime_asr.engines.faster_whisper import FasterWhisper, FasterWhisperSettings  # noqa: PLC0415

    def make(named: NamedModel) -> Model:
        workers, threads = _shares(named)
        phrases = _false_phrases(settings, named) if knowing_phrases else frozenset[str]()
        return FasterWhisper(
            FasterWhisperSettings(
                model=str(BUNDLED) if named.model == "bundled" else named.model,
                device=named.device,
                compute_type=named.compute_type,
                cpu_threads=threads,
                workers=workers,
                beam_size=named.beam_size,
                final_window=None if named.final_window == "auto" else named.final_window,
                false_phrases=phrases,
            )
        )

    return make


def _batching(model: Model, named: NamedModel, watch: Callable[[Passed], None]) -> Engine:
    workers, _ = _shares(named)
    return BatchingEngine(
        model,
        workers=workers,
        partial_every_seconds=named.partial_every,
        prepares=named.prepare,
        pass_seconds=named.pass_seconds,
        watch=watch,
    )


def _shares(named: NamedModel) -> tuple[int, int]:
    gpu = named.device == "cuda" or (named.device == "auto" and has_gpu())
    return plan(usable_cores(), gpu=gpu, workers=named.workers, threads=named.cpu_threads)


def _false_phrases(settings: Settings, named: NamedModel) -> frozenset[str]:
    try:
        return known_phrases(kept_in(settings), public_name(named.model))
    except ValueError as broken:
        raise UnusableModel(str(broken)) from broken
