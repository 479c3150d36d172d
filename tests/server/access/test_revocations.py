import logging
from pathlib import Path

import pytest

from realtime_asr.server.access.revocations import Revocations
from tests.fakes import ManualClock

NOW = 1_700_000_000
EXPIRES = NOW + 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "revoked"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_revoked_is_known_and_nothing_else(folder: Path) -> None:
    revoked = Revocations(folder, ManualClock())

    revoked.add("one", EXPIRES)

    assert "one" in revoked
    assert "two" not in revoked


def test_where_nobody_revoked_anything_nothing_is_written(folder: Path) -> None:
    assert "one" not in Revocations(folder, ManualClock())
    assert not folder.exists()


def test_it_is_remembered_after_a_restart(folder: Path) -> None:
    Revocations(folder, ManualClock()).add("one", EXPIRES)

    assert "one" in Revocations(folder, ManualClock())


def test_servers_that_share_the_folder_learn_of_it_when_they_look(folder: Path) -> None:
    here, there = (Revocations(folder, ManualClock()) for _ in range(2))
    here.add("one", EXPIRES)
    there.add("two", EXPIRES)
    before = "one" in there

    there.look()

    assert not before
    assert "one" in there
    assert "two" in there


def test_what_was_read_once_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (Revocations(folder, ManualClock()) for _ in range(2))
    here.add("one", EXPIRES)
    there.look()
    before = names(folder)
    here.add("two", EXPIRES)
    read: list[str] = []
    monkeypatch.setattr(there, "_read", read.append)

    there.look()

    assert set(names(folder)) - set(before) == set(read)


def test_to_revoke_twice_is_as_good_as_once(folder: Path) -> None:
    revoked = Revocations(folder, ManualClock())

    for _ in range(2):
        revoked.add("one", EXPIRES)

    assert 1 == len(names(folder))


def test_it_is_forgotten_long_after_the_secret_expired(folder: Path) -> None:
    clock = ManualClock()
    revoked = Revocations(folder, clock)
    revoked.add("one", EXPIRES)

    clock.advance(600 + 7200)
    revoked.look()
    assert "one" in revoked

    clock.advance(0.5)
    revoked.look()
    assert "one" not in revoked
    assert [] == names(folder)


def test_a_clock_that_goes_wrong_for_an_hour_brings_no_secret_back(folder: Path) -> None:
    clock = ManualClock()
    revoked = Revocations(folder, clock)
    revoked.add("one", EXPIRES)

    for wrong in (4200.0, 600.0):
        clock.at = wrong
        revoked.look()

    assert "one" in revoked
    assert "one" in Revocations(folder, clock)


@pytest.mark.parametrize("secret_id", ["", "../../etc/passwd", "a/b", "\ud800", "x" * 4000])
def test_whatever_a_secret_is_called_it_becomes_one_file_in_the_folder(secret_id: str, folder: Path) -> None:
    Revocations(folder, ManualClock()).add(secret_id, EXPIRES)

    assert 1 == len(names(folder))
    assert secret_id in Revocations(folder, ManualClock())


def test_the_names_of_files_do_not_tell_the_ids_of_secrets(folder: Path) -> None:
    Revocations(folder, ManualClock()).add("some-id", EXPIRES)

    assert "some-id" not in names(folder)[0]


@pytest.mark.parametrize("name", ["notes.txt", "0" * 32, "0" * 32 + ".soon", "0" * 32 + "." + "9" * 400])
def test_a_file_that_is_none_of_ours_counts_for_nothing_and_is_mentioned_once(
    name: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir(parents=True)
    path = folder / name[:200]
    path.touch()

    with caplog.at_level(logging.WARNING):
        revoked = Revocations(folder, ManualClock())
        revoked.look()

    assert 1 == len(caplog.records)
    assert path.exists()


def test_a_folder_that_is_none_counts_for_nothing_and_is_mentioned_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.parent.mkdir()
    folder.write_text("a file")

    with caplog.at_level(logging.WARNING):
        revoked = Revocations(folder, ManualClock())
        revoked.look()

    assert "one" not in revoked
    assert 1 == len(caplog.records)


def test_what_cannot_be_written_down_is_told_and_holds_all_the_same(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file")
    revoked = Revocations(folder, ManualClock())

    with pytest.raises(OSError, match="exists"):
        revoked.add("one", EXPIRES)

    assert "one" in revoked


def test_a_file_that_cannot_be_removed_does_no_harm(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    revoked = Revocations(folder, clock)
    revoked.add("one", EXPIRES)
    [path] = folder.iterdir()
    path.unlink()
    path.mkdir()
    clock.advance(10_000)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            revoked.look()

    assert "one" not in revoked
    assert 1 == len(caplog.records)
