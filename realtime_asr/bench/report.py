"""What a run showed: the figures, whether they can be trusted, and where they were taken."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from realtime_asr.bench.measure import Figure, Measure, Measured, figure
from realtime_asr.bench.plan import Plan
from realtime_asr.engines.host import usable_cores

LATEST_MS: Final = 50
"""If one chunk in twenty is sent later than this, the load was not what was asked for."""

_PACKAGES: Final = ("realtime-asr", "websockets", "numpy")


@dataclass(frozen=True, slots=True)
class Host:
    cpu: str
    cores: int
    """That the process may use."""
    system: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the server's process and its children, from the first connection to the last answer."""

    cpu_seconds: float
    cpu_per_audio_second: float
    """Of one stream: how many cores each second of its audio takes."""
    peak_bytes: int
    final_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    plan: Plan
    """Without the key."""
    host: Host
    began: str
    """Date and time, in ISO 8601."""
    seconds: float
    audio_seconds: float
    """Sent, by all streams."""
    sender: Figure
    """By how many milliseconds chunks were sent late."""
    measured: Measured
    refusals: Mapping[str, int]
    """Streams refused at connect, by reason."""
    broken: int
    """Streams the server hung up on."""
    cost: Cost | None
    """None where the server's process cannot be seen."""

    def figure(self, measure: Measure) -> Figure:
        """In milliseconds."""
        return figure([sample.ms for sample in self.measured.samples[measure]])

    @property
    def problems(self) -> list[str]:
        """Why the figures are not to be trusted."""
        late, lost, streams = self.sender.p95, self.measured.lost, self.plan.streams
        told = [
            (late is None, "no audio was sent"),
            (
                late is not None and late > LATEST_MS,
                f"audio was sent late (p95 {late or 0:.0f} ms): the pace could not be kept",
            ),
            (lost > 0, f"no final text for {lost} of {self.measured.turns} turns"),
            (
                self.broken > 0,
                f"the server hung up on {self.broken} of {streams + self.plan.silent_streams} streams",
            ),
            (streams > 0 and self.measured.turns == 0, "no turn was measured"),
        ]
        return [sentence for is_so, sentence in told if is_so]

    @property
    def is_valid(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """All of it, and what follows from it."""
        derived = {
            "valid": self.is_valid,
            "problems": self.problems,
            "wer": self.measured.wer,
            "figures": {measure: _FIGURE.dump_python(self.figure(measure)) for measure in Measure},
        }
        return {**derived, **_REPORT.dump_python(self, mode="json")}

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> "Report":
        return _REPORT.validate_python(told)


def host() -> Host:
    versions = {name: found for name in _PACKAGES if (found := _version(name))}
    system, python = platform.platform(), platform.python_version()
    return Host(_cpu(), usable_cores(), system, {"python": python, **versions})


def _cpu(told: Path = Path("/proc/cpuinfo")) -> str:
    lines = told.read_text().splitlines() if told.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


_REPORT: Final = TypeAdapter(Report)
_FIGURE: Final = TypeAdapter(Figure)
