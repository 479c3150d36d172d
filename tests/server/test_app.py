import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from realtime_asr.audio.formats import ULAW_8K, AudioFormat, Encoding
from realtime_asr.bench.capacity import Found
from realtime_asr.engines.engine import Capabilities, Engine, UnusableModel
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.server.app import Gateway
from realtime_asr.server.capacity import key_of, remember
from realtime_asr.server.models import NamedModel
from realtime_asr.session.commands import Configure
from realtime_asr.session.config import Patch, Transcription, TranscriptionPatch
from realtime_asr.session.events import Rejected
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import MemoryChannel, ScriptedEngine
from tests.server.house import gateway, settings


class Patient(ScriptedEngine):
    """Loads when it is let."""

    def __init__(self, error: UnusableModel | None = None) -> None:
        super().__init__(capabilities=Capabilities(frozenset({"de"})))
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
    house, unusable = gateway(lambda _: engine), list[UnusableModel]()
    app = house.app(unusable.append)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield House(house, client, unusable)


async def settled() -> None:
    for _ in range(10):
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
        languages = house.gateway.sessions.limits.models.languages("whisper-1")

    assert frozenset({"de"}) == languages


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


def test_a_turn_is_as_long_as_it_is_set() -> None:
    assert gateway(longest_turn=2.0).sessions.limits.longest_turn == 32_000


def test_clients_that_name_no_format_have_the_servers() -> None:
    usual, other = gateway(audio_rate=16_000), gateway(audio_format="g711_ulaw", audio_rate=16_000)

    assert [AudioFormat(Encoding.PCM16, 16_000), ULAW_8K] == [
        house.reception.config.format for house in (usual, other)
    ]


def test_where_a_model_lies_is_not_told_to_clients(tmp_path: Path) -> None:
    folder = tmp_path / "whisper-acme"
    folder.mkdir()

    house = gateway(model=str(folder))

    assert house.sessions.limits.models.default == "whisper-acme"
    assert house.reception.config.transcription == Transcription("whisper-acme")
    assert {"whisper-acme"} == set(house.catalogue.names.aliases.values())


# How many


def measured(streams: int) -> Found:
    return Found(streams, streams, 450.0, 300.0, None, None, None, None, str(datetime.now(UTC)))


@pytest.mark.parametrize(("asked", "expected"), [(None, 7), (0, None), (3, 3)])
def test_as_many_sessions_are_let_in_as_were_measured_unless_it_is_set(
    asked: int | None, expected: int | None, tmp_path: Path
) -> None:
    chosen = settings(max_sessions=asked, state_folder=tmp_path)
    remember(tmp_path, key_of(chosen), measured(7))

    assert expected == Gateway(chosen).sessions.most


def test_where_nothing_was_measured_any_number_is_let_in(tmp_path: Path) -> None:
    assert gateway(max_sessions=None, state_folder=tmp_path).sessions.most is None


async def test_after_a_reload_as_many_are_let_in_as_the_new_model_bears(tmp_path: Path) -> None:
    small, tiny = (
        settings(model=name, max_sessions=None, state_folder=tmp_path) for name in ("small", "tiny")
    )
    remember(tmp_path, key_of(small), measured(2))
    remember(tmp_path, key_of(tiny), measured(14))
    async with open_with(Makes(), model="tiny", max_sessions=None, state_folder=tmp_path) as house:
        before = house.sessions.most
        await house.reload(small)
        after = house.sessions.most
        await house.reload(settings(model="small", max_sessions=5))

        assert (14, 2, 5) == (before, after, house.sessions.most)


async def test_what_was_measured_with_settings_that_wait_for_a_restart_does_not_count_yet(
    tmp_path: Path,
) -> None:
    later = settings(model="small", vad="silero", max_sessions=None, state_folder=tmp_path)
    remember(tmp_path, key_of(later), measured(2))
    async with open_with(Makes(), model="small", max_sessions=None, state_folder=tmp_path) as house:
        await house.reload(later)

        assert house.sessions.most is None


# Other settings while it runs


