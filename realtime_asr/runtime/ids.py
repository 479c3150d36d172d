"""Identifiers in OpenAI's form: a prefix and 21 base62 characters."""

import secrets
import string
from typing import Final


def event_id() -> str:
    return _new("event_")


def session_id() -> str:
    return _new("sess_")


def item_id() -> str:
    return _new("item_")


def request_id() -> str:
    return _new("req_")


def webhook_id() -> str:
    return _new("evt_")


_BASE62: Final = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
_CHARACTERS: Final = bytes(_BASE62[byte % 62] for byte in range(256))
# 256 is no multiple of 62: without the last eight bytes every character is equally likely.
_UNEVEN: Final = bytes(range(248, 256))


def _new(prefix: str) -> str:
    # Of 48 bytes fewer than 21 stay once in 10^28 times. Choosing one by one takes fifteen times as long.
    return prefix + secrets.token_bytes(48).translate(_CHARACTERS, _UNEVEN)[:21].decode()
