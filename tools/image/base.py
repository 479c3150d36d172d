"""Debian, as its own packages make it, under the name that Docker Hub gives it."""

import subprocess
from pathlib import Path
from typing import Final

from tools.image.buildah import Buildah

BASE: Final = "docker.io/library/debian:bookworm-slim"
_LEFT_OUT: Final = (
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    *(f"usr/share/{kind}/*" for kind in ("doc", "info", "locale", "man")),
)
"""As in Docker Hub's slim images."""


def make_base(buildah: Buildah, folder: Path) -> None:
    system, packed = folder / "debian", folder / "debian.tar"
    _run("debootstrap", "--variant=minbase", "bookworm", system)
    _run("tar", "-C", system, *(f"--exclude=./{what}" for what in _LEFT_OUT), "-cf", packed, ".")
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, packed, "/")
    buildah("config", "--cmd", "bash", container)
    buildah("commit", "--quiet", "--rm", "--format", "docker", container, BASE)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
