"""The command line's flags: one for each setting, made from it."""

import argparse
import types
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from realtime_asr.server.settings import PREFIX, Settings


def add_flags(parser: argparse.ArgumentParser, *, but: Collection[str] = ()) -> None:
    group = parser.add_argument_group("settings", _SOURCES)
    for name, field in Settings.model_fields.items():
        if name in but:
            continue
        group.add_argument(
            f"--{_SINGULAR.get(name, name).replace('_', '-')}",
            dest=name,
            default=argparse.SUPPRESS,
            help=_help(name, field),
            **_kind(name, field),
        )


def from_flags(namespace: argparse.Namespace) -> dict[str, Any]:
    """Only what was given: the rest is for the environment, the file and the defaults to say."""
    return {name: value for name, value in vars(namespace).items() if name in Settings.model_fields}


_SOURCES: Final = (
    "Each may also be set in the environment, by the name in brackets, a list with commas; "
    "or in the file that --config names. Flags come before the environment, and that before the file."
)
# A flag that may be repeated names one thing.
_SINGULAR: Final = {
    "models": "serve_model",
    "aliases": "alias",
    "api_keys": "api_key",
    "api_key_hashes": "api_key_hash",
    "secret_keys": "secret_key",
    "allowed_origins": "allowed_origin",
}


def _kind(name: str, field: FieldInfo) -> Mapping[str, Any]:
    kind = field.annotation
    if get_origin(kind) in (tuple, dict):
        return {"action": "append", "metavar": "NAME=MODEL" if get_origin(kind) is dict else "TEXT"}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if kind is bool:
        return {"action": "store_true" if name.startswith("no_") else argparse.BooleanOptionalAction}
    plain = get_args(kind)[0] if isinstance(kind, types.UnionType) else kind
    assert isinstance(plain, type)
    return {"metavar": "FOLDER" if name.endswith("_folder") else _METAVAR[plain.__name__]}


_METAVAR: Final = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER", "Path": "FILE"}


def _help(name: str, field: FieldInfo) -> str:
    text = " ".join((field.description or "").split())
    shown = isinstance(field.default, str | int | float) and field.default is not False
    default = f"default {field.default}, " if shown else ""
    return f"{text} [{default}{PREFIX}{name.upper()}]".replace("%", "%%")
