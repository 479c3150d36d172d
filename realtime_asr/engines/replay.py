"""An engine without a model: it says what its script says, at the pace of the audio."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from realtime_asr.audio.timeline import Samples, seconds
from realtime_asr.engines.engine import Capabilities, EngineError
from realtime_asr.engines.mailbox import Mailbox
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest


@dataclass(frozen=True, slots=True)
class Failure:
    """A line of the script that breaks its turn instead of saying something."""

    message: str


class ReplayEngine:
    """Each turn opened takes the next line, and the first again after the last."""

    def __init__(self, script: Sequence[str | Failure], *, words_per_second: float = 3.0) -> None:
        assert script, "a script has at least one line"
        self.capabilities = Capabilities()
        self._lines = cycle(script)
        self._words_per_second = words_per_second

    async def start(self) -> None:
        """Nothing needs loading."""

    async def stop(self) -> None:
        """Nothing runs on its own."""

    def open(self, request: TurnRequest) -> "_Turn":
        return _Turn(next(self._lines), self._words_per_second, recorded=request.recorded)


class _Turn:
    def __init__(self, line: str | Failure, words_per_second: float, *, recorded: bool) -> None:
        self._line = line
        self._recorded = recorded
        self._words = () if isinstance(line, Failure) else tuple(Word(" " + word) for word in line.split())
        self._words_per_second = words_per_second
        self._fed = 0
        self._shown = 0
        self._mailbox = Mailbox()

    def feed(self, samples: Samples, voice: float = 1.0) -> None:  # noqa: ARG002 (the script was spoken)
        self._fed += len(samples)
        spoken = min(int(seconds(self._fed) * self._words_per_second), len(self._words))
        if spoken > self._shown and not self._recorded:
            self._shown = spoken
            self._mailbox.put(Hypothesis(self._words[:spoken], heard=self._fed))

    def prepare(self, voiced: int) -> None:
        """The script is ready as it is."""

    def finish(self, voiced: int) -> None:
        if voiced <= 0:
            self._mailbox.put(Hypothesis((), final=True, heard=self._fed))
        elif isinstance(self._line, Failure):
            self._mailbox.put(EngineError(self._line.message))
        else:
            self._mailbox.put(Hypothesis(self._words, final=True, heard=self._fed))

    def abandon(self) -> None:
        self._mailbox.close()

    def hypotheses(self) -> AsyncIterator[Hypothesis]:
        return self._mailbox.collect()
