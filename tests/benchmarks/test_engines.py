"""The engines side by side: each pass is the same for both, and its cost is told."""

from pathlib import Path

from benchmarks.engines import CASES, measured, processor


def test_each_case_of_each_size_has_a_row(tmp_path: Path) -> None:
    head, _, *rows = measured(tmp_path, ["micro"], runs=1).splitlines()

    assert "| model |  | CTranslate2, ms | OpenVINO, ms | times as fast |" == head
    assert [f"| micro | {case.name} |" for case in CASES] == [row[: row.index("|", 10) + 1] for row in rows]


def test_the_processor_has_a_name() -> None:
    assert "" != processor()
