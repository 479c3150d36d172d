import re
import time
from collections import Counter
from collections.abc import Callable

import pytest

from realtime_asr.runtime import ids
from realtime_asr.runtime.clock import Clock, SystemClock


@pytest.mark.parametrize(
    ("new", "prefix"),
    [(ids.event_id, "event_"), (ids.session_id, "sess_"), (ids.item_id, "item_"), (ids.request_id, "req_")],
)
def test_an_id_is_a_prefix_and_21_base62_characters(new: Callable[[], str], prefix: str) -> None:
    assert re.fullmatch(prefix + "[0-9A-Za-z]{21}", new())


def test_no_two_ids_are_equal() -> None:
    assert len({ids.event_id() for _ in range(1000)}) == 1000


def test_every_character_is_about_equally_likely() -> None:
    drawn = Counter("".join(ids.item_id().removeprefix("item_") for _ in range(5000)))

    # 105,000 characters, 1,694 of each expected; six standard deviations are 245.
    assert len(drawn) == 62
    assert all(1440 < times < 1950 for times in drawn.values())


def test_the_system_clock_measures_by_one_clock_and_tells_by_the_other() -> None:
    clock: Clock = SystemClock()

    assert clock.now() <= time.monotonic()
    assert clock.unix() == pytest.approx(time.time(), abs=5)
