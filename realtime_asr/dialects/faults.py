"""What pydantic finds wrong, in OpenAI's words: code, message and param."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from realtime_asr.session.problem import Problem

UNION_TAGS: Final = frozenset({"audio/pcm", "audio/pcmu", "audio/pcma", "server_vad", "semantic_vad"})
"""Pydantic puts the tag of a union into the path of what it finds inside; no client wrote it there."""


@dataclass(frozen=True, slots=True)
class Fault:
    code: str
    message: str
    """A template over the facts of one error; what the client sent is filled in, never expanded."""
    has_param: bool = True


def _wrong_type(expected: str) -> Fault:
    return Fault(
        "invalid_type", f"Invalid type for '{{param}}': expected {expected}, but got {{kind}} instead."
    )


_MISSING = Fault("missing_required_parameter", "Missing required parameter: '{param}'.")
_NO_STRING = _wrong_type("a string")
_NOT_A_CHOICE = Fault("invalid_value", "Invalid value: '{value}'. Supported values are: {choices}.")

FAULTS: Final = {
    "missing": _MISSING,
    "union_tag_not_found": _MISSING,
    "extra_forbidden": Fault("unknown_parameter", "Unknown parameter: '{param}'."),
    "literal_error": _NOT_A_CHOICE,
    "union_tag_invalid": _NOT_A_CHOICE,
    "unsupported_rate": _NOT_A_CHOICE,
    "language_code": Fault(
        "invalid_value", "Invalid value: '{value}'. Expected an ISO-639-1 language code such as 'en'."
    ),
    "realtime_session": Fault(
        "invalid_parameter",
        "Passing a realtime session update event to a transcription session is not allowed.",
        has_param=False,
    ),
    "string_type": _wrong_type("a string"),
    "int_type": _wrong_type("an integer"),
    "float_type": _wrong_type("a number"),
    "bool_type": _wrong_type("a boolean"),
    "tuple_type": _wrong_type("an array"),
    "model_type": _wrong_type("an object"),
    "model_attributes_type": _wrong_type("an object"),
    "greater_than_equal": Fault(
        "{number}_below_min_value",
        "Invalid '{param}': {number} below minimum value. "
        "Expected a value >= {limit:g}, but got {value} instead.",
    ),
    "less_than_equal": Fault(
        "{number}_above_max_value",
        "Invalid '{param}': {number} above maximum value. "
        "Expected a value <= {limit:g}, but got {value} instead.",
    ),
    "string_too_long": Fault(
        "string_above_max_length",
        "Invalid '{param}': string too long. Expected a string with maximum length {max_length}, "
        "but got a string with length {length} instead.",
    ),
    "too_short": Fault(
        "empty_array",
        "Invalid '{param}': empty array. Expected an array with minimum length {min_length}, "
        "but got an empty array instead.",
    ),
    "too_long": Fault(
        "array_above_max_length",
        "Invalid '{param}': array too long. Expected an array with maximum length {max_length}.",
    ),
}


def problem(error: ValidationError, ref: str | None = None) -> Problem:
    """The first thing wrong: OpenAI reports one at a time."""
    details = error.errors(include_url=False)[0]
    fault = _NO_STRING if _is_no_string(details) else FAULTS[details["type"]]
    facts = _facts(details)
    return Problem(
        code=fault.code.format(**facts),
        message=fault.message.format(**facts),
        param=_param(details) if fault.has_param else None,
        ref=ref,
    )


def wrong_type(param: str, expected: str, found: object) -> Problem:
    fault = _wrong_type(expected)
    return Problem(fault.code, fault.message.format(param=param, kind=_KINDS[type(found)]), param)


def text_too_long(param: str, most: int, length: int) -> Problem:
    fault = FAULTS["string_too_long"]
    return Problem(fault.code, fault.message.format(param=param, max_length=most, length=length), param)


def array_too_long(param: str, most: int) -> Problem:
    fault = FAULTS["too_long"]
    return Problem(fault.code, fault.message.format(param=param, max_length=most), param)


def choices(names: Iterable[str]) -> str:
    """'a', 'b', and 'c'."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def excerpt(value: object) -> str:
    """Enough of what a client sent to recognise it by, as it was written."""
    written = value if isinstance(value, str) else to_json(value, inf_nan_mode="constants").decode()
    return written[:64]


def _is_no_string(details: ErrorDetails) -> bool:
    """All that can be chosen from is, but to pydantic anything else is just another wrong choice."""
    return details["type"] in {"literal_error", "union_tag_invalid"} and not isinstance(_found(details), str)


def _found(details: ErrorDetails) -> Any:
    return details["input"]["type"] if details["type"] == "union_tag_invalid" else details["input"]


def _facts(details: ErrorDetails) -> dict[str, object]:
    found, context = _found(details), details.get("ctx", {})
    limit = context.get("ge", context.get("le"))
    expected = context.get("expected", context.get("expected_tags", ""))
    return {
        **context,
        "param": _param(details) or "body",
        "value": excerpt(found),
        "kind": _KINDS[type(found)],
        "length": len(found) if isinstance(found, str) else 0,
        "limit": limit,
        "number": "integer" if isinstance(limit, int) else "decimal",
        "choices": choices(re.findall("'(.*?)'", expected)),
    }


_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _param(details: ErrorDetails) -> str | None:
    """Dotted, as OpenAI writes it: `session.audio.input.transcription.languages[0]`."""
    if not details["loc"]:
        return None
    *above, last = details["loc"]
    parts = [part for part in above if part not in UNION_TAGS] + [last]
    if details["type"].startswith("union_tag"):
        parts.append("type")
    written = (f"[{part}]" if isinstance(part, int) else f".{excerpt(part)}" for part in parts)
    return "".join(written).removeprefix(".")
