"""The demonstration against a server that reads a script aloud, twenty times as fast."""

import asyncio
import shutil
import sys
import time
from pathlib import Path

import pytest

from realtime_asr.engines.replay import Failure, ReplayEngine
from realtime_asr.server.commands import demo
from realtime_asr.server.commands.demo import CLIP, Latencies, show, snippets
from realtime_asr.server.serving import Server
from tests.server.house import KEY, SPOKEN, settings


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "monotonic", lambda: 20 * time.monotonic())


async def shown(server: Server, api_key: str | None = None) -> tuple[list[str], Latencies]:
    said: list[str] = []
    async with server.serving():
        latencies = await show(server.base_url, said.append, api_key=api_key)
    return said, latencies


async def test_a_clip_is_shown_as_it_is_understood() -> None:
    said, latencies = await shown(Server(settings()))

    minted, opened, *deltas, final = said
    assert minted.startswith("POST http://127.0.0.1:")
    assert opened.endswith("session.created\n\n")
    assert (SPOKEN, f"\n\nFinal: {SPOKEN}\n") == ("".join(deltas), final)
    assert len(deltas) > 1
    assert len(latencies.sentences()) == 2


async def test_the_secret_is_not_shown_whole() -> None:
    said, _ = await shown(Server(settings()))

    assert said[0].endswith("…\n")
    assert len(said[0].partition("-> ")[2]) < 20


async def test_a_server_with_keys_is_shown_with_one() -> None:
    said, _ = await shown(Server(settings(api_keys=KEY)), KEY)

    assert said[-1] == f"\n\nFinal: {SPOKEN}\n"


async def test_a_clip_that_is_not_understood_is_told_in_a_sentence() -> None:
    server = Server(settings())
    server.gateway.sessions.engine = ReplayEngine([Failure("It is too hot.")])

    with pytest.raises(ConnectionError, match=r"It is too hot\."):
        await shown(server)


@pytest.mark.parametrize("code", [1000, 1012])
async def test_a_server_that_leaves_before_the_final_is_told_in_a_sentence(code: int) -> None:
    server = Server(settings())

    def leave_once_opened(said: str) -> None:
        if "session.created" in said:
            for runner in server.gateway.sessions._live:
                runner.drain(code, "")

    async with server.serving():
        with pytest.raises(ConnectionError, match=r"hung up before the final text\."):
            await show(server.base_url, leave_once_opened)


@pytest.mark.parametrize(
    ("latencies", "sentences"),
    [
        (Latencies(), []),
        (Latencies(completed=2.0), []),
        (Latencies(first_text=0.5), ["first words after 0.50 s of the clip"]),
        (Latencies(speech_stopped=1.0, completed=1.25), ["final text 250 ms after the turn ended"]),
    ],
)
def test_only_what_was_measured_is_told(latencies: Latencies, sentences: list[str]) -> None:
    assert sentences == latencies.sentences()


async def test_the_python_that_is_printed_runs(tmp_path: Path) -> None:
    shutil.copy(CLIP, tmp_path / "speech.wav")
    server = Server(settings())
    async with server.serving():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            python(snippets(server.base_url)),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    last = output.decode().splitlines()[-1]
    assert process.returncode == 0
    assert last == f"conversation.item.input_audio_transcription.completed {SPOKEN}"


async def test_the_curl_that_is_printed_runs() -> None:
    server = Server(settings())
    async with server.serving():
        process = await asyncio.create_subprocess_shell(
            curl(snippets(server.base_url)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        output, _ = await process.communicate()

    assert process.returncode == 0
    assert b'"value":"ek_' in output.replace(b" ", b"")


def python(told: str) -> str:
    _, _, rest = told.partition("Python (pip install openai)\n")
    code, _, _ = rest.partition("\n\nJavaScript")
    return "\n".join(line.removeprefix("  ") for line in code.splitlines())


def curl(told: str) -> str:
    return told.partition("\n")[2].partition("\n\nPython")[0]
