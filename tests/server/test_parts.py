import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from realtime_asr.detectors.energy import EnergyScorer
from realtime_asr.detectors.silero import SileroScorer
from realtime_asr.engines import host
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import Passed, UnusableModel
from realtime_asr.engines.openai_http.endpoint import RemoteSettings
from realtime_asr.engines.openai_http.engine import RemoteEngine
from realtime_asr.engines.openvino import loading
from realtime_asr.engines.replay import ReplayEngine
from realtime_asr.engines.whisper import Whisper
from realtime_asr.server import parts
from realtime_asr.server.harvest import store
from realtime_asr.server.models import NamedModel, named_models
from realtime_asr.server.parts import denoisers, ears, engines, runs_on, scorers
from realtime_asr.server.settings import BadSettings
from realtime_asr.transcript.request import TurnRequest
from tests.server.house import settings
from tests.speech.clips import clip


def batching(model: NamedModel, **more: Any) -> BatchingEngine:
    engine = engines(settings(engine="faster_whisper", **more))(model)
    assert isinstance(engine, BatchingEngine)
    return engine


def whisper(model: NamedModel, **more: Any) -> WhisperSettings:
    engine = batching(model, **more)
    assert isinstance(engine._model, Whisper)
    return engine._model._settings


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def pretend(count: int) -> None:
        monkeypatch.setattr(parts, "usable_cores", lambda: count)
        monkeypatch.setattr(parts, "has_gpu", lambda: False)

    return pretend


@pytest.mark.parametrize(
    ("engine", "asked", "told"),
    [
        ("faster_whisper", {"device": "cpu"}, {"device": "cpu", "compute_type": "int8"}),
        ("faster_whisper", {"device": "cuda"}, {"device": "cuda", "compute_type": "float16"}),
        ("openvino", {"device": "cpu"}, {"device": "cpu", "compute_type": "default"}),
        ("replay", {"device": "cpu"}, {}),
        ("openai_http", {"device": "cpu"}, {}),
    ],
)
def test_what_a_model_runs_on_is_known(engine: str, asked: dict[str, Any], told: dict[str, str]) -> None:
    assert {"engine": engine, **told} == runs_on(settings(engine=engine), NamedModel(**asked))


def test_a_script_is_read_out_by_its_own_engine() -> None:
    assert isinstance(engines(settings())(NamedModel()), ReplayEngine)


async def test_who_watches_is_told_of_every_pass() -> None:
    told: list[Passed] = []
    engine = engines(settings(engine="faster_whisper"), told.append)(NamedModel())
    await engine.start()
    turn = engine.open(TurnRequest("bundled", source="sess_1/item_1"))
    turn.feed(clip("door").samples[:4_000])
    turn.finish(4_000)

    _ = [hypothesis async for hypothesis in turn.hypotheses()]
    await engine.stop()

    assert [("final", ["sess_1/item_1"], 4_000)] == [(one.kind, one.sources, one.audio) for one in told]


def test_the_bundled_model_lies_in_the_package() -> None:
    assert (str(BUNDLED), "small") == (whisper(NamedModel()).model, whisper(NamedModel(model="small")).model)


@pytest.mark.parametrize(("asked", "given"), [("auto", None), ("full", "full"), ("short", "short")])
def test_unless_set_the_model_itself_decides_on_the_window_of_finals(asked: Any, given: str | None) -> None:
    assert given == whisper(NamedModel(final_window=asked)).final_window


def test_the_cores_are_shared_out(cores: Callable[[int], None]) -> None:
    cores(8)

    shared, told = whisper(NamedModel()), whisper(NamedModel(workers=1))

    assert [(4, 2), (1, 8)] == [(each.workers, each.cpu_threads) for each in (shared, told)]
    assert 4 == batching(NamedModel())._workers


