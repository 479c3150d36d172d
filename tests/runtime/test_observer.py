from realtime_asr.runtime.observer import Observer, Observers
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import Begin
from realtime_asr.session.events import AudioCleared
from tests.runtime.test_runner import Watcher


def test_all_observers_are_told_the_same() -> None:
    one, other = Watcher(), Watcher()
    both: Observer = Observers(one, other)
    visitor, error = Visitor("key_1"), RuntimeError()

    both.entered("sess_1", visitor, 1.0)
    both.stepped("sess_1", Begin(), [AudioCleared()], 1.0, 0.1)
    both.turn_broke("sess_1", "item_1", error)
    both.broke("sess_1", error)
    both.left("sess_1", 2.0)
    both.refused(visitor, "rate_limit_exceeded")

    expected = Watcher(
        [Begin()],
        [AudioCleared()],
        [error],
        {"item_1": error},
        ["sess_1 entered", "sess_1 left"],
        [visitor],
        [(visitor, "rate_limit_exceeded")],
    )
    assert [expected, expected] == [one, other]
