"""The command, in the same process."""

import asyncio
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from realtime_asr.server.access.auth import digest_of
from realtime_asr.server.commands import cli, demo
from realtime_asr.server.commands.cli import main
from realtime_asr.server.commands.demo import Latencies, snippets
from realtime_asr.server.serving import Server
from realtime_asr.server.settings import PREFIX, Settings

KEY = "sk-demo-0123456789-abcdef-9f2c"
REPLAY = ["--engine", "replay", "--replay-script", "good morning all", "--vad", "energy", "--port", "0"]
Printed = pytest.CaptureFixture[str]


class Brief(Server):
    """Told to stop as soon as it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.handle_exit(signal.SIGTERM, None)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "Server", Brief)


def test_it_tells_which_version_it_is(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert (0, f"realtime-asr {version('realtime-asr')}\n") == (ended.value.code, capsys.readouterr().out)


# serve


@pytest.mark.usefixtures("brief")
def test_a_server_that_is_told_to_stop_has_done_well() -> None:
    assert main(["serve", *REPLAY]) == 0


def test_a_server_knows_how_to_read_its_settings_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, seen = tmp_path / "settings.toml", list[Settings]()

    class Again(Brief):
        def __init__(self, settings: Settings, reread: Callable[[], Settings]) -> None:
            super().__init__(settings, reread)
            file.write_text("beam_size = 7")
            seen.extend([settings, reread()])

    monkeypatch.setattr(cli, "Server", Again)
    file.write_text("beam_size = 3")

    assert main(["serve", *REPLAY, "--config", str(file)]) == 0
    assert [3, 7] == [each.beam_size for each in seen]


def test_a_model_that_cannot_be_loaded_stops_the_start_with_one_sentence(capsys: Printed) -> None:
    code = main(["serve", "--model", "./nowhere", "--port", "0", "--log-level", "error"])

    sentence = "realtime-asr: The model folder './nowhere' does not exist.\n"
    assert (1, sentence) == (code, capsys.readouterr().err)


def test_a_port_in_use_stops_the_start_with_one_sentence(capsys: Printed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = main(["serve", *REPLAY[:-1], port, "--log-level", "error"])

    sentence = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert sentence.startswith("realtime-asr: Cannot listen on 127.0.0.1: ")
    assert port in sentence


def test_the_process_ends_with_the_code_though_its_model_is_still_being_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = (sys.executable, "-m", "realtime_asr", "serve", "--port", str(taken.getsockname()[1]))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert 1 == ended.returncode
    assert ended.stderr.splitlines()[-1].startswith("realtime-asr: Cannot listen on 127.0.0.1: ")


def test_without_keys_a_server_does_not_show_itself_to_the_network(capsys: Printed) -> None:
    code = main(["serve", "--host", "0.0.0.0"])

    assert code == 2
    assert capsys.readouterr().err.startswith("realtime-asr: Listening on 0.0.0.0 without API keys")


def test_each_wrong_setting_has_its_own_line(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + "WORKERS", "0")

    code = main(["serve", "--port", "70000"])

    assert (2, 2) == (code, len(capsys.readouterr().err.splitlines()))


def test_to_be_interrupted_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Server) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "run", interrupted)

    assert main(["serve", *REPLAY]) == 130


# config


def test_settings_are_shown_without_their_secrets(capsys: Printed) -> None:
    code = main(["config", "--show", "--api-key", KEY, "--secret-key", f"k1:{KEY * 2}", "--workers", "3"])

    shown = capsys.readouterr().out
    assert (0, 3) == (code, tomllib.loads(shown)["workers"])
    assert KEY not in shown


def test_settings_that_are_fine_are_said_to_be(capsys: Printed) -> None:
    assert (0, "The settings are fine.\n") == (main(["config", "--check"]), capsys.readouterr().out)


def test_settings_that_are_not_are_explained(capsys: Printed) -> None:
    code = main(["config", "--check", "--engine", "replay"])

    assert (2, True) == (code, "--replay-script" in capsys.readouterr().err)


@pytest.mark.parametrize("flag", ["--model=small", "--engine=replay", "--host=0.0.0.0"])
def test_the_demonstration_takes_no_flag_that_it_would_ignore(flag: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["demo", flag])

    assert (2, True) == (leaving.value.code, "unrecognized arguments" in capsys.readouterr().err)


# help


@pytest.mark.parametrize("command", ["serve", "demo", "config", "capacity", "harvest"])
def test_help_mentions_every_setting(command: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as leaving:
        main([command, "--help"])

    told = "".join(capsys.readouterr().out.split())
    fixed = {"host", "engine", "model"} if command == "demo" else set()
    assert leaving.value.code == 0
    assert fixed == {name for name in Settings.model_fields if f"{PREFIX}{name.upper()}]" not in told}


@pytest.mark.parametrize("arguments", [[], ["dance"], ["config"], ["serve", "--no-such-flag"]])
def test_what_was_asked_wrongly_is_two(arguments: list[str], capsys: Printed) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)

    assert leaving.value.code == 2


# bench


def test_the_bench_minds_its_own_flags_and_no_setting(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + "PORT", "nonsense")

    code = main(["bench", "--streams", "0"])

    assert (2, True) == (code, capsys.readouterr().err.startswith("realtime-asr: "))


def test_a_command_that_does_need_them_says_what_is_wrong_with_the_settings(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFIX + "PORT", "nonsense")

    code = main(["harvest", "--into", "nowhere"])

    assert (2, True) == (code, capsys.readouterr().err.startswith("realtime-asr: port: "))


# demo


def test_the_demo_shows_the_text_as_it_grows_and_how_long_it_took(capsys: Printed) -> None:
    code = main(["demo", "--once", "--port", "0"])

    shown = capsys.readouterr().out
    assert code == 0
    text, _, times = shown.partition("\nFinal: ")
    transcript = times.splitlines()[0]
    assert text.rstrip().endswith(transcript)
    assert "first words after" in times
    assert "ms after the turn ended" in times


@pytest.fixture
def shown_to(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Keys that the clip was shown with, in no time."""
    keys: list[str | None] = []

    async def show(base_url: str, say: Callable[[str], None], *, api_key: str | None = None) -> Latencies:
        keys.append(api_key)
        return Latencies()

    monkeypatch.setattr(cli, "show", show)
    return keys


