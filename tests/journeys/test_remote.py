"""Journeys through a gateway that lets another server of ours listen, also when that one falls over."""

import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import httpx
import pytest
from openai import OpenAI

from tests.journeys.hearing import assert_reads, reads, short_name
from tests.journeys.server import KEY, Server, running
from tests.journeys.speaking import Caller, calling, pcm16
from tests.journeys.test_lifecycle import test_two_sessions_that_speak_at_once_share_nothing  # noqa: F401
from tests.journeys.test_openai_python_ga import (  # noqa: F401
    test_a_client_may_say_itself_where_a_turn_ends,
    test_text_arrives_while_the_speaker_is_still_speaking,
    test_turns_cut_by_the_voice_are_told_in_the_order_of_the_specification,
)
from tests.speech.clips import FOLDER

PATIENCE_SECONDS: Final = 10
SLACK_SECONDS: Final = 3
"""For a machine that does other things, too."""


def listening(folder: Path, port: int = 0, ends_with: int = 0) -> AbstractContextManager[Server]:
    """The server that hears, with the bundled model."""
    folder.mkdir()
    environment = {"REALTIME_ASR_API_KEYS": KEY}
    flags = ("--engine", "faster_whisper")
    return running(folder, *flags, environment=environment, port=port, ends_with=ends_with)


def gateway(folder: Path, remote_url: str, **environment: str) -> AbstractContextManager[Server]:
    folder.mkdir()
    flags = ("--engine", "openai_http", "--remote-url", remote_url, "--model", "whisper-1")
    return running(folder, *flags, environment={"REALTIME_ASR_REMOTE_KEY": KEY, **environment})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In the place of the one that all other journeys share."""
    folder = tmp_path_factory.mktemp("remote")
    with listening(folder / "listening") as remote, gateway(folder / "gateway", remote.base_url) as server:
        yield server


# What is said, live and in files


async def test_a_clients_prompt_and_language_reach_who_listens(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(
            turn_detection=None, transcription={"model": "whisper-1", "language": "en", "prompt": "Daniel"}
        )
        await caller.speak(pcm16("window"))
        await caller.commit()
        heard = await caller.hear_until("completed")

    assert_reads(heard, "window")


def test_a_file_is_read_with_the_times_of_its_words(server: Server) -> None:
    with OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        told: Any = client.audio.transcriptions.create(
            file=FOLDER / "pause.wav",
            model="whisper-1",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )

    times = [moment for word in told.words for moment in (word.start, word.end)]
    assert reads("pause", " ".join(word.word for word in told.words))
    assert (times, "english") == (sorted(times), told.language)
    assert 0 <= times[0] < times[-1] <= told.duration


async def test_a_file_is_also_translated_there(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.base_url, timeout=60) as client:
        file = {"file": (FOLDER / "bridge.wav").read_bytes()}
        told = await client.post("/audio/translations", files=file, data={"model": "whisper-1"})

    assert reads("bridge", told.json()["text"]), told.text


async def test_its_figures_tell_of_the_remotes_passes(server: Server) -> None:
    async with httpx.AsyncClient() as client:
        health = (await client.get(server.base_url.replace("/v1", "/health"))).json()
        metrics = (await client.get(server.base_url.replace("/v1", "/metrics"))).text

    model = health["models"]["whisper-1"]
    assert model["finals"] > 0
    assert model["final_seconds"] > 0
    assert 'realtime_asr_pass_seconds_count{kind="final",model="whisper-1"}' in metrics


# When who listens falls over


async def says(caller: Caller, name: str = "bridge") -> str:
    """How the item ends in which this is said."""
    await caller.speak(pcm16(name))
    await caller.commit()
    while (event := short_name(await caller.hear())) not in ("completed", "failed"):
        """The end is what counts."""
    return event


async def test_a_remote_that_is_killed_fails_items_and_its_return_is_noticed(tmp_path: Path) -> None:
    port = free_port()
    with (
        listening(tmp_path / "first", port, -signal.SIGKILL) as first,
        gateway(tmp_path / "gateway", first.base_url) as server,
    ):
        async with calling(server) as caller:
            await caller.configure(turn_detection=None)
            assert "completed" == await says(caller)

            first.process.kill()
            first.process.wait()
            began = monotonic()
            assert "failed" == await says(caller)
            took = monotonic() - began

            with listening(tmp_path / "second", port):
                began = monotonic()
                assert "completed" == await says(caller)
                back = monotonic() - began

    [failed] = [event for event in caller.heard if short_name(event) == "failed"]
    assert "The engine cannot be reached." in failed["error"]["message"]
    assert str(port) not in failed["error"]["message"]
    assert took <= PATIENCE_SECONDS + SLACK_SECONDS
    assert back <= 2 + SLACK_SECONDS
    assert KEY not in (tmp_path / "gateway" / "server.log").read_text()


async def test_a_remote_that_is_held_up_only_delays_what_was_said(tmp_path: Path) -> None:
    with (
        listening(tmp_path / "listening") as remote,
        gateway(tmp_path / "gateway", remote.base_url) as server,
    ):
        async with calling(server) as caller:
            await caller.configure(turn_detection=None)
            assert "completed" == await says(caller)

            remote.process.send_signal(signal.SIGSTOP)
            try:
                await caller.speak(pcm16("window"))
                await caller.commit()
                await caller.hear_until("committed")
            finally:
                remote.process.send_signal(signal.SIGCONT)
            heard = await caller.hear_until("completed")

    assert_reads(heard, "window")


def test_a_gateway_without_a_remote_says_what_to_do(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"

    with (
        pytest.raises(AssertionError, match="start the remote engine first"),
        gateway(tmp_path / "gateway", nowhere),
    ):
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
