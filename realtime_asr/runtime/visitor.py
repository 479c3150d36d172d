"""Who a session is for, as far as those need to know who watch it."""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Visitor:
    key_id: str = "anonymous"
    door: str = "realtime"
    """By which front they came."""
    traceparent: str | None = None
    """The span that this is part of, as W3C Trace Context writes it, or whatever the client wrote."""

    @property
    def trace_id(self) -> str | None:
        found = _TRACEPARENT.fullmatch(self.traceparent or "")
        return found and found["trace"]


_TRACEPARENT: Final = re.compile(
    "(?!ff)[0-9a-f]{2}-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
