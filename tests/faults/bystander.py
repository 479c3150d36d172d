"""Somebody who speaks to a server all the time, and notes how soon the first word comes back each time.

    python bystander.py ws://127.0.0.1:8000/v1/realtime < TURN

It runs in a process of its own, so that only what happens to the server can make it wait. TURN is a line with
a whole turn as one message. Once its input ends, it writes down when each turn began and how long its first
word took, in seconds.
"""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import ClientConnection, connect

EVERY_SECONDS = 0.1


async def main(address: str) -> None:
    turn = sys.stdin.readline()
    leaving = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    times: list[tuple[float, float]] = []
    async with connect(address) as server:
        while not leaving.done():
            began = time.monotonic()
            await server.send(turn)
            await until(server, ".delta")
            times.append((began, time.monotonic() - began))
            await until(server, ".completed")
            await asyncio.wait([leaving], timeout=EVERY_SECONDS)
    sys.stdout.write(json.dumps(times))


async def until(server: ClientConnection, ending: str) -> None:
    while not json.loads(await server.recv())["type"].endswith(ending):
        """Whatever else it is told."""


asyncio.run(main(sys.argv[1]))