def test_a_gpu_gets_one_worker(cores: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    cores(8)
    told = whisper(NamedModel(device="cuda"))
    monkeypatch.setattr(parts, "has_gpu", lambda: True)

    found, cpu = whisper(NamedModel()), whisper(NamedModel(device="cpu"))

    assert [1, 1, 4] == [each.workers for each in (told, found, cpu)]


def test_whisper_may_run_in_openvino() -> None:
    hear = ears(settings(engine="openvino"))

    assert "Wait ten seconds, then close the door." == hear(clip("door").samples)


@pytest.mark.parametrize(("accelerated", "workers"), [(True, 1), (False, 4)])
def test_an_accelerator_of_openvino_gets_one_worker_that_makes_guesses_together(
    cores: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, *, accelerated: bool, workers: int
) -> None:
    cores(8)
    monkeypatch.setattr(loading, "is_accelerated", lambda _: accelerated)

    engine = engines(settings(engine="openvino"))(NamedModel())

    assert isinstance(engine, BatchingEngine)
    assert isinstance(engine._model, Whisper)
    assert (workers, accelerated) == (engine._workers, engine._model._settings.together)


def test_what_openvino_compiles_is_kept_with_what_else_is_found_out(tmp_path: Path) -> None:
    assert tmp_path / "openvino" == whisper(NamedModel(), state_folder=tmp_path).cache


def test_a_device_that_is_missing_is_told_before_anybody_wants_its_model() -> None:
    models = {"later": {"model": "tiny", "device": "NPU.7"}}

    with pytest.raises(UnusableModel, match=r"There is no device 'NPU\.7' on this machine\. OpenVINO finds"):
        engines(settings(engine="openvino", models=models))


def test_who_wants_openvino_without_its_package_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name in [name for name in sys.modules if name.startswith("realtime_asr.engines.openvino.")]:
        monkeypatch.delitem(sys.modules, name)

    for wants in (engines, scorers):
        with pytest.raises(BadSettings, match=r"pip install 'realtime-asr\[openvino\]'"):
            wants(settings(engine="openvino", vad="auto"))


def test_this_machine_has_a_core() -> None:
    assert host.usable_cores() >= 1


def test_what_a_model_is_known_to_make_up_is_known_to_it(tmp_path: Path) -> None:
    phrases = {"thank you for watching": {"music": 3}}
    store(tmp_path / "false_phrases", "small", phrases, datetime.now(UTC).date())

    knowing = whisper(NamedModel(model="small"), state_folder=tmp_path)
    other = whisper(NamedModel(model="tiny"), state_folder=tmp_path)

    assert "thank you for watching" in knowing.false_phrases
    assert "thank you for watching" not in other.false_phrases


def test_a_broken_file_of_phrases_makes_its_model_unusable(tmp_path: Path) -> None:
    (tmp_path / "false_phrases").mkdir()
    (tmp_path / "false_phrases" / "small.json").write_text("{")

    with pytest.raises(UnusableModel, match="harvest it again"):
        whisper(NamedModel(model="small"), state_folder=tmp_path)


def remote(**more: Any) -> RemoteEngine:
    house = settings(engine="openai_http", remote_url="http://127.0.0.1:9/v1", model="large", **more)
    engine = engines(house)(named_models(house, house.models)["large"])
    assert isinstance(engine, RemoteEngine)
    return engine


def test_somebody_else_may_listen(tmp_path: Path) -> None:
    store(tmp_path / "false_phrases", "large", {"thank you": {"silence": 3}}, datetime.now(UTC).date())

    engine = remote(
        remote_key="secret", pass_seconds=5, partial_every=1, prepare=False, state_folder=tmp_path
    )

    asked = RemoteSettings("http://127.0.0.1:9/v1", "large", "secret", 5.0, frozenset({"thank you"}))
    assert asked == engine._endpoint._settings
    assert (8, 16_000, False) == (engine._workers, engine._every, engine._prepares)


def test_what_a_remote_bears_can_be_set_and_a_key_need_not_be() -> None:
    engine = remote(workers=2)

    assert (2, "") == (engine._workers, engine._endpoint._settings.key)


def test_a_remote_model_cannot_be_asked_without_a_server() -> None:
    with pytest.raises(BadSettings, match="choose faster_whisper or openvino"):
        ears(settings(engine="openai_http"))


def test_a_model_may_be_asked_without_a_server() -> None:
    hear = ears(settings(engine="faster_whisper"))

    assert hear(clip("door").samples) != ""


@pytest.mark.parametrize(
    ("vad", "scorer"), [("auto", SileroScorer), ("silero", SileroScorer), ("energy", EnergyScorer)]
)
def test_speech_is_told_from_silence_by_what_was_chosen(vad: str, scorer: type) -> None:
    new_scorer = scorers(settings(vad=vad))

    assert isinstance(new_scorer(), scorer)
    assert new_scorer() is not new_scorer()


@pytest.mark.parametrize(
    ("engine", "device", "accelerated", "expected"),
    [
        ("openvino", "gpu.1", True, "webrtc"),
        ("openvino", "auto", True, "webrtc"),
        ("openvino", "cpu", False, "silero"),
        ("openvino", "auto", False, "silero"),
        ("faster_whisper", "cuda", True, "silero"),
    ],
)
def test_unless_told_webrtc_listens_where_openvino_has_an_accelerator(
    monkeypatch: pytest.MonkeyPatch, engine: str, device: str, *, accelerated: bool, expected: str
) -> None:
    host = settings(vad="auto").model_copy(update={"engine": engine, "device": device})
    library = ModuleType("realtime_asr.detectors.webrtc")
    library.WebrtcScorer = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, library.__name__, library)
    monkeypatch.setattr(parts, "find_spec", lambda _: object())
    monkeypatch.setattr(loading, "is_accelerated", lambda asked: accelerated and asked == device)

    assert (expected == "webrtc") == (scorers(host) is library.WebrtcScorer)


def test_unless_told_silero_listens_where_webrtc_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    host = settings(vad="auto").model_copy(update={"engine": "openvino", "device": "gpu"})
    monkeypatch.setattr(parts, "find_spec", lambda _: None)
    monkeypatch.setattr(loading, "is_accelerated", lambda _: True)

    assert isinstance(scorers(host)(), SileroScorer)


def test_who_wants_webrtc_without_its_package_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    monkeypatch.delitem(sys.modules, "realtime_asr.detectors.webrtc", raising=False)

    with pytest.raises(BadSettings, match=r"pip install 'realtime-asr\[webrtc\]'"):
        scorers(settings(vad="webrtc"))


def test_noise_is_reduced_where_the_extra_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ModuleType("realtime_asr.denoisers.webrtc")
    library.webrtc_denoiser = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, library.__name__, library)
    monkeypatch.setattr(parts, "find_spec", lambda _: object())

    assert denoisers(settings()) is library.webrtc_denoiser
    assert denoisers(settings(noise_reduction="off")) is None


def test_without_the_extra_noise_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda _: None)

    assert denoisers(settings()) is None
