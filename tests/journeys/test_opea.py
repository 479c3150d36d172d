"""OPEA's own software, unmodified and in an environment of its own, in front of a real server."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

import httpx
import pytest

from tests.decoders.files import WAV, encoded
from tests.journeys.hearing import reads
from tests.journeys.server import Server, running
from tests.journeys.speaking import calling, pcm16, silence
from tests.speech.clips import FOLDER, clip

COMPS: Final = "opea-comps==1.5"
EXAMPLES: Final = Path(__file__).parents[2] / "examples/opea"
WRAPPER: Final = Path(__file__).parent / "opea/asr_microservice.py"
SPOKEN: Final = base64.b64encode((FOLDER / "bridge.wav").read_bytes()).decode()
MODEL: Final = "acme/chat"
SECRET: Final = "a long text of the operator's own"


@pytest.fixture(scope="session")
def comps(pytestconfig: pytest.Config) -> str:
    """A Python with opea-comps: the one that OPEA_PYTHON names, or one that is kept from run to run."""
    if given := os.environ.get("OPEA_PYTHON"):
        return given
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("opea") / "environment"
    python = folder / "bin/python"
    if not python.exists() or not _ran(python, "-c", "import comps"):
        venv.create(folder, clear=True, with_pip=True)
        if not _ran(python, "-m", "pip", "install", "--quiet", COMPS):
            pytest.skip(f"{COMPS} cannot be installed: the journeys of OPEA were NOT made")
    return str(python)


def _ran(*command: str | Path) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def whisper_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A server that also listens where somebody looks for OPEA's; with that port."""
    port = free_port()
    with running(tmp_path_factory.mktemp("opea"), "--also-port", str(port)) as server:
        yield server, port


@pytest.fixture(scope="module")
def audioqna(comps: str, whisper_service: tuple[Server, int]) -> Iterator[str]:
    """The megaservice's address."""
    with stood_in() as others, megaservice(comps, whisper_service, others, others) as address:
        yield address


@contextmanager
def megaservice(comps: str, whisper_service: tuple[Server, int], llm: str, tts: str) -> Iterator[str]:
    port = free_port()
    others = ("--asr", f"127.0.0.1:{whisper_service[1]}", "--llm", llm, "--tts", tts)
    command: list[str | Path] = [comps, EXAMPLES / "audioqna.py", *others, "--port", str(port)]
    with beside(command, port, {"LLM_MODEL_ID": MODEL}):
        yield f"http://127.0.0.1:{port}/v1/audioqna"


