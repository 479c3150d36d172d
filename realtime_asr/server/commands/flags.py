"""The command line's flags: one for each setting, made from it."""

import argparse
import types
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from realtime_asr.server.commands.completion import names_files, names_folders
from realtime_asr.server.settings import PREFIX, Settings


def add_flags(parser: argparse.ArgumentParser, *, but: Collection[str] = ()) -> None:
    group = parser.add_argument_group("settings", _SOURCES)
    for name, field in Settings.model_fields.items():
        if name in but:
            continue
        flag = group.add_argument(
            f"--{_SINGULAR.get(name, name).replace('_', '-')}",
            dest=name,
            default=argparse.SUPPRESS,
            help=_help(name, field),
            **_kind(name, field),
        )
        if flag.metavar == "FILE":
            names_files(flag)
        elif flag.metavar == "FOLDER":
            names_folders(flag)


def from_flags(namespace: argparse.Namespace) -> dict[str, Any]:
    """Only what was given: the rest is for the environment, the file and the defaults to say."""
    return {name: value for name, value in vars(namespace).items() if name in Settings.model_fields}


_SOURCES: Final = (
    "Each may also be set in the environment, by the name in brackets, a list with commas; "
    "or in the file that --config names. Flags come before the environment, and that before the file."
)
# A flag that may be repeated names one thing.
_SINGULAR: Final = {
    "also_ports": "also_port",
    "models": "serve_model",
    "aliases": "alias",
    "api_keys": "api_key",
    "api_key_hashes": "api_key_hash",
    "keys": "named_key",
    "key_models": "key_model",
    "metrics_keys": "metrics_key",
    "secret_keys": "secret_key",
    "allowed_origins": "allowed_origin",
}


def _kind(name: str, field: FieldInfo) -> Mapping[str, Any]:
    kind = field.annotation
    if get_origin(kind) in (tuple, dict):
        return {"action": "append", "metavar": _LISTED.get(name, "TEXT")}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if kind is bool:
        return {"action": "store_true" if name.startswith("no_") else argparse.BooleanOptionalAction}
    plain = get_args(kind)[0] if isinstance(kind, types.UnionType) else kind
    assert isinstance(plain, type)
    return {"metavar": "FOLDER" if name in _FOLDERS else _METAVAR[plain.__name__]}


_LISTED: Final = {
    "also_ports": "NUMBER",
    "models": "NAME=MODEL",
    "aliases": "NAME=MODEL",
    "keys": "NAME=SHA256",
}
_FOLDERS: Final = ("journal", "state_folder")
_METAVAR: Final = {
    "str": "TEXT",
    "SecretStr": "TEXT",
    "HttpUrl": "URL",
    "int": "NUMBER",
    "float": "NUMBER",
    "Path": "FILE",
}


def _help(name: str, field: FieldInfo) -> str:
    text = " ".join((field.description or "").split())
    shown = isinstance(field.default, str | int | float) and field.default is not False
    default = f"default {field.default}, " if shown else ""
    return f"{text} [{default}{PREFIX}{name.upper()}]".replace("%", "%%")
