"""What a process holds: memory, files, threads and other processes, read from /proc."""

import resource
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    resident_kib: int
    files: int
    threads: int


def footprint(pid: int) -> Footprint:
    folder = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    files = sum(1 for _ in (folder / "fd").iterdir())
    return Footprint(int(status["VmRSS"].split()[0]), files, int(status["Threads"]))


def processes(pid: int) -> list[int]:
    """It, and all that it began."""
    children = (Path("/proc") / str(pid) / "task").glob("*/children")
    begun = [int(child) for told in children for child in told.read_text().split()]
    return [pid, *(each for child in begun for each in processes(child))]


def allow_files(most: int) -> None:
    """For this process and those it starts. Raises ValueError where so many are not allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
