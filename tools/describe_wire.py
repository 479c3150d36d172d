"""Writes the wire down for other programs: `openapi/openapi.yaml` and `openapi/asyncapi.yaml`.

With `--check` it writes nothing, and fails if what is written there is not what would be.
"""

import argparse
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.describe.rest import openapi
from tools.describe.websocket import asyncapi

ROOT = Path(__file__).parents[1]


def descriptions(version: str) -> dict[str, str]:
    """By the names of their files."""
    return {"openapi.yaml": _yaml(openapi(version)), "asyncapi.yaml": _yaml(asyncapi(version))}


def write(folder: Path, described: Mapping[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in described.items():
        (folder / name).write_text(text, encoding="utf-8")


def stale(folder: Path, described: Mapping[str, str]) -> list[str]:
    return [name for name, text in described.items() if _written(folder / name) != text]


def _written(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


class _Plain(yaml.SafeDumper):
    """Says everything in full where it stands, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def _yaml(description: Mapping[str, Any]) -> str:
    text: str = yaml.dump(description, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return "# Written by tools/describe_wire.py from the wire models: change those.\n" + text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    parser.add_argument("--folder", type=Path, default=ROOT / "openapi")
    asked = parser.parse_args(arguments)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    described = descriptions(project["version"])
    if not asked.check:
        write(asked.folder, described)
        return 0
    for name in (old := stale(asked.folder, described)):
        print(f"{asked.folder / name} is not what the code says: run `python tools/describe_wire.py`.")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
