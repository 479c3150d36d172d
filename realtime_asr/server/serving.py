"""Listening: uvicorn with the limits this server needs, leaving politely."""

import asyncio
import errno
import logging
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType

import uvicorn
from starlette.routing import BaseRoute, Route, WebSocketRoute

from realtime_asr.engines.engine import UnusableModel
from realtime_asr.server.app import Gateway
from realtime_asr.server.front import Bounds, front
from realtime_asr.server.settings import BadSettings, Settings, served_name
from realtime_asr.server.watching.logs import configure, name_paths, write
from realtime_asr.transports.openai_websocket import ANYWHERE

_PATIENCE_SECONDS = 5
"""For connections to close where nobody said that the server leaves."""


class Server(uvicorn.Server):
    """Told to stop, it first lets open sessions finish; told twice, it stops at once."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings] | None = None) -> None:
        """`reread` is what SIGHUP asks for: the settings as they are now. It raises BadSettings."""
        configure(settings.log_level, settings.log_format)
        _tell(settings)
        self.gateway = Gateway(settings)
        app = self.gateway.app(self._give_up)
        name_paths(partial(_template, app.routes))
        self.unusable: UnusableModel | None = None
        self._also_ports = settings.also_ports
        self._reread = reread
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._leaving: asyncio.Task[None] | None = None
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                **front(Bounds(self.gateway.in_flight, settings.handshake_seconds, settings.ping_seconds)),
                ws_max_size=settings.max_message_mib * 1024 * 1024,
                ws_ping_interval=settings.ping_seconds,
                ws_ping_timeout=settings.ping_seconds,
                # Speech as base64 hardly shrinks.
                ws_per_message_deflate=False,
                log_config=None,
                access_log=settings.log_level == "debug",
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=_PATIENCE_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises OSError where it cannot listen; uvicorn would leave the process."""
        _open_as_many_files_as_allowed()
        try:
            await super().startup(sockets)
        except SystemExit as leaving:
            problem = leaving.__context__
            assert isinstance(problem, OSError), "all else that can fail does so before or after"
            raise self._deaf(problem, "--port") from None
        self.started = False
        try:
            await self._listen_on_others()
        except OSError as problem:
            await self.shutdown()
            raise self._deaf(problem, "--also-port") from None
        self.started = True
        if self._reread is not None and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin_reload, self._reread)

    async def _listen_on_others(self) -> None:
        new_protocol = partial(  # type: ignore[call-arg]  # uvicorn's protocols take more than others do
            self.config.http_protocol_class,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop, host, tls = asyncio.get_running_loop(), self.config.host, self.config.ssl
        for port in self._also_ports:
            server = await loop.create_server(new_protocol, host, port, ssl=tls, backlog=self.config.backlog)
            self.servers.append(server)
            write(logging.INFO, "listening", port=server.sockets[0].getsockname()[1])

    def _deaf(self, problem: OSError, flag: str) -> OSError:
        hint = f" {flag} takes another." if problem.errno == errno.EADDRINUSE else ""
        return OSError(f"Cannot listen on {self.config.host}: {problem.strerror}.{hint}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in (*self._reloads, *filter(None, [self._leaving])):
            task.cancel()
        if self.force_exit:
            for connection in tuple(self.server_state.connections):
                connection.transport.abort()
        await super().shutdown(sockets)

    def _begin_reload(self, reread: Callable[[], Settings]) -> None:
        reload = asyncio.create_task(self._reload(reread))
        self._reloads.add(reload)
        reload.add_done_callback(self._reloads.discard)

    async def _reload(self, reread: Callable[[], Settings]) -> None:
        async with self._reloading:
            try:
                settings = reread()
            except BadSettings as error:
                # They name settings and quote no values.
                write(logging.ERROR, "settings not reloaded", reason=str(error))
            else:
                await self.gateway.reload(settings)

    def _give_up(self, error: UnusableModel) -> None:
        self.unusable = error
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._leaving is not None or self.should_exit:
            super().handle_exit(sig, frame)
            self.force_exit = True
        else:
            # Signals come at any time, also while the loop sleeps: this wakes it.
            asyncio.get_running_loop().call_soon_threadsafe(self._begin_leaving)

    def _begin_leaving(self) -> None:
        self._leaving = self._leaving or asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        await self.gateway.leave()
        # Answers may still be on their way. This is an int only to mypy.
        self.config.timeout_graceful_shutdown = self.gateway.seconds_left  # type: ignore[assignment]
        self.should_exit = True

    @property
    def base_url(self) -> str:
        """Where it listens, once it does."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.config.is_ssl else 'http'}://{host}:{port}/v1"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.Task[None]]:
        """Listening and ready inside the block; the task ends when told to stop. Raises UnusableModel."""
        task = asyncio.create_task(self.serve())
        try:
            while not ((self.started and self.gateway.reception.ready) or task.done()):  # noqa: ASYNC110  uvicorn tells nobody
                await asyncio.sleep(0.05)
            if self.unusable is not None:
                raise self.unusable
            if task.done():
                await task
                raise KeyboardInterrupt  # told to stop before it was ready
            yield task
        finally:
            self.should_exit = True
            await task


def _template(routes: Sequence[BaseRoute], path: str) -> str | None:
    """What the path's route is called; None where none leads there."""
    named = (route for route in routes if isinstance(route, Route | WebSocketRoute))
    found = (route.path_format for route in named if route.path != ANYWHERE and route.path_regex.match(path))
    return next(found, None)


def _open_as_many_files_as_allowed() -> None:
    """The usual thousand is for programs that might have more open than `select` can count."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tell(settings: Settings) -> None:
    """What the text depends on."""
    write(
        logging.INFO,
        "starting",
        engine=settings.engine,
        model=served_name(settings),
        device=settings.device,
        audio_format=settings.audio_format,
        audio_rate=settings.audio_rate,
        partial_every_s=settings.partial_every,
    )
