"""What went wrong, for whoever has to be told."""

from dataclasses import dataclass
from typing import Literal

ProblemKind = Literal["invalid_request_error", "requests", "server_error"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`code` and `param` are OpenAI's; `ref` is the client's own id for the event at fault."""

    code: str | None
    message: str
    param: str | None = None
    ref: str | None = None
    kind: ProblemKind = "invalid_request_error"

    @property
    def name(self) -> str:
        """What OpenAI gives as the reason of a close."""
        return f"{self.kind}.{self.code}" if self.code else self.kind