def test_the_demo_goes_on_serving_and_says_how_to_try_it(
    shown_to: list[str | None], capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_when_tried(monkeypatch)

    assert main(["demo", "--port", "0", "--api-key", KEY]) == 0

    told = capsys.readouterr().out
    assert [KEY] == shown_to
    assert "Serving on http://127.0.0.1:" in told
    assert "AsyncOpenAI(base_url=" in told


@pytest.mark.parametrize(
    "flags", [("--api-key-hash", digest_of("sk-1")), ("--named-key", f"alice={digest_of('sk-1')}")]
)
def test_where_nobody_knows_a_key_the_demo_has_one_of_its_own(
    flags: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets: list[str] = []

    async def show(base_url: str, say: Callable[[str], None], *, api_key: str | None = None) -> Latencies:
        secrets.append(await asyncio.to_thread(demo._mint, base_url, api_key))
        return Latencies()

    monkeypatch.setattr(cli, "show", show)

    assert main(["demo", "--once", "--port", "0", *flags]) == 0
    assert ["ek_"] == [secret[:3] for secret in secrets]


def stop_when_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[Server] = []

    class Kept(Server):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            servers.append(self)

    def leave(base_url: str) -> str:
        servers[0].handle_exit(signal.SIGTERM, None)
        return snippets(base_url)

    monkeypatch.setattr(cli, "Server", Kept)
    monkeypatch.setattr(cli, "snippets", leave)


def test_the_demo_too_says_in_a_sentence_why_it_cannot_listen(capsys: Printed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = main(["demo", "--once", "--port", str(taken.getsockname()[1])])

    assert (1, True) == (code, "realtime-asr: Cannot listen on 127.0.0.1: " in capsys.readouterr().err)
