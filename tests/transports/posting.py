"""A client that begins to post and goes."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message


async def gone_halfway(app: ASGIApp, path: str, headers: Mapping[str, str]) -> bool:
    """Whether the application bore it."""
    coming: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        """Nobody is there."""

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw, "query_string": b""}
    await app(scope, receive, send)
    return coming == []
