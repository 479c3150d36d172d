"""Journals of sessions: any file can be lived again, or is refused as one that makes no sense."""

from io import BytesIO

from realtime_asr.runtime.replay import BadJournal, Replay


def check(data: bytes) -> None:
    replay = Replay(BytesIO(data))
    try:
        steps = list(replay.steps())
    except BadJournal as error:
        assert str(error)
        return
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert all(step.differs is None for step in steps[:-1])
