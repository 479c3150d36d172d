"""Images and containers that buildah keeps in one folder, where a Docker engine is not to be had."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Buildah:
    folder: Path

    def command(self, verb: str, *arguments: str | Path) -> list[str]:
        # The driver and the isolation that ask nothing of the kernel, so they work inside a container too.
        where = (f"--root={self.folder}/root", f"--runroot={self.folder}/run", "--storage-driver=vfs")
        isolation = ("--isolation", "chroot") if verb in ("build", "from", "run") else ()
        return ["buildah", *map(str, (*where, verb, *isolation, *arguments))]

    def __call__(self, verb: str, *arguments: str | Path) -> str:
        """What it answers. Its complaints go where ours go."""
        asked = self.command(verb, *arguments)
        return subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def sizes(self) -> dict[str, str]:
        """Of all images, by name."""
        told = json.loads(self("images", "--json"))
        return {name: image["size"] for image in told for name in image["names"] or ()}

    def config(self, image: str) -> dict[str, Any]:
        """What a Docker engine would run it with."""
        config: dict[str, Any] = json.loads(self("inspect", "--type", "image", image))["Docker"]["config"]
        return config


def megabytes(size: str) -> float:
    """Of what is told like `1.02 GB`."""
    number, unit = size.split()
    return float(number) * _MEGABYTES[unit.upper()]


_MEGABYTES: Final = {"B": 1e-6, "KB": 1e-3, "MB": 1.0, "GB": 1e3}
