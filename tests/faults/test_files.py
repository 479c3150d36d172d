"""A server that may open no more files, or write none that is large."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx2
import pytest

from tests.fakes import silence, speech
from tests.faults.victim import WORDS, port, says, unharmed, victim
from tests.journeys.speaking import calling
from tests.transports.test_openai_files import wav

FEW: Final = 160
SMALL: Final = 2 * 1024 * 1024
SERVE: Final = """
import resource, sys
resource.setrlimit(resource.{limit}, ({most}, {most}))
{loop}
from realtime_asr.server.commands.cli import run
run()
"""
LOOPS: Final = {"uvloop": "", "asyncio": "sys.modules['uvloop'] = None"}


@pytest.mark.parametrize("loop", LOOPS)
async def test_when_files_run_out_new_clients_are_turned_away_and_sessions_go_on(
    tmp_path: Path, loop: str
) -> None:
    command = (sys.executable, "-c", SERVE.format(limit="RLIMIT_NOFILE", most=FEW, loop=LOOPS[loop]))
    async with AsyncExitStack() as crowd:
        server = crowd.enter_context(victim(tmp_path, command=command))
        async with unharmed(server), calling(server) as caller:
            ends = [await asyncio.open_connection("127.0.0.1", port(server)) for _ in range(2 * FEW)]
            assert [WORDS] == await says(caller)
            answers = await asyncio.gather(*(reader.read() for reader, _ in ends), return_exceptions=True)
            for _, writer in ends:
                writer.close()

    refusals = [answer for answer in answers if isinstance(answer, bytes) and b" 503 " in answer[:15]]
    assert refusals
    assert "server_error" == json.loads(refusals[0].partition(b"\r\n\r\n")[2])["error"]["type"]
    assert len(server.log.read_bytes()) < 100_000


async def test_when_the_disk_is_full_files_are_turned_away_and_sessions_go_on(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVE.format(limit="RLIMIT_FSIZE", most=SMALL, loop=""))
    small, large = wav(speech(0.6), silence(0.8)), wav(bytes(5_000_000))
    with victim(tmp_path, command=command) as server:
        async with unharmed(server), httpx2.AsyncClient(base_url=server.base_url) as client:
            refused, heard = [
                await client.post("/audio/transcriptions", files={"file": file}, data={"model": "whisper-1"})
                for file in (large, small)
            ]

    assert (503, "server_error") == (refused.status_code, refused.json()["error"]["type"])
    assert int(refused.headers["retry-after"]) >= 1
    assert WORDS == heard.json()["text"]
