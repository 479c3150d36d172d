"""Who a session is for, as far as those need to know who watch it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visitor:
    key_id: str = "anonymous"
    door: str = "realtime"
    """By which front they came."""
    traceparent: str | None = None
    """The span that this is part of, as W3C Trace Context writes it."""
