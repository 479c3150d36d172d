"""How much clients sent that no session took yet, and who has to wait until it is less."""

from collections.abc import Callable
from typing import Final

SHARE: Final = 64 * 1024
"""Bytes that every connection may have in flight whatever others do: half a second of audio and more."""


class Budget:
    """How many bytes may be in flight together: of the whole server, or of one key."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.held = 0
        self.line: dict[Holding, None] = {}
        """Connections that want to send more than their share; there is one line, the server's. Only the
        first is read on, or messages that are each half there would wait for one another for ever."""

    @property
    def exhausted(self) -> bool:
        return self.held > self.most

    def call_in(self) -> None:
        for holding in tuple(self.line):
            if holding.may_read():
                holding.on_room()
            elif self.exhausted:
                return


class Holding:
    """What one connection has in flight."""

    def __init__(self, server: Budget, on_room: Callable[[], None]) -> None:
        """`on_room` is called when who had to wait may be read again."""
        self.held = 0
        self.on_room = on_room
        self._server = server
        self._budgets = [server]

    def count_for(self, budget: Budget) -> None:
        """From now on this is part of that budget too: of its key's, say."""
        self._budgets.append(budget)
        budget.held += self.held

    def hold(self, held: int) -> None:
        """So much it is now; nothing, at the end."""
        by, self.held = held - self.held, held
        for budget in self._budgets:
            budget.held += by
        if held <= SHARE:
            self.leave_line()
        if by < 0:
            self._server.call_in()

    def may_read(self) -> bool:
        """Who may not stands in line from then on."""
        if self.held <= SHARE or not any(budget.exhausted for budget in self._budgets):
            self.leave_line()
            return True
        self._server.line.setdefault(self)
        return self.is_first

    def leave_line(self) -> None:
        self._server.line.pop(self, None)

    @property
    def is_first(self) -> bool:
        """The others in line wait for this one."""
        return next(iter(self._server.line), None) is self
