import time

from realtime_asr.runtime.clock import Clock, SystemClock


def test_the_clock_never_runs_backwards() -> None:
    clock: Clock = SystemClock()

    assert clock.now() <= clock.now()


def test_the_wall_says_what_the_machine_says() -> None:
    before = time.time()

    assert before <= SystemClock().unix() <= time.time()
