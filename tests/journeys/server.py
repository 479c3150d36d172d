"""A real server in a process of its own: on a free port, with the bundled model, told to leave politely."""

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

COMMAND: Final = Path(sys.executable).with_name("realtime-asr")
KEY: Final = "sk-journeys-0123456789abcdef"
"""The one the server over TLS knows."""
ENGINE: Final = "REALTIME_ASR_ENGINE"
"""All journeys can be made on another one: `REALTIME_ASR_ENGINE=openvino pytest tests/journeys`."""


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    base_url: str
    log: Path
    authority: Path | None = None
    """The certificate a client has to trust."""

    @property
    def ws_url(self) -> str:
        return self.base_url.replace("http", "ws", 1)

    @property
    def tls(self) -> ssl.SSLContext | None:
        return trusting(self.authority) if self.authority else None

    def leave(self) -> None:
        """Told to, it is gone when this returns."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def is_ready(self) -> bool:
        try:
            with urlopen(self.base_url.replace("/v1", "/readyz"), context=self.tls) as answer:
                return bool(answer.status == 200)
        except URLError:
            return False


@contextmanager
def running(
    folder: Path,
    *flags: str,
    environment: Mapping[str, str] | None = None,
    authority: Path | None = None,
    command: Sequence[str | Path] = (COMMAND,),
    port: int = 0,
    ends_with: int = 0,
) -> Iterator[Server]:
    """Ready inside the block. After it the server is told to leave, and must do so without complaint, unless it
    is to be ended otherwise before.
    """
    log = folder / "server.log"
    ours = {name for name in os.environ if name.startswith("REALTIME_ASR_")} - {ENGINE}
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            [*command, "serve", "--port", str(port), "--log-level", "debug", *flags],
            stdout=sink,
            stderr=sink,
            env={**clean, **(environment or {})},
        ) as process,
    ):
        try:
            yield _ready(process, log, authority, port)
        finally:
            process.terminate()
            code = process.wait(timeout=30)
    assert code == ends_with, log.read_text()


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


def _ready(process: subprocess.Popen[bytes], log: Path, authority: Path | None, port: int) -> Server:
    give_up = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up:
        # At higher levels the log does not tell the port: then it is known.
        told = f"running on http://127.0.0.1:{port} " if port else log.read_text()
        if found := re.search(r"running on (https?://[^ ]+)", told):
            server = Server(process, found[1] + "/v1", log, authority)
            if server.is_ready():
                return server
        time.sleep(0.05)
    raise AssertionError(f"The server did not get ready:\n{log.read_text()}")
