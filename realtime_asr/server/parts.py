"""What was chosen to listen with, made from the settings. Heavy libraries are imported only if chosen."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, assert_never

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Engine, Model, Passed, UnusableModel
from realtime_asr.engines.host import has_gpu, plan, usable_cores
from realtime_asr.engines.recording import transcribe
from realtime_asr.server.harvest import kept_in, known_phrases
from realtime_asr.server.models import NamedModel, named_models, public_name
from realtime_asr.server.settings import BadSettings, Settings
from realtime_asr.session.config import NoiseReduction
from realtime_asr.transcript.request import TurnRequest

if TYPE_CHECKING:
    from realtime_asr.engines.backend import Load


def engines(
    settings: Settings, watch: Callable[[Passed], None] = lambda _: None
) -> Callable[[NamedModel], Engine]:
    """Made, not loaded: that may wait until somebody wants the model. `watch` is told of every pass.

    Raises BadSettings where a package is missing, and UnusableModel where a device is.
    """
    match settings.engine:
        case "faster_whisper" | "openvino":
            models = _whispers(settings)
            return lambda named: _batching(models(named), settings, named, watch)
        case "openai_http":
            return lambda named: _remote(settings, named, watch)
        case "replay":
            from realtime_asr.engines.replay import ReplayEngine  # noqa: PLC0415

            return lambda _: ReplayEngine(settings.replay_script)
        case _:
            assert_never(settings.engine)


def runs_on(settings: Settings, named: NamedModel) -> Mapping[str, str]:
    """Engine, device and number format, for those who look; as chosen, where it is known how one does."""
    match settings.engine:
        case "faster_whisper":
            from realtime_asr.engines.faster_whisper import fitting  # noqa: PLC0415

            device, compute_type = fitting(named.device, named.compute_type)
        case "openvino":
            device, compute_type = named.device, named.compute_type
        case _:
            return {"engine": settings.engine}
    return {"engine": settings.engine, "device": device, "compute_type": compute_type}


def scorers(settings: Settings) -> Callable[[], SpeechScorer]:
    """Raises BadSettings where the package for what was chosen is not installed, and UnusableModel where its
    device is not there.
    """
    match _suited_vad(settings) if settings.vad == "auto" else settings.vad:
        case "silero":
            from realtime_asr.detectors.silero import load_silero  # noqa: PLC0415

            return load_silero()
        case "webrtc":
            try:
                from realtime_asr.detectors.webrtc import WebrtcScorer  # noqa: PLC0415
            except ModuleNotFoundError:
                raise BadSettings([_NO_WEBRTC]) from None
            return WebrtcScorer
        case "energy":
            from realtime_asr.detectors.energy import EnergyScorer  # noqa: PLC0415

            return EnergyScorer
        case _:
            assert_never(settings.vad)


def _suited_vad(settings: Settings) -> Literal["silero", "webrtc"]:
    """Where an accelerator does the listening, cores are scarce: Silero takes four times as much of them."""
    accelerated = settings.engine == "openvino" and _is_accelerated(settings, settings.device)
    return "webrtc" if accelerated and find_spec("webrtcvad") else "silero"


_NO_WEBRTC: Final = "vad: webrtc needs another package: install it with `pip install 'realtime-asr[webrtc]'`."


def denoisers(settings: Settings) -> Callable[[NoiseReduction], Denoiser] | None:
    """None without the extra that brings one."""
    if settings.noise_reduction == "off" or find_spec("webrtc_noise_gain") is None:
        return None
    from realtime_asr.denoisers.webrtc import webrtc_denoiser  # noqa: PLC0415

    return webrtc_denoiser


def ears(settings: Settings) -> Callable[[Samples], str]:
    """The main model, loaded and asked directly, without a detector that would spare it what is no speech.

    It takes what it is known to make up for as good as anything else. Raises UnusableModel, and BadSettings
    where the model is elsewhere.
    """
    if settings.engine == "openai_http":
        raise BadSettings([_NOT_HERE])
    main, *_ = named_models(settings, {}).values()
    model = _whispers(settings, knowing_phrases=False)(main)
    model.load()
    request = TurnRequest(public_name(main.model))
    return lambda samples: transcribe(model, samples, request).text


_NOT_HERE: Final = (
    "engine: this loads the model, which openai_http does not: choose faster_whisper or openvino."
)


def _whispers(settings: Settings, *, knowing_phrases: bool = True) -> Callable[[NamedModel], Model]:
    from realtime_asr.engines.backend import WhisperSettings  # noqa: PLC0415
    from realtime_asr.engines.bundled import BUNDLED  # noqa: PLC0415
    from realtime_asr.engines.whisper import Whisper  # noqa: PLC0415

    load = _openvino(settings) if settings.engine == "openvino" else _faster_whisper()

    def make(named: NamedModel) -> Model:
        workers, threads = _shares(settings, named)
        phrases = _false_phrases(settings, named) if knowing_phrases else frozenset[str]()
        return Whisper(
            WhisperSettings(
                model=str(BUNDLED) if named.model == "bundled" else named.model,
                device=named.device,
                compute_type=named.compute_type,
                cpu_threads=threads,
                workers=workers,
                beam_size=named.beam_size,
                final_window=None if named.final_window == "auto" else named.final_window,
                together=_is_accelerated(settings, named.device),
                cache=settings.state_folder / "openvino",
                false_phrases=phrases,
            ),
            load,
        )

    return make


def _faster_whisper() -> "Load":
    from realtime_asr.engines.faster_whisper import load_faster_whisper  # noqa: PLC0415

    return load_faster_whisper


def _openvino(settings: Settings) -> "Load":
    # Also of models that are not loaded yet: nobody wants to find out when the first turn comes.
    for model in named_models(settings, settings.models).values():
        _is_accelerated(settings, model.device)
    from realtime_asr.engines.openvino.loading import load_openvino  # noqa: PLC0415

    return load_openvino


_NO_OPENVINO: Final = (
    "engine: openvino needs another package: install it with `pip install 'realtime-asr[openvino]'`."
)


def _batching(model: Model, settings: Settings, named: NamedModel, watch: Callable[[Passed], None]) -> Engine:
    workers, _ = _shares(settings, named)
    return BatchingEngine(
        model,
        workers=workers,
        partial_every_seconds=named.partial_every,
        prepares=named.prepare,
        pass_seconds=named.pass_seconds,
        watch=watch,
    )


def _remote(settings: Settings, named: NamedModel, watch: Callable[[Passed], None]) -> Engine:
    # A tenth of a second to import.
    from realtime_asr.engines.openai_http.endpoint import Endpoint, RemoteSettings  # noqa: PLC0415
    from realtime_asr.engines.openai_http.engine import RemoteEngine  # noqa: PLC0415

    endpoint = Endpoint(
        RemoteSettings(
            url=str(named.remote_url),
            model=named.model,
            key=named.remote_key.get_secret_value() if named.remote_key else "",
            pass_seconds=named.pass_seconds,
            false_phrases=_false_phrases(settings, named),
        )
    )
    return RemoteEngine(
        endpoint,
        workers=named.workers or _REQUESTS,
        partial_every_seconds=named.partial_every,
        prepares=named.prepare,
        watch=watch,
    )


_REQUESTS: Final = 8
"""At once, where nobody says what the remote bears."""


def _shares(settings: Settings, named: NamedModel) -> tuple[int, int]:
    gpu = _is_accelerated(settings, named.device)
    return plan(usable_cores(), gpu=gpu, workers=named.workers, threads=named.cpu_threads)


def _is_accelerated(settings: Settings, device: str) -> bool:
    """On this machine, it is more than a CPU. Raises UnusableModel where OpenVINO does not find it."""
    if settings.engine != "openvino":
        return device == "cuda" or (device == "auto" and has_gpu())
    try:
        from realtime_asr.engines.openvino.loading import is_accelerated  # noqa: PLC0415
    except ModuleNotFoundError:
        raise BadSettings([_NO_OPENVINO]) from None
    return is_accelerated(device)


def _false_phrases(settings: Settings, named: NamedModel) -> frozenset[str]:
    try:
        return known_phrases(kept_in(settings), public_name(named.model))
    except ValueError as broken:
        raise UnusableModel(str(broken)) from broken
