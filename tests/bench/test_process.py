import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from realtime_asr.bench import process
from realtime_asr.bench.process import Usage, listening_on, usage

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="there is no /proc here")


@needs_proc
def test_a_process_is_seen_with_its_children() -> None:
    before = usage(os.getpid())
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        during, alone = usage(os.getpid()), usage(child.pid)
        child.communicate(b"\n")

    assert before is not None
    assert during is not None
    assert alone is not None
    assert during.resident_bytes > alone.resident_bytes > 1024 * 1024
    assert during.cpu_seconds >= before.cpu_seconds > 0


@needs_proc
def test_the_process_that_listens_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert os.getpid() == listening_on(listening.getsockname()[1])


def test_where_there_is_no_proc_nothing_is_seen(tmp_path: Path) -> None:
    missing = tmp_path / "proc"

    assert (None, None) == (usage(1, missing), listening_on(80, missing))


def process_in(
    proc: Path, pid: int, parent: int, *, children: str = "", ticks: int = 0, inode: int = 7
) -> None:
    folder = proc / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True)
    (folder / "task" / str(pid) / "children").write_text(children)
    fields = ["S", str(parent), *["0"] * 9, str(ticks), "0", "0", "0"]
    (folder / "stat").write_text(f"{pid} (a (strange) name) {' '.join(fields)}")
    (folder / "status").write_text("Name:\tany\nVmRSS:\t  10 kB\n")
    (folder / "fd").mkdir()
    (folder / "fd" / "3").symlink_to(f"socket:[{inode}]")


def table_in(proc: Path, *rows: str) -> None:
    (proc / "net").mkdir()
    (proc / "net" / "tcp").write_text("\n".join(["  sl  local_address rem_address st ...", *rows]))


LISTENING = "   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1"
CONNECTED = "   1: 0100007F:1F40 0100007F:A000 01 00000000:00000000 00:00000000 00000000 0 0 8 1"


def test_of_a_family_that_shares_a_port_the_eldest_is_found(tmp_path: Path) -> None:
    table_in(tmp_path, LISTENING, CONNECTED)
    process_in(tmp_path, 20, 1, children="10 ")
    process_in(tmp_path, 10, 20)
    process_in(tmp_path, 30, 1, inode=8)

    assert 20 == listening_on(8000, tmp_path)
    assert listening_on(8001, tmp_path) is None


def test_a_child_that_is_gone_by_now_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_TICKS", 100)
    process_in(tmp_path, 20, 1, children="10 99 ", ticks=50)
    process_in(tmp_path, 10, 20, ticks=25)

    assert Usage(0.75, 20 * 1024) == usage(20, tmp_path)


def test_a_file_that_is_closed_while_it_is_looked_at_hides_no_other(tmp_path: Path) -> None:
    table_in(tmp_path, LISTENING)
    process_in(tmp_path, 20, 1)
    for number in range(4, 20):
        # No link any more: it cannot be read.
        (tmp_path / "20" / "fd" / str(number)).write_text("")

    assert {"socket:[7]"} == process._open_files(20, tmp_path)


def test_a_process_that_is_gone_while_the_port_is_looked_up_is_passed_over(tmp_path: Path) -> None:
    table_in(tmp_path, LISTENING)
    process_in(tmp_path, 20, 1)
    (tmp_path / "20" / "stat").unlink()

    assert 20 == listening_on(8000, tmp_path)
