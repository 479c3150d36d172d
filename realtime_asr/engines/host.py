"""How much of this machine the process may use, and how passes over audio share it."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def plan(cores: int, *, gpu: bool, workers: int | None = None, threads: int = 0) -> tuple[int, int]:
    """Workers, and threads of each; what is given stays. No threads leaves them to the engine.

    Short passes gain little from a second thread, so workers come first. On many cores the memory that
    every worker wants for itself, and finals that wait for nobody, speak for more threads.
    """
    if gpu:
        return workers or 1, threads
    if workers and not threads:
        return workers, max(cores // workers, 1)
    threads = threads or _threads(cores)
    return workers or max(cores // threads, 1), threads


def _threads(cores: int) -> int:
    return 4 if cores >= 16 else 2 if cores >= 8 else 1


def usable_cores(root: Path = Path("/"), allowed: int | None = None) -> int:
    """Those that the scheduler may give this process, or that its container's quota pays for."""
    allowed = allowed or _allowed()
    return max(1, int(min([allowed, *_quotas(root)])))


def has_gpu(root: Path = Path("/")) -> bool:
    """A driver shows one, the usual or that of Windows' Linux."""
    devices = root / "dev"
    return any(devices.glob("nvidia[0-9]*")) or (devices / "dxg").exists()


def _allowed() -> int:
    # Linux knows; elsewhere all are for everybody.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """In cores, of every control group around this process, of either version."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        group = PurePosixPath(path)
        for around in (group, *group.parents):
            yield from _quota(mount / around.relative_to("/"))


def _quota(folder: Path) -> Iterator[float]:
    told = _read(folder / "cpu.max")
    older = f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
    match (told or older).split():
        case [quota, period] if quota not in ("max", "-1"):
            yield int(quota) / int(period)
        case _:
            pass


def _read(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())
    except OSError:
        return ""