@pytest.fixture(scope="module")
def wrapper(comps: str, whisper_service: tuple[Server, int]) -> Iterator[str]:
    """The ASR microservice's address."""
    port = free_port()
    environment = {"ASR_ENDPOINT": f"http://127.0.0.1:{whisper_service[1]}"}
    with beside([comps, WRAPPER, "--port", str(port)], port, environment):
        yield f"http://127.0.0.1:{port}/v1/audio/transcriptions"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def beside(
    command: Sequence[str | Path], port: int, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """A program that listens on that port inside the block."""
    # OPEA's clients would ask a proxy even for this machine.
    variables = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **(environment or {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables
    ) as program:
        try:
            give_up = time.monotonic() + 120
            while not _listens(port) and program.poll() is None and time.monotonic() < give_up:
                time.sleep(0.05)
            assert program.poll() is None, program.communicate()[0].decode()
            yield
        finally:
            program.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _StandIn(BaseHTTPRequestHandler):
    """A language model that repeats the question, if it is not about farmers, and a voice made of letters."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = self._speech(asked) if self.path == "/v1/tts" else self._chat(asked)
        told = json.dumps(answer).encode()
        self.send_response(500 if "error" in answer else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def _chat(self, asked: Any) -> Any:
        [question] = asked["messages"]
        if "farmer" in question["content"]:
            return {"error": {"message": f"{asked['model']} knows nothing of this."}}
        return {"choices": [{"message": {"content": f"You said: {question['content']}"}}]}

    def _speech(self, asked: Any) -> Any:
        return {"tts_result": base64.b64encode(asked["text"].encode()).decode()}

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def stood_in() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _StandIn) as server:
        serving = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


# The whisper service's place


def test_a_megaservice_answers_what_was_said(audioqna: str) -> None:
    answer = httpx.post(audioqna, json={"audio": SPOKEN, "max_tokens": 64}, timeout=60)

    assert answer.status_code == 200, answer.text
    spoken = base64.b64decode(answer.json()).decode()
    assert spoken.startswith("You said: ")
    assert reads("bridge", spoken.removeprefix("You said: "))


def test_a_megaservice_takes_other_kinds_of_recordings(audioqna: str) -> None:
    opus = base64.b64encode(encoded(clip("monday").samples, ("ogg", "libopus", 48_000))).decode()

    answer = httpx.post(audioqna, json={"audio": opus}, timeout=60)

    assert reads("monday", base64.b64decode(answer.json()).decode().removeprefix("You said: "))


def test_a_megaservice_does_not_take_a_failure_for_text(audioqna: str) -> None:
    answer = httpx.post(audioqna, json={"audio": base64.b64encode(b"no audio").decode()}, timeout=60)

    assert 502 == answer.status_code
    assert "The speech recogniser did not answer" in answer.json()["detail"]


def test_a_megaservice_says_that_its_language_model_failed(audioqna: str) -> None:
    question = base64.b64encode((FOLDER / "pause.wav").read_bytes()).decode()

    answer = httpx.post(audioqna, json={"audio": question}, timeout=60)

    assert 502 == answer.status_code
    assert f"{MODEL} knows nothing of this." in answer.json()["detail"]


def test_a_megaservice_says_that_its_language_model_is_not_there(
    comps: str, whisper_service: tuple[Server, int]
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with megaservice(comps, whisper_service, nobody, nobody) as address:
        answer = httpx.post(address, json={"audio": SPOKEN}, timeout=60)

    assert 502 == answer.status_code
    assert nobody.partition(":")[2] in answer.json()["detail"]


def test_a_server_serves_all_its_doors_on_every_port(whisper_service: tuple[Server, int]) -> None:
    server, port = whisper_service

    told = [
        httpx.get(f"{address}/{path}").status_code
        for address in (server.base_url.removesuffix("/v1"), f"http://127.0.0.1:{port}")
        for path in ("health", "v1/health_check", "v1/statistics", "v1/models")
    ]

    assert [200] * 8 == told


# In front of it, OPEA's microservice


def test_opeas_microservice_passes_an_upload_on(wrapper: str) -> None:
    upload = {"file": ("door.wav", encoded(clip("door").samples, WAV), "audio/wav")}

    answer = httpx.post(wrapper, files=upload, timeout=60)

    assert reads("door", answer.json()["text"]), answer.text


def test_opeas_microservice_passes_base64_on(wrapper: str) -> None:
    answer = httpx.post(wrapper, data={"file": SPOKEN}, timeout=60)

    assert reads("bridge", answer.json()["text"]), answer.text


# Its own place


@pytest.mark.parametrize("as_parts", [False, True])
def test_clients_of_opeas_microservice_are_served(
    whisper_service: tuple[Server, int], *, as_parts: bool
) -> None:
    """They name no model, and the language by a word."""
    address = f"http://127.0.0.1:{whisper_service[1]}/v1/audio/transcriptions"
    fields = {"file": SPOKEN, "language": "english"}
    parts = {name: (None, text) for name, text in fields.items()}

    answer = httpx.post(address, **({"files": parts} if as_parts else {"data": fields}), timeout=60)

    assert reads("bridge", answer.json()["text"]), answer.text


# Live


@contextmanager
def answering(model: str) -> Iterator[tuple[str, IO[str]]]:
    """The address to which finished turns are posted, and what is printed of them."""
    script = str(EXAMPLES / "realtime.py")
    command = [sys.executable, script, "--ask", f"http://{model}/v1/chatqna", "--port", "0"]
    environment = {**os.environ, "REALTIME_ASR_HOOK_SECRET": SECRET, "no_proxy": "127.0.0.1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout
        try:
            yield program.stdout.readline().split()[-1], program.stdout
        finally:
            program.kill()


async def test_each_turn_of_live_speech_is_answered(tmp_path: Path) -> None:
    said = ("bridge", "door")
    environment = {"REALTIME_ASR_HOOK_SECRET": SECRET, "NO_PROXY": "127.0.0.1"}
    with stood_in() as model, answering(model) as (hook, printed):
        with running(tmp_path, "--hook", hook, environment=environment) as server:
            async with calling(server) as caller:
                for name in said:
                    await caller.speak(pcm16(name) + silence(1500))
                    await caller.hear_until("completed")
        lines = [printed.readline().strip() for _ in range(2 * len(said))]

    questions = [line.removeprefix("> ") for line in lines[::2]]
    assert [True, True] == [reads(name, text) for name, text in zip(said, questions, strict=True)]
    assert [f"You said: {text}" for text in questions] == lines[1::2]
    assert not any(text in (tmp_path / "server.log").read_text() for text in questions)