class Makes:
    """Engines of the models that were asked for; one that is called broken does not load."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, model: NamedModel) -> Engine:
        self.made.append(f"{model.model}, {model.beam_size} beams")
        if model.model == "broken":
            raise UnusableModel("It is broken.")
        return ScriptedEngine()


@asynccontextmanager
async def open_with(makes: Makes, **more: Any) -> AsyncIterator[Gateway]:
    house = gateway(makes, **more)
    await house.catalogue.start()
    try:
        yield house
    finally:
        await house.catalogue.stop()


SMALL_AND_TINY = {"model": "small", "models": "tiny=tiny"}


async def test_only_models_whose_settings_changed_are_swapped() -> None:
    makes = Makes()
    async with open_with(makes, model="small", models={"big": {"eager": True}, "tiny": {}}) as house:
        await house.reload(
            settings(model="small", models={"big": {"eager": True, "beam_size": 2}, "tiny": {}})
        )

    assert ["small, None beams", "big, None beams", "big, 2 beams"] == makes.made


async def test_models_come_and_go_with_their_names() -> None:
    async with open_with(Makes(), **SMALL_AND_TINY) as house:
        await house.reload(settings(model="medium", models="base=base", aliases="mine=base"))
        names, loaded = house.catalogue.names, set(house.catalogue.loaded)
        gone = house.catalogue.open(TurnRequest("tiny"))
        gone.abandon()

    assert ("medium", "base", None) == (names.default, names.resolve("mine"), names.resolve("tiny"))
    assert {"medium"} == loaded
    assert Transcription("medium") == house.reception.config.transcription
    assert {"medium", "base"} == set(house.catalogue.progress)


async def test_a_model_that_cannot_be_loaded_leaves_the_names_as_they_were() -> None:
    async with open_with(Makes(), **SMALL_AND_TINY) as house:
        before = house.catalogue.names
        await house.reload(settings(model="broken"))

        assert before == house.catalogue.names
        assert {"small", "tiny"} == set(house.catalogue.progress)


async def test_what_was_not_swapped_is_tried_again_the_next_time() -> None:
    makes = Makes()
    async with open_with(makes, model="small") as house:
        for _ in range(2):
            await house.reload(settings(model="broken"))

    assert ["small, None beams", *["broken, None beams"] * 2] == makes.made


@pytest.mark.parametrize("model", ["small", "broken"])
async def test_what_needs_a_restart_is_told_by_name_whether_the_models_were_swapped_or_not(
    caplog: pytest.LogCaptureFixture, model: str
) -> None:
    async with open_with(Makes(), model="small") as house:
        with caplog.at_level(logging.WARNING):
            await house.reload(
                settings(model=model, metrics_keys="sk-canary", strict=True, aliases=f"a={model}")
            )

    told = [getattr(record, "facts", {}) for record in caplog.records]
    assert ["metrics_keys,strict"] == [facts["settings"] for facts in told if "settings" in facts]
    assert not house.reception.strict


# Sessions that are open meanwhile


class Guest(MemoryChannel):
    """In a session that lasts."""

    async def ask(self, model: str, language: str | None = None) -> str | None:
        """What is wrong with this, by its code."""
        told = len(self.sent)
        self.say(Configure(Patch(transcription=TranscriptionPatch(model, language)), ""))
        await self.until(lambda: len(self.sent) > told)
        answer = self.sent[-1]
        return answer.problem.code if isinstance(answer, Rejected) else None


@asynccontextmanager
async def visiting(house: Gateway) -> AsyncIterator[Guest]:
    guest = Guest()
    lasting = asyncio.create_task(house.sessions.run("sess_1", house.reception.config, guest, Visitor()))
    await guest.until(lambda: bool(guest.sent))
    yield guest
    guest.hang_up()
    await lasting


async def test_a_model_that_is_not_loaded_yet_leaves_the_languages_of_the_others_checked() -> None:
    def english(_: NamedModel) -> Engine:
        return ScriptedEngine(capabilities=Capabilities(frozenset({"en"})))

    house = gateway(english, model="small", models="tiny=tiny", aliases="nick=tiny")
    await house.catalogue.start()
    async with visiting(house) as guest:
        answers = [await guest.ask(model, "de") for model in ("small", "whisper-1", "tiny", "nick")]
    await house.catalogue.stop()

    assert ["unsupported_language", "unsupported_language", None, None] == answers


async def test_sessions_that_are_open_learn_of_the_names_that_come_and_go() -> None:
    async with open_with(Makes(), **SMALL_AND_TINY) as house, visiting(house) as guest:
        before = [await guest.ask(name) for name in ("base", "mine", "tiny")]
        await house.reload(settings(model="small", models="base=base", aliases="mine=base"))
        after = [await guest.ask(name) for name in ("base", "mine", "tiny")]

    assert ["model_not_found", "model_not_found", None] == before
    assert [None, None, "model_not_found"] == after
