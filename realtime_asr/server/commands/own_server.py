"""A server in a process of its own, for as long as it is measured."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from realtime_asr.server.settings import PREFIX, Settings, shown

PROGRAM: Final = ("-m", "realtime_asr")
_HOST: Final = "127.0.0.1"
_LOOK_EVERY_SECONDS: Final = 0.1
_LEAVING_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class OwnServer:
    url: str
    pid: int


@contextmanager
def own_server(settings: Settings, program: Sequence[str] = PROGRAM) -> Iterator[OwnServer]:
    """Ready inside the block, however long its model takes to load. `program` is for Python to run.

    Raises ChildProcessError where it does not start, with what it said last.
    """
    with TemporaryDirectory(prefix="realtime-asr-") as name:
        folder, port = Path(name), _free_port()
        config, log = folder / "settings.toml", folder / "server.log"
        config.write_text(shown(_for_us_alone(settings, port)), encoding="utf-8")
        with log.open("wb") as sink, _serving(program, config, sink.fileno(), _secrets(settings)) as process:
            _await(process, port, log)
            yield OwnServer(f"ws://{_HOST}:{port}/v1", process.pid)


def _for_us_alone(settings: Settings, port: int) -> Settings:
    """As they are, but for the door, which has no lock and lets in any number. What is said goes nowhere."""
    door = {
        "config": None,
        "host": _HOST,
        "port": port,
        "also_ports": (),
        "max_sessions": 0,
        "tls_cert": None,
    }
    without = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if "key" in name or name.startswith("hook")
    }
    return settings.model_copy(update={**door, **without})


def _secrets(settings: Settings) -> Mapping[str, str]:
    """Those that a file does not show: only the one that leads on to somebody else's door."""
    key = settings.remote_key
    return {} if key is None else {f"{PREFIX}REMOTE_KEY": key.get_secret_value()}


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def _serving(
    program: Sequence[str], config: Path, log: int, secrets: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, *program, "serve", "--config", str(config)]
    # What the environment sets is in the file, and would come before it.
    plain = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    environment = {**plain, **secrets}
    with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:  # noqa: S603  ourselves
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_LEAVING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    while not _is_ready(port):
        if process.poll() is not None:
            said = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["It did not say why."]
            raise ChildProcessError(f"The server to measure did not start. {said[-1]}")
        time.sleep(_LOOK_EVERY_SECONDS)


def _is_ready(port: int) -> bool:
    with closing(HTTPConnection(_HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
