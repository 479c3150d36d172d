from typing import Any

import pytest

from realtime_asr.bench.plan import BadPlan, Plan


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"streams": -1}, "less than no"),
        ({"streams": 0}, "nothing to measure"),
        ({"streams": 0, "silent_streams": 3}, "how many seconds"),
        ({"turns": 0}, "a turn that counts"),
        ({"chunk_ms": 5}, "between 10 and 1000 ms"),
        ({"pause_seconds": 0}, "Without pauses"),
        ({"breath_ms": (300, 200)}, "A breath"),
        ({"breath_ms": (-1, 200)}, "A breath"),
    ],
)
def test_a_plan_that_cannot_be_run_says_why(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(BadPlan, match=why):
        Plan("ws://localhost/v1", **wrong)


def test_the_key_is_not_shown() -> None:
    assert "sk-" not in repr(Plan("ws://localhost/v1", api_key="sk-secret"))


def test_silence_can_be_all_there_is() -> None:
    assert Plan("ws://localhost/v1", streams=0, silent_streams=3, seconds=1).silent_streams == 3
