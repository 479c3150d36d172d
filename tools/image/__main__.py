"""Builds an image without a Docker engine, and tries it out: `python -m tools.image cpu`.

It takes root on Debian, with buildah, crun and debootstrap. Debian's base image is made here, so that the
Dockerfiles are those everybody builds. The container must become healthy as another user than root, hear the
bundled clip for the official client, write into its volumes only, and leave when told to. No key is in it,
and it is not too large. If it leaves the listening to somebody else, that is a server on this machine.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

from tools.image.base import BASE, make_base
from tools.image.buildah import Buildah, megabytes
from tools.image.trial import ROOT, try_out

TARGETS: Final = sorted(path.stem for path in (ROOT / "docker").glob("*.Dockerfile"))
NEEDED: Final = ("buildah", "crun", "debootstrap", "ps")
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LARGEST: Final = {"cpu": 700, "cuda": 1_700, "openvino": 1_200, "rocm": 700}
"""Megabytes of each image, beside Debian: about a third more than its packages are said to take."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    parser.add_argument("targets", nargs="+", choices=TARGETS)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what is made there for next time")
    parser.add_argument("--only-build", action="store_true", help="and do not try it out")
    asked = parser.parse_args()
    if missing := [program for program in NEEDED if shutil.which(program) is None]:
        parser.error(f"first install {', '.join(missing)}")
    with _folder(asked.keep) as folder:
        buildah = Buildah(folder)
        if BASE not in buildah.sizes():
            with _timed("base"):
                make_base(buildah, folder)
        for target in asked.targets:
            image = _built(buildah, target)
            if not asked.only_build:
                with _timed(f"{target} tried out"):
                    try_out(buildah, image)


def _built(buildah: Buildah, target: str) -> str:
    image = f"localhost/realtime-asr:{target}"
    # Proxies may sign with an authority that only this machine knows.
    secret = ["--secret", f"id=certificates,src={CERTIFICATES}"] if CERTIFICATES.exists() else []
    # In OCI's format there is no health check.
    how = ["--format", "docker", "--pull-never", "--network", "host", "--quiet", *secret]
    with _timed(f"{target} built"):
        buildah("build", *how, "--file", ROOT / f"docker/{target}.Dockerfile", "--tag", image, ROOT)
    sizes = buildah.sizes()
    ours = megabytes(sizes[image]) - megabytes(sizes[BASE])
    print(f"{image}: {ours:.0f} MB and Debian, which is {sizes[BASE]}")
    assert ours <= LARGEST[target], f"{image} is larger than {LARGEST[target]} MB"
    return image


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = monotonic()
    yield
    print(f"{what} in {monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
