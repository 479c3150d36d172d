"""Our server with another application behind it: one that sends back whatever it is sent."""

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from realtime_asr.server.serving import Server
from realtime_asr.server.settings import Settings


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


if __name__ == "__main__":
    server = Server(Settings(port=0, engine="replay", replay_script=("nothing",)))
    server.config.app = Starlette(routes=[Mount("/", echo)])
    server.run()
