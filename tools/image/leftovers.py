"""What must not be in an image: keys, and certificates that are not Debian's."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

_NAMES: Final = frozenset(
    {".env", ".git-credentials", ".netrc", ".npmrc", ".pypirc", "pip.conf", "id_ed25519", "id_rsa"}
)
_VARIABLES: Final = re.compile("proxy|key|token|secret|password", re.IGNORECASE)
_KEY: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[\w+/=]{16}")
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([\w+/=\s]+)-----END")
_DEBIANS: Final = "usr/share/ca-certificates"
_PYTHONS: Final = "certifi"
"""The package whose certificates Python's clients trust."""
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file that people write."""


def leftovers(root: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """In the texts below, and in the environment of the image. Libraries hold keys to try themselves with."""
    yield from (name for name in _names(config["Env"]) if _VARIABLES.search(name))
    files = {path: content for path in _files(root) if b"\0" not in (content := path.read_bytes())}
    known = {
        certificate
        for path, content in files.items()
        if _is_known(path.relative_to(root))
        for certificate in _certificates(content)
    }
    for path, content in files.items():
        if path.name in _NAMES or _KEY.search(content) or _certificates(content) - known:
            yield str(path.relative_to(root))


def _names(variables: list[str]) -> Iterator[str]:
    return (variable.partition("=")[0] for variable in variables)


def _files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST:
            yield path


def _is_known(path: Path) -> bool:
    return path.is_relative_to(_DEBIANS) or path.parent.name == _PYTHONS


def _certificates(content: bytes) -> set[bytes]:
    return {b"".join(found.split()) for found in _CERTIFICATE.findall(content)}
