"""What the first request of a connection says: which dialect, which model, whose key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from realtime_asr.audio.formats import RATES, AudioFormat, Encoding
from realtime_asr.dialects.faults import choices, excerpt, text_too_long
from realtime_asr.session.config import UNSET, Patch, TranscriptionPatch
from realtime_asr.session.problem import Problem

LONGEST_NAME: Final = 512
"""Characters in whatever names something: an event, an item, a model. We send names back."""


class Shape(Enum):
    """How OpenAI's API has looked."""

    GA = "ga"
    BETA = "beta"


@dataclass(frozen=True, slots=True)
class Opening:
    shape: Shape
    patch: Patch
    """What the address asks for."""
    warn_before_expiry: bool


def negotiate(
    betas: Sequence[str],
    subprotocols: Sequence[str],
    query: Mapping[str, str],
    secret_shape: Shape | None,
) -> Opening | Problem:
    """`betas` are all `OpenAI-Beta` said. `secret_shape` is that of the route which minted the credential."""
    intent = query.get("intent") or "transcription"
    if intent != "transcription":
        message = f"Invalid value: '{excerpt(intent)}'. Supported values are: 'transcription'."
        return Problem("invalid_value", message, param="intent")
    if call_id := query.get("call_id"):
        message = f"Invalid value: '{excerpt(call_id)}'. There is no call of this id."
        return Problem("invalid_value", message, param="call_id")
    patch = read_address(query)
    if isinstance(patch, Problem):
        return patch
    asks_for_beta = _asks_for_beta(betas, subprotocols)
    return Opening(
        shape=Shape.BETA if asks_for_beta else secret_shape or Shape.GA,
        patch=patch,
        warn_before_expiry=query.get("expiry_warning") in {"true", "1"},
    )


def read_address(query: Mapping[str, str]) -> Patch | Problem:
    """The settings that an address may hold. The rate is ours: beta has no word for one."""
    named = "model" if query.get("model") else "deployment"
    model, rate = query.get(named), query.get("sample_rate")
    if model and len(model) > LONGEST_NAME:
        return text_too_long(named, LONGEST_NAME, len(model))
    if rate and rate not in _RATES:
        message = f"Invalid value: '{excerpt(rate)}'. Supported values are: {choices(_RATES)}."
        return Problem("invalid_value", message, param="sample_rate")
    return Patch(
        format=AudioFormat(Encoding.PCM16, _RATES[rate]) if rate else UNSET,
        transcription=TranscriptionPatch(model) if model else UNSET,
    )


def credential(
    headers: Mapping[str, str], subprotocols: Sequence[str], query: Mapping[str, str], *, azure: bool
) -> str | None:
    """Headers by their lower-case names. Azure's clients may carry the key in the address; nobody else's."""
    return next(filter(None, _credentials(headers, subprotocols, query if azure else {})), None)


def selected(subprotocols: Sequence[str]) -> str | None:
    """Which of those offered to answer with; never one that bears a key."""
    if "realtime" in subprotocols:
        return "realtime"
    return next((offered for offered in subprotocols if not offered.startswith(_KEY_PREFIX)), None)


def _credentials(
    headers: Mapping[str, str], subprotocols: Sequence[str], query: Mapping[str, str]
) -> Iterator[str]:
    yield _bearer(headers.get("authorization", ""))
    yield headers.get("api-key", "").strip()
    yield headers.get("x-api-key", "").strip()
    for offered in subprotocols:
        if offered.startswith(_KEY_PREFIX):
            yield offered.removeprefix(_KEY_PREFIX)
    yield query.get("api-key", "")
    yield _bearer(query.get("Authorization", ""))


def _bearer(authorization: str) -> str:
    scheme, _, key = authorization.strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _asks_for_beta(betas: Sequence[str], subprotocols: Sequence[str]) -> bool:
    # `assistants=v2` stands in the same header by historical accident and says nothing.
    tokens = ",".join(betas).split(",")
    return "realtime=v1" in map(str.strip, tokens) or "openai-beta.realtime-v1" in subprotocols


_KEY_PREFIX: Final = "openai-insecure-api-key."
_RATES: Final = {str(rate): rate for rate in RATES}
