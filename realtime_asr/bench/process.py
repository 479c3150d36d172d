"""What a process of this machine and its children cost, read from /proc: nothing where there is none."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_TICKS: Final = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float
    resident_bytes: int


def usage(pid: int, proc: Path = _PROC) -> Usage | None:
    """None if there is no such process, or no more."""
    parts = [part for each in _family(pid, proc) if (part := _own_usage(each, proc))]
    if not parts:
        return None
    return Usage(sum(part.cpu_seconds for part in parts), sum(part.resident_bytes for part in parts))


def listening_on(port: int, proc: Path = _PROC) -> int | None:
    """The process that accepts connections on a port, and of a family of them the eldest."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port, proc)}
    holders = {pid for pid in _pids(proc) if sockets & _open_files(pid, proc)} if sockets else set()
    return min((pid for pid in holders if _parent(pid, proc) not in holders), default=None)


def _own_usage(pid: int, proc: Path) -> Usage | None:
    try:
        stat = _stat(pid, proc)
        status = (proc / str(pid) / "status").read_text()
    except OSError:
        return None
    # Its own time and that of children which ended, in user and in system mode.
    ticks = sum(int(field) for field in stat[11:15])
    resident = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), "0")
    return Usage(ticks / _TICKS, int(resident) * 1024)


def _family(pid: int, proc: Path) -> Iterator[int]:
    yield pid
    for children in (proc / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            for child in children.read_text().split():
                yield from _family(int(child), proc)


def _pids(proc: Path) -> Iterator[int]:
    return (int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())


def _parent(pid: int, proc: Path) -> int | None:
    try:
        return int(_stat(pid, proc)[1])
    except OSError:
        return None


def _stat(pid: int, proc: Path) -> list[str]:
    """The fields after the name, which may hold anything."""
    return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _listening_inodes(port: int, proc: Path) -> Iterator[str]:
    for table in (proc / "net" / "tcp", proc / "net" / "tcp6"):
        rows = table.read_text().splitlines()[1:] if table.is_file() else []
        for _, local, _, state, *_, inode in (row.split()[:10] for row in rows):
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield inode


def _open_files(pid: int, proc: Path) -> set[str]:
    files: set[str] = set()
    with suppress(OSError):  # another user's, or gone
        for entry in (proc / str(pid) / "fd").iterdir():
            with suppress(OSError):  # closed by now
                files.add(str(entry.readlink()))
    return files
