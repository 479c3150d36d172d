"""How much clients sent that no session took yet, and who has to wait until it is less."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

from starlette.types import Scope

SHARE: Final = 64 * 1024
"""Bytes that every connection may have in flight whatever others do: half a second of audio and more."""


class Budget:
    """How many bytes may be in flight together: of the whole server, or of one key."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.held = 0
        self.taken = 0
        """That much of it sessions have in their hands: it is done with by itself, whoever sends what."""
        self.line: dict[Holding, None] = {}
        """Connections that want to send more than their share. Of a budget that is exhausted only the first
        is read on, or messages that are each half there would wait for one another for ever."""

    @property
    def exhausted(self) -> bool:
        return self.held > self.most

    def add(self, unread: int, taken: int) -> None:
        self.held += unread + taken
        self.taken += taken

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
        self.on_room = on_room
        self._unread = 0
        self._taken = 0
        self._budgets = [server]

    @property
    def held(self) -> int:
        return self._unread + self._taken

    @contextmanager
    def counted_for(self, budget: Budget) -> Iterator[None]:
        """Meanwhile this is part of that budget too: of its key's, say."""
        with self._out_of_line():
            self._budgets.append(budget)
            budget.add(self._unread, self._taken)
        try:
            yield
        finally:
            with self._out_of_line():
                self.take(0)
                self._budgets.remove(budget)
                budget.add(-self._unread, 0)
                budget.call_in()

    def hold(self, unread: int) -> None:
        """So much came that no session took yet; nothing, at the end."""
        by, self._unread = unread - self._unread, unread
        self._change(by, 0)

    def take(self, taken: int) -> None:
        """A session has so much in its hands; nothing, once it heard that. Small things are nobody's concern:
        who is first in line would wait for them again and again.
        """
        by, self._taken = taken - self._taken, taken
        if by > 0:
            self._change(0, by)
        elif by < 0:
            with self._out_of_line():
                self._change(0, by)

    def may_read(self) -> bool:
        """Who may not stands in line from then on."""
        if self.held <= SHARE or not any(budget.exhausted for budget in self._budgets):
            self.leave_line()
            return True
        for budget in self._budgets:
            budget.line.setdefault(self)
        return self.is_first

    def leave_line(self) -> None:
        for budget in self._budgets:
            budget.line.pop(self, None)

    @property
    def is_first(self) -> bool:
        """Others in line wait for this one, and this one for nobody but its client."""
        full = [budget for budget in self._budgets if budget.exhausted]
        return bool(full) and all(
            next(iter(budget.line), None) is self and not budget.taken for budget in full
        )

    @contextmanager
    def _out_of_line(self) -> Iterator[None]:
        """Whoever stood in line stands at the end of it afterwards: of all lines, or two could wait for each
        other.
        """
        waited = self in self._budgets[0].line
        self.leave_line()
        yield
        if waited:
            self.on_room()

    def _change(self, unread: int, taken: int) -> None:
        full = [budget for budget in self._budgets if budget.exhausted]
        for budget in self._budgets:
            budget.add(unread, taken)
        if self.held <= SHARE:
            self.leave_line()
        if unread + taken < 0:
            for budget in full:
                budget.call_in()


def holding_of(scope: Scope) -> Holding:
    """What the front counts of a connection; where there is none, nobody has to wait."""
    found = scope.get("state", {}).get("in_flight")
    return found if isinstance(found, Holding) else Holding(Budget(inf), lambda: None)
