"""The example in the shell."""

import asyncio
from pathlib import Path
from typing import Final

from realtime_asr.server.serving import Server
from tests.server.house import KEY, settings

SCRIPT: Final = Path(__file__).parents[2] / "examples" / "curl.sh"


async def test_an_error_too_ends_its_line() -> None:
    server = Server(settings(api_keys=KEY))
    async with server.serving():
        process = await asyncio.create_subprocess_exec(
            str(SCRIPT), server.base_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        output, _ = await process.communicate()

    assert (True, True) == (process.returncode != 0, output.endswith(b"}\n"))
