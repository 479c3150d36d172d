"""What connections have in flight together."""

from dataclasses import dataclass, field
from math import inf

from realtime_asr.transports.in_flight import SHARE, Budget, Holding

FULL = 10 * SHARE


@dataclass
class Line:
    """Connections to a server, and who of them was called in."""

    server: Budget = field(default_factory=lambda: Budget(FULL))
    called: list[str] = field(default_factory=list)

    def connection(self, name: str, held: int = 0) -> Holding:
        holding = Holding(self.server, lambda: self.called.append(name))
        holding.hold(held)
        return holding


def test_what_all_hold_is_counted_together() -> None:
    line = Line()
    one, other = line.connection("one", 100), line.connection("other", 20)

    one.hold(30)
    other.hold(0)

    assert 30 == line.server.held


def test_while_there_is_room_everybody_may_read() -> None:
    line = Line()

    assert line.connection("large", FULL).may_read()


def test_once_it_is_full_only_the_first_in_line_and_the_small_may_read() -> None:
    line = Line()
    one, other = line.connection("one", FULL), line.connection("other", FULL)
    small = line.connection("small", SHARE)

    may = [holding.may_read() for holding in (one, other, small)]

    assert [True, False, True] == may
    assert [True, False, False] == [holding.is_first for holding in (one, other, small)]


def test_when_the_first_is_done_the_next_is_called_in() -> None:
    line = Line()
    one, other, third = (line.connection(name, FULL) for name in ("one", "other", "third"))
    for holding in (one, other, third):
        holding.may_read()

    one.hold(0)

    assert ["other"] == line.called
    assert [True, False] == [other.may_read(), third.may_read()]


def test_when_there_is_room_again_all_are_called_in() -> None:
    line = Line()
    one, other, third = (line.connection(name, 5 * SHARE) for name in ("one", "other", "third"))
    for holding in (one, other, third):
        holding.may_read()

    one.hold(0)

    assert ["other", "third"] == line.called
    assert not other.is_first


def test_a_full_key_keeps_its_own_connections_waiting_and_no_others() -> None:
    line, key = Line(), Budget(SHARE)
    ours = [line.connection(f"our {number}", 2 * SHARE) for number in (1, 2)]
    for holding in ours:
        holding.count_for(key)
    theirs = line.connection("their", 2 * SHARE)

    may = [holding.may_read() for holding in (*ours, theirs)]

    assert [True, False, True] == may


def test_a_connection_of_another_key_does_not_wait_for_one_that_waits() -> None:
    line, full, roomy = Line(), Budget(SHARE), Budget(inf)
    one, other = line.connection("one", 2 * SHARE), line.connection("other", 2 * SHARE)
    for holding in (one, other):
        holding.count_for(full)
        holding.may_read()
    third = line.connection("third", 9 * SHARE)
    third.count_for(roomy)
    third.may_read()

    third.hold(2 * SHARE)

    assert "third" in line.called
    assert "other" not in line.called
