"""What holds for a session whatever those around it do, ten thousand times over."""

import os
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from realtime_asr.session.commands import Command
from realtime_asr.session.config import Limits, SessionConfig
from realtime_asr.session.events import TranscriptCompleted
from realtime_asr.session.session import Output, Session
from tests.fakes import counted_ids
from tests.session.simulation import Loud, simulate, simulate_all

SEEDS = 10_000
SECONDS = 60
"""On a machine that does nothing else."""


def test_whatever_goes_wrong_around_it_a_session_keeps_its_promises() -> None:
    began = _worked()
    reached = simulate_all(range(SEEDS))
    took = (_worked() - began) / (os.cpu_count() or 1)

    assert took < SECONDS
    # Where nothing ever goes wrong, or nothing comes of it, nothing is proved.
    goals = {
        "completed": 10_000,
        "corrected": 500,
        "failed": 500,
        "live delta": 5_000,
        "split": 2_000,
        "cleared": 500,
        "deleted": 50,
        "IdleTimedOut": 200,
        "PrepareTurn": 5_000,
        "AbandonTurn": 500,
        "stalled": 5_000,
        "lost": 300,
        "swapped": 300,
        "doubled": 300,
        "repeated": 3_000,
        "overtaken": 3_000,
        "nonsense": 3_000,
        "lies": 1_000,
        "mute": 50,
        "jump": 500,
        "jump back": 500,
        "gone": 50,
        "too late": 3_000,
        "hung_up": 200,
        "warned": 300,
        "told to leave": 200,
        "closed 1000": 3_000,
        "closed 1001": 300,
        "closed 1012": 200,
        "same text": 1_500,
    }
    assert [] == [goal for goal, enough in goals.items() if reached[goal] < enough]


def _worked() -> float:
    """Seconds that processes of ours which have ended had a core for: others may use it, too."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_same_seed_is_the_same_story() -> None:
    stories = [[simulate(seed) for seed in range(20)] for _ in range(2)]

    assert stories[0] == stories[1]


class Forgetful(Session):
    """Owes its client what it never tells."""

    def receive(self, command: Command, now: float) -> list[Output]:
        outputs = super().receive(command, now)
        return [output for output in outputs if not isinstance(output, TranscriptCompleted)]


def test_a_broken_promise_is_noticed_and_can_be_seen_again() -> None:
    def forgetful(config: SessionConfig, limits: Limits) -> Session:
        return Forgetful(config, limits, Loud(), counted_ids("item"))

    with pytest.raises(AssertionError, match="an item never ended") as failure:
        [simulate(seed, forgetful) for seed in range(50)]

    [note] = failure.value.__notes__
    assert "python -m tests.session.simulation --seed " in note


def test_one_seed_can_be_told_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    simulate(4, tells=True)

    told = capsys.readouterr().out
    assert "Begin()" in told
    assert "AppendAudio of " in told
    assert "SessionClosed()" in told
