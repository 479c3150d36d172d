import os
from pathlib import Path

import pytest

from realtime_asr.engines.host import has_gpu, plan, usable_cores


@pytest.mark.parametrize(
    ("cores", "expected"),
    [(1, (1, 1)), (2, (2, 1)), (7, (7, 1)), (8, (4, 2)), (15, (7, 2)), (16, (4, 4)), (64, (16, 4))],
)
def test_more_cores_mean_more_workers_and_then_more_threads(cores: int, expected: tuple[int, int]) -> None:
    assert expected == plan(cores, gpu=False)


@pytest.mark.parametrize(
    ("workers", "threads", "expected"),
    [(1, 0, (1, 8)), (3, 0, (3, 2)), (9, 0, (9, 1)), (None, 4, (2, 4)), (None, 9, (1, 9)), (5, 3, (5, 3))],
)
def test_what_is_given_stays(workers: int | None, threads: int, expected: tuple[int, int]) -> None:
    assert expected == plan(8, gpu=False, workers=workers, threads=threads)


def test_a_gpu_has_one_worker_unless_told() -> None:
    assert (1, 0) == plan(64, gpu=True)
    assert (2, 3) == plan(64, gpu=True, workers=2, threads=3)


def host(root: Path, groups: str, quotas: dict[str, str]) -> Path:
    for path, text in {"proc/self/cgroup": groups, **quotas}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


V2 = "0::/pods/one\n"
V1 = "11:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n"


@pytest.mark.parametrize(
    ("groups", "quotas", "expected"),
    [
        (V2, {}, 8),
        (V2, {"sys/fs/cgroup/pods/one/cpu.max": "max 100000\n"}, 8),
        (V2, {"sys/fs/cgroup/pods/one/cpu.max": "250000 100000\n"}, 2),
        (V2, {"sys/fs/cgroup/pods/one/cpu.max": "50000 100000\n"}, 1),
        (V2, {"sys/fs/cgroup/pods/one/cpu.max": "max 100000", "sys/fs/cgroup/pods/cpu.max": "300000 100000"}, 3),
        ("0::/größe\n", {"sys/fs/cgroup/größe/cpu.max": "300000 100000"}, 3),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "400000 100000"}, 4),
        (V2, {"sys/fs/cgroup/pods/one/cpu.max": "9900000 100000"}, 8),
        (V1, {"sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 8),
        # Inside a container the group's own path is not there: what is mounted begins with it.
        (V1, {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ("7:memory:/docker/abc\n", {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 8),
    ],
)  # fmt: skip
def test_a_quota_of_any_group_around_counts(
    tmp_path: Path, groups: str, quotas: dict[str, str], expected: int
) -> None:
    assert expected == usable_cores(host(tmp_path, groups, quotas), allowed=8)


def test_without_control_groups_the_scheduler_decides(tmp_path: Path) -> None:
    assert usable_cores(tmp_path, allowed=5) == 5
    assert 1 <= usable_cores(tmp_path) <= (os.cpu_count() or 1)


def test_where_the_scheduler_does_not_tell_all_cores_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    assert usable_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("device", "expected"), [("nvidia0", True), ("dxg", True), ("nvidiactl", False), ("null", False)]
)
def test_a_gpu_is_there_when_its_driver_shows_it(tmp_path: Path, device: str, *, expected: bool) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / device).touch()

    assert expected == has_gpu(tmp_path)
