"""What is shipped to run the server in containers, as data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from jsonpatch import apply_patch

ROOT: Final = Path(__file__).parents[2]
DOCKERFILES: Final = {path.stem: path.read_text() for path in (ROOT / "docker").glob("*.Dockerfile")}
COMPOSED: Final[dict[str, dict[str, Any]]] = {
    path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "docker").glob("compose*.yaml")
}
OVERLAYS: Final = sorted((ROOT / "kubernetes/overlays").iterdir())
Manifest = dict[str, Any]


def rendered(overlay: Path) -> dict[str, Manifest]:
    """What kustomize makes of as much of its language as our overlays speak, by kind."""
    asked = _read(overlay / "kustomization.yaml")
    assert asked.keys() <= {"apiVersion", "kind", "resources", "images", "patches"}
    manifests = {each["kind"]: each for each in _resources(overlay, asked)}
    for patch in asked.get("patches", ()):
        kind = patch["target"]["kind"]
        manifests[kind] = apply_patch(manifests[kind], yaml.safe_load(patch["patch"]))
    [container] = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    [image] = asked["images"]
    assert image["name"] == container["image"]
    container["image"] += f":{image['newTag']}"
    return manifests


def _resources(overlay: Path, asked: Manifest) -> Iterator[Manifest]:
    for name in asked["resources"]:
        base = overlay / name
        yield from (_read(base / each) for each in _read(base / "kustomization.yaml")["resources"])


def _read(path: Path) -> Manifest:
    read: Manifest = yaml.safe_load(path.read_text())
    return read
