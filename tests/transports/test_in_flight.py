"""What connections have in flight together."""

from dataclasses import dataclass, field
from math import inf

from realtime_asr.transports.in_flight import SHARE, Budget, Holding, holding_of

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
    one, other, theirs = (line.connection(name, 2 * SHARE) for name in ("one", "other", "their"))

    with one.counted_for(key), other.counted_for(key):
        may = [holding.may_read() for holding in (one, other, theirs)]

    assert [True, False, True] == may


def test_a_connection_of_another_key_does_not_wait_for_one_that_waits() -> None:
    line, full, roomy = Line(), Budget(SHARE), Budget(inf)
    one, other = line.connection("one", 2 * SHARE), line.connection("other", 2 * SHARE)
    third = line.connection("third", 9 * SHARE)
    with one.counted_for(full), other.counted_for(full), third.counted_for(roomy):
        for holding in (one, other, third):
            holding.may_read()

        third.hold(2 * SHARE)

        assert "third" in line.called
        assert "other" not in line.called


def test_what_one_key_waits_for_is_nothing_to_another_that_waits_too() -> None:
    line, keys = Line(), (Budget(SHARE), Budget(SHARE))
    one, other = line.connection("one", 2 * SHARE), line.connection("other", 2 * SHARE)

    with one.counted_for(keys[0]), other.counted_for(keys[1]):
        assert [True, True] == [one.may_read(), other.may_read()]
        assert [True, True] == [one.is_first, other.is_first]


def test_two_that_wait_for_server_and_key_do_not_wait_for_each_other() -> None:
    """The first came into the server's line before it was known whose it is."""
    line, key = Line(), Budget(SHARE)
    one, other = line.connection("one", FULL), line.connection("other", FULL)
    one.may_read()

    with other.counted_for(key):
        other.may_read()
        with one.counted_for(key):
            may = [one.may_read(), other.may_read()]

            assert [False, True] == may
            assert "one" in line.called, "asked again once it stands elsewhere"


# What a session has in its hands


def test_what_a_session_took_counts_until_it_was_heard() -> None:
    line = Line()
    one = line.connection("one", 2 * SHARE)

    one.take(2 * SHARE)
    one.hold(0)
    meanwhile = line.server.held, line.server.taken
    one.take(0)

    assert ((2 * SHARE, 2 * SHARE), (0, 0)) == (meanwhile, (line.server.held, line.server.taken))


def test_nobody_is_read_out_of_turn_while_what_fills_the_server_is_being_heard() -> None:
    """It ends by itself: no need to make room for one more."""
    line = Line()
    one, other = line.connection("one"), line.connection("other", 2 * SHARE)
    one.take(FULL)

    may, is_first = other.may_read(), other.is_first
    one.take(0)

    assert (False, False) == (may, is_first)
    assert ["other"] == line.called
    assert other.may_read()


def test_a_full_key_does_not_wait_for_what_others_have_heard() -> None:
    line, key = Line(), Budget(SHARE)
    ours, theirs = line.connection("our", 2 * SHARE), line.connection("their")
    theirs.take(2 * SHARE)

    with ours.counted_for(key):
        assert ours.may_read()
        assert ours.is_first


def test_who_was_heard_stands_at_the_end_of_the_line() -> None:
    line = Line()
    one, other = line.connection("one", 5 * SHARE), line.connection("other", FULL)
    for holding in (one, other):
        holding.may_read()
    one.take(SHARE)
    first = one.is_first

    one.take(0)

    assert not first
    assert ["other", "one"] == line.called
    assert [True, False] == [other.may_read(), one.may_read()]


def test_with_the_session_ends_what_it_had_in_its_hands_and_what_counts_for_its_key() -> None:
    line, key = Line(), Budget(inf)
    one = line.connection("one", 100)

    with one.counted_for(key):
        one.take(10)
        meanwhile = (line.server.held, key.held, key.taken)

    assert ((110, 110, 10), (100, 0, 0)) == (meanwhile, (line.server.held, key.held, key.taken))


def test_one_connection_after_the_other_counts_for_the_key_of_its_request() -> None:
    """Browsers and proxies keep connections for whoever comes next."""
    line, keys = Line(), (Budget(inf), Budget(inf))
    one = line.connection("one")

    counted = []
    for key in (*keys, keys[0]):
        with one.counted_for(key):
            one.hold(100)
            counted.append(tuple(each.held for each in keys))
        one.hold(0)

    assert [(100, 0), (0, 100), (100, 0)] == counted


def test_where_no_front_counts_nobody_waits() -> None:
    mine = Line().connection("one")

    assert mine is holding_of({"state": {"in_flight": mine}})
    for other in (holding_of({}), holding_of({"state": {}})):
        other.hold(FULL)
        assert other.may_read()
