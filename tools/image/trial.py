"""A container tried out from outside: what an image promises, it has to keep."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from tools.image.buildah import Buildah
from tools.image.leftovers import leftovers

ROOT: Final = Path(__file__).parents[2]
SAID: Final = "Daniel closed the small window because the wind was very strong."
_SECONDS: Final = 120
"""For whatever a slow machine has to do here."""
_OF_THE_ENGINE: Final = ("dev", "etc", "proc", "run", "sys", "tmp")
"""Folders where engines write themselves, and where anybody may."""


@dataclass(frozen=True, slots=True)
class Container:
    buildah: Buildah
    name: str
    root: Path
    port: int
    config: Mapping[str, Any]
    settings: Mapping[str, str]
    """Besides those that all are tried out with."""

    def command(self, program: Sequence[str]) -> list[str]:
        # Whatever GPU an image is for, there may be none here.
        ours = {"HOST": "127.0.0.1", "PORT": self.port, "DEVICE": "cpu", **self.settings}
        variables = (f"--env=REALTIME_ASR_{name}={value}" for name, value in ours.items())
        return self.buildah.command("run", *variables, self.name, "--", *program)


def try_out(buildah: Buildah, image: str) -> None:
    """Raises AssertionError, or what went wrong in a program that was run."""
    with _container(buildah, image) as container:
        strange = strangers(_installed(container.root), pinned())
        assert not strange, f"not as in docker/constraints.txt: {', '.join(strange)}"
        left = sorted(leftovers(container.root, container.config))
        assert not left, f"left in the image: {', '.join(left)}"
        if "REALTIME_ASR_ENGINE=openvino" in container.config["Env"]:
            _load_gpu_drivers(container)
        began = time.time()
        with _serving(container) as server:
            owner = Path(f"/proc/{server}").stat().st_uid
            assert owner != 0, "the server runs as root"
            # buildah runs neither health checks nor entry points of itself.
            subprocess.run(container.command(container.config["Healthcheck"]["Test"][1:]), check=True)
            heard = _heard_by_the_official_client(container.port)
            assert heard == SAID, f"heard: {heard}"
        written = sorted(_written(container, began))
        assert not written, f"written outside the volumes: {', '.join(written)}"
    print(f"{image}: healthy as user {owner}, heard the clip, wrote into volumes only, left when told")


def opencl_drivers(root: Path) -> list[str]:
    """The libraries that OpenCL's loader is led to."""
    return [path.read_text().strip() for path in sorted((root / "etc/OpenCL/vendors").glob("*.icd"))]


def _load_gpu_drivers(container: Container) -> None:
    """As OpenCL's loader does. Whether a GPU is there does not matter for that."""
    drivers = opencl_drivers(container.root)
    assert drivers, "OpenCL's loader is led to no driver"
    load = f"import ctypes; [ctypes.CDLL(name) for name in {['libOpenCL.so.1', *drivers]}]"
    subprocess.run(container.command(["python3", "-c", load]), check=True)


def pinned() -> dict[str, str]:
    lines = (ROOT / "docker/constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def strangers(installed: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """What is there in another release, or should not be there at all."""
    return sorted(f"{name} {release}" for name, release in installed.items() if expected.get(name) != release)


@contextmanager
def engine_elsewhere(config: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """For an image that lets somebody else listen: a server of ours, with the bundled model, and how it is
    found.
    """
    if "REALTIME_ASR_ENGINE=openai_http" not in config["Env"]:
        yield {}
        return
    port = _free_port()
    serve = [sys.executable, "-m", "realtime_asr", "serve", "--port", str(port)]
    with subprocess.Popen(serve, cwd=ROOT) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/readyz", server)
            yield {"REMOTE_URL": f"http://127.0.0.1:{port}/v1", "MODEL": "whisper-1"}
        finally:
            server.terminate()


def _installed(root: Path) -> dict[str, str]:
    """All but ourselves, by the names that packages are pinned under."""
    [packages] = (root / "opt/realtime-asr/lib").glob("python3.*/site-packages")
    found = ((each.metadata["Name"], each.version) for each in distributions(path=[str(packages)]))
    releases = {re.sub(r"[-_.]+", "-", name).lower(): release for name, release in found}
    del releases["realtime-asr"]
    return releases


@contextmanager
def _container(buildah: Buildah, image: str) -> Iterator[Container]:
    name = buildah("from", "--pull-never", image)
    try:
        root, config = Path(buildah("mount", name)), buildah.config(image)
        with engine_elsewhere(config) as settings:
            yield Container(buildah, name, root, _free_port(), config, settings)
    finally:
        buildah("rm", name)


@contextmanager
def _serving(container: Container) -> Iterator[int]:
    """The server's process. After the block it is told to leave, and must do so without complaint."""
    with subprocess.Popen(container.command(container.config["Entrypoint"])) as engine:
        try:
            _wait_for(f"http://127.0.0.1:{container.port}/readyz", engine)
            yield _innermost(engine.pid)
        finally:
            if engine.poll() is None:
                os.kill(_innermost(engine.pid), signal.SIGTERM)
            code = engine.wait(_SECONDS)
    assert code == 0, f"told to leave, the server left with {code}"


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + _SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urlopen(url, timeout=5):  # noqa: S310  our own address
                return
        except URLError:
            time.sleep(0.2)
    raise AssertionError("the server did not get ready")


def _innermost(process: int) -> int:
    """Around the server's, there are processes of buildah."""
    while child := _child(process):
        process = child
    return process


def _child(process: int) -> int | None:
    asked = ["ps", "--ppid", str(process), "--no-headers", "--format", "pid"]
    told = subprocess.run(asked, check=False, stdout=subprocess.PIPE, text=True).stdout.split()
    return int(told[0]) if told else None


def _heard_by_the_official_client(port: int) -> str:
    example = [sys.executable, str(ROOT / "examples/openai_python_ga.py"), f"http://127.0.0.1:{port}/v1"]
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    done = subprocess.run(
        example, check=True, stdout=subprocess.PIPE, text=True, timeout=_SECONDS, env=environment
    )
    return done.stdout.strip()


def _written(container: Container, since: float) -> Iterator[str]:
    may = [*_OF_THE_ENGINE, *(volume.strip("/") for volume in container.config["Volumes"])]
    for path in container.root.rglob("*"):
        inside = path.relative_to(container.root)
        if path.lstat().st_ctime > since and not any(inside.is_relative_to(folder) for folder in may):
            yield str(inside)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
