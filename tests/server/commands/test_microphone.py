"""The command with a microphone that plays a clip, and without any."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.resample import convert
from realtime_asr.engines.replay import Failure, ReplayEngine
from realtime_asr.server.commands import listening, microphone
from realtime_asr.server.commands.cli import main
from tests.speech.clips import clip

RATE = 48_000
PAUSE = clip("pause").text
FIRST, SECOND = "The farmer sold the old horse in the village.", "My brother likes the warm soup."
Printed = pytest.CaptureFixture[str]


class Sound(ModuleType):
    """As much of sounddevice as is used. What happens when the clip is over is the test's to say."""

    class PortAudioError(Exception):
        pass

    def __init__(self, over: Callable[[], object] | None = None) -> None:
        super().__init__("sounddevice")
        self.opened: dict[str, Any] = {}
        self._over = over

    def query_devices(self, device: object = None, kind: str | None = None) -> Any:
        if device == "nowhere":
            raise self.PortAudioError("No input device matching 'nowhere'")
        return {"default_samplerate": float(RATE)} if kind == "input" else "  0 Studio, ALSA (1 in, 0 out)"

    def RawInputStream(self, **how: Any) -> "Stream":  # noqa: N802  the library's name
        self.opened = how
        return Stream(how["blocksize"], how["callback"], self._over or how["finished_callback"])


class Stream:
    """Speaks from a thread of its own, as PortAudio does, and as fast as it can."""

    def __init__(self, block: int, hear: Callable[..., None], over: Callable[[], object]) -> None:
        self._block, self._hear, self._over = 2 * block, hear, over
        self._thread = threading.Thread(target=self._play)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _play(self) -> None:
        pcm = encode_pcm16(
            convert(np.concatenate((clip("pause").samples, np.zeros(16_000, np.float32))), rate=RATE)
        )
        for at in range(0, len(pcm), self._block):
            self._hear(memoryview(pcm[at : at + self._block]), self._block // 2, None, None)
        self._over()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Sound:
    module = Sound()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_each_turn_becomes_a_line(sound: Sound, capsys: Printed) -> None:
    code = main(["microphone"])

    assert (0, f"{FIRST}\n{SECOND}\n", "") == (code, *capsys.readouterr())


def test_on_a_terminal_the_text_grows_on_one_row_until_it_is_settled(
    sound: Sound, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")

    main(["microphone"])

    rows = capsys.readouterr().out.split("\r\x1b[K")
    assert [f"{FIRST}\n", f"{SECOND}\n"] == [row for row in rows if row.endswith("\n")]
    growing = [
        row.removeprefix("\x1b[2m").removesuffix("\x1b[0m") for row in rows if row.startswith("\x1b[2m")
    ]
    assert growing
    assert all(len(row) < 20 and row in PAUSE for row in growing)


def test_it_listens_at_the_rate_of_the_microphone_that_was_chosen(sound: Sound) -> None:
    main(["microphone", "--input", "Studio"])

    opened = {name: sound.opened[name] for name in ("device", "samplerate", "channels", "dtype")}
    assert {"device": "Studio", "samplerate": RATE, "channels": 1, "dtype": "int16"} == opened


def test_a_microphone_has_a_number_too(sound: Sound) -> None:
    main(["microphone", "--input", "3"])

    assert 3 == sound.opened["device"]


def test_an_interrupt_ends_it_once_the_last_words_are_written(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Sound(over=interrupt))

    code = main(["microphone"])

    assert (0, f"{FIRST}\n{SECOND}\n") == (code, capsys.readouterr().out)


def test_a_second_interrupt_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        loop = asyncio.get_running_loop()
        with microphone._until_interrupted(interrupt):
            loop.call_soon(interrupt)
            await asyncio.Event().wait()

    monkeypatch.setitem(sys.modules, "sounddevice", Sound())
    monkeypatch.setattr(microphone, "_listen", never)

    assert 130 == main(["microphone"])


def test_what_goes_wrong_with_a_turn_is_told_and_it_goes_on(
    sound: Sound, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = ReplayEngine([Failure("It is too hot."), "good morning all"])
    monkeypatch.setattr(listening, "engines", lambda _: lambda _: script)

    code = main(["microphone"])

    out, err = capsys.readouterr()
    assert (0, "good morning all\n") == (code, out)
    assert err.startswith("realtime-asr: ")
    assert err.endswith("It is too hot.\n")


def test_who_stops_reading_ends_it_as_other_commands(sound: Sound, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as deaf:
        monkeypatch.setattr(sys, "stdout", deaf)

        assert 1 == main(["microphone"])


def test_the_devices_are_listed(sound: Sound, capsys: Printed) -> None:
    code = main(["microphone", "--list-inputs"])

    assert (0, "  0 Studio, ALSA (1 in, 0 out)\n") == (code, capsys.readouterr().out)


def test_a_microphone_that_is_not_there_is_told_in_a_sentence(sound: Sound, capsys: Printed) -> None:
    code = main(["microphone", "--input", "nowhere"])

    sentence = "realtime-asr: There is no microphone to listen to: No input device matching 'nowhere'.\n"
    assert (1, sentence) == (code, capsys.readouterr().err)


def test_without_the_extra_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    code = main(["microphone"])

    assert (1, True) == (code, "pip install 'realtime-asr[microphone]'" in capsys.readouterr().err)


def test_without_portaudio_it_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Printed, tmp_path: Any
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    code = main(["microphone"])

    assert (1, True) == (code, "PortAudio is missing" in capsys.readouterr().err)
