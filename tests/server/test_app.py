import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from realtime_asr.detectors.energy import EnergyScorer
from realtime_asr.detectors.silero import SileroScorer
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Capabilities, UnusableModel
from realtime_asr.engines.faster_whisper import FasterWhisper
from realtime_asr.server.app import Gateway
from realtime_asr.session.config import Transcription
from tests.fakes import ScriptedEngine
from tests.server.house import gateway, settings


class Patient(ScriptedEngine):
    """Loads when it is let."""

    def __init__(self, error: UnusableModel | None = None) -> None:
        super().__init__(capabilities=Capabilities(frozenset({"de"}), longest_turn_seconds=2.0))
        self.loaded = asyncio.Event()
        self._error = error

    async def start(self) -> None:
        await self.loaded.wait()
        if self._error is not None:
            raise self._error
        await super().start()


@dataclass
class House:
    gateway: Gateway
    client: httpx2.AsyncClient
    unusable: list[UnusableModel]

    async def ready(self) -> int:
        return (await self.client.get("/readyz")).status_code


@asynccontextmanager
async def opening(engine: ScriptedEngine) -> AsyncIterator[House]:
    house, unusable = gateway(), list[UnusableModel]()
    house.engine = house.sessions.engine = engine
    app = house.app(unusable.append)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield House(house, client, unusable)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_server_answers_while_its_model_is_loading() -> None:
    engine = Patient()
    async with opening(engine) as house:
        before = await house.ready()
        models = await house.client.get("/v1/models")
        engine.loaded.set()
        await settled()
        after = await house.ready()

    assert (503, 503, 200) == (before, models.status_code, after)
    assert not engine.running


async def test_what_the_engine_can_do_becomes_what_sessions_may() -> None:
    engine = Patient()
    engine.loaded.set()
    async with opening(engine) as house:
        await settled()
        limits = house.gateway.sessions.limits

    assert (frozenset({"de"}), 32_000) == (limits.languages, limits.longest_turn)


async def test_a_model_that_cannot_be_loaded_is_told_and_nobody_is_let_in() -> None:
    error = UnusableModel("The model is broken.")
    engine = Patient(error)
    async with opening(engine) as house:
        engine.loaded.set()
        await settled()

        assert (503, [error]) == (await house.ready(), house.unusable)


async def test_an_engine_that_breaks_while_it_starts_is_told_too() -> None:
    """Or the server would say for ever that it is not ready."""

    class Clumsy(ScriptedEngine):
        async def start(self) -> None:
            raise RuntimeError("a library is missing")

    async with opening(Clumsy()) as house:
        await settled()
        [error] = house.unusable

    assert "a library is missing" in str(error)


async def test_a_server_may_be_told_to_leave_before_it_is_ready() -> None:
    engine = Patient()

    async with opening(engine):
        pass

    assert not engine.running


def test_a_session_lasts_as_long_as_it_is_set() -> None:
    assert gateway(session_minutes=0.5).sessions.limits.session_seconds == 30.0


@pytest.mark.parametrize(("vad", "scorer"), [("silero", SileroScorer), ("energy", EnergyScorer)])
def test_speech_is_told_from_silence_by_what_was_chosen(vad: str, scorer: type) -> None:
    new_scorer = gateway(vad=vad).sessions.new_scorer

    assert isinstance(new_scorer(), scorer)
    assert new_scorer() is not new_scorer()


@pytest.mark.parametrize(
    ("model", "asked", "window"),
    [
        ("bundled", "auto", "short"),
        ("bundled", "full", "full"),
        ("tiny", "auto", "full"),
        ("tiny", "short", "short"),
    ],
)
def test_the_window_of_finals_follows_the_model_unless_it_is_set(model: str, asked: str, window: str) -> None:
    engine = Gateway(settings(engine="faster_whisper", model=model, final_window=asked)).engine

    assert isinstance(engine, BatchingEngine)
    assert isinstance(engine._model, FasterWhisper)
    assert engine._model._settings.final_window == window


@pytest.mark.parametrize(
    ("model", "asked", "beams"), [("bundled", None, 1), ("tiny", None, 5), ("bundled", 3, 3), ("tiny", 3, 3)]
)
def test_the_beams_of_finals_follow_the_model_unless_they_are_set(
    model: str, asked: int | None, beams: int
) -> None:
    engine = Gateway(settings(engine="faster_whisper", model=model, beam_size=asked)).engine

    assert isinstance(engine, BatchingEngine)
    assert isinstance(engine._model, FasterWhisper)
    assert engine._model._settings.beam_size == beams


def test_where_a_model_lies_is_not_told_to_clients(tmp_path: Path) -> None:
    folder = tmp_path / "whisper-acme"
    folder.mkdir()

    house = gateway(model=str(folder))

    assert house.sessions.limits.models.default == "whisper-acme"
    assert house.reception.config.transcription == Transcription("whisper-acme")
    assert {"whisper-acme"} == set(house.sessions.limits.models.aliases.values())
