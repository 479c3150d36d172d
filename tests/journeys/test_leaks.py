"""What a server writes down, tells its operator or sends to a collector is never what clients showed or said."""

import asyncio
import base64
import io
import json
import re
import socket
import sys
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime_asr.audio.formats import encode_pcm16
from tests.fakes import tone
from tests.journeys.faulty_server import FAULT
from tests.journeys.marks import SCRIPTED
from tests.journeys.server import Server, running
from tests.journeys.speaking import Caller, calling
from tests.server.watching.collector import collector

pytestmark = SCRIPTED
CANARY: Final = "zebrafinch"
"""In all that clients show or say, and in what the engine hears."""
KEY: Final = f"sk-{CANARY}-0123456789-abcdefghij"
TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
TRACED: Final = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
FAULTY: Final = (sys.executable, Path(__file__).with_name("faulty_server.py"))
NOISE: Final = (0.01 * np.random.default_rng(7).standard_normal(48_000)).astype(np.float32)
AUDIO: Final = encode_pcm16(tone(48_000, 24_000) + NOISE) + bytes(48_000)
"""Two seconds that are like nothing else, and one of silence."""


def in_header(key: str) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {key}", **TRACED}}


def in_subprotocol(key: str) -> dict[str, Any]:
    return {"subprotocols": ["realtime", f"openai-insecure-api-key.{key}"]}


async def converse(caller: Caller) -> None:
    """With a prompt and keywords, until the text is there."""
    transcription = {"model": "whisper-1", "prompt": f"{CANARY} prompt", "keywords": [CANARY]}
    await caller.configure(transcription=transcription)
    await caller.say("input_audio_buffer.append", audio=base64.b64encode(AUDIO).decode())
    await caller.hear_until("completed")


async def misbehave(caller: Caller) -> None:
    """All of it is refused, and then the session breaks."""
    frames: list[str | bytes] = [
        f'{{"{CANARY}": ',
        f'"{CANARY}"',
        json.dumps({"type": CANARY, "event_id": CANARY}),
        json.dumps({"type": "input_audio_buffer.append", "audio": f"{CANARY}!"}),
        json.dumps({"type": "conversation.item.delete", "item_id": CANARY}),
        CANARY.encode(),
    ]
    transcriptions = [{"language": CANARY}, {"model": CANARY}, {"delay": CANARY}]
    settings = [{"transcription": asked} for asked in transcriptions] + [{"turn_detection": {"type": CANARY}}]
    for wrong in settings:
        session = {"type": "transcription", "audio": {"input": wrong}}
        frames.append(json.dumps({"type": "session.update", "session": session}))
    for frame in frames:
        await caller.socket.send(frame)
    await caller.configure(transcription={"model": "whisper-1", "prompt": f"{CANARY} {FAULT}"})
    await caller.say("input_audio_buffer.append", audio=base64.b64encode(AUDIO).decode())
    await caller.say("conversation.item.retrieve", item_id=f"{CANARY} {FAULT}")
    await until_gone(caller)


async def until_gone(caller: Caller) -> None:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                await caller.socket.recv()


async def come_in_every_way(server: Server) -> None:
    secret = await minted(server)
    for options in (in_header(KEY), in_subprotocol(KEY), in_header(secret), in_subprotocol(secret)):
        async with calling(server, **options) as caller:
            await converse(caller)
    async with calling(server, f"/realtime?intent=transcription&api-key={KEY}") as stranger:
        await until_gone(stranger)
    for wrong in (
        in_header(f"sk-{CANARY}-wrong"),
        in_subprotocol(f"ek_{CANARY}"),
        in_subprotocol(f"{secret}A"),
    ):
        async with calling(server, **wrong) as stranger:
            await until_gone(stranger)
    for nowhere in (f"/realtime/{KEY}", f"/{CANARY}"):
        with pytest.raises(InvalidStatus):
            async with calling(server, nowhere, **in_header(KEY)):
                pass
    async with calling(server, f"/realtime?model={CANARY}", **in_header(KEY)) as stranger:
        await until_gone(stranger)
    async with calling(server, **in_header(KEY)) as caller:
        await misbehave(caller)
    async with calling(server, **in_header(KEY)) as caller:
        await caller.socket.send(CANARY.encode() + b"\xff", text=True)
        await until_gone(caller)


async def minted(server: Server) -> str:
    session = {"type": "transcription", "audio": {"input": {"transcription": {"prompt": CANARY}}}}
    async with client(server) as http:
        answer = await http.post("/realtime/client_secrets", json={"session": session})
    return str(answer.json()["value"])


def client(server: Server, key: str = KEY, **headers: str) -> httpx.AsyncClient:
    shown = {"Authorization": f"Bearer {key}", **headers}
    return httpx.AsyncClient(base_url=server.base_url, headers=shown, timeout=30)


async def upload(server: Server) -> None:
    recording = io.BytesIO()
    with wave.open(recording, "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(AUDIO)
    async with client(server) as http:
        for content in (recording.getvalue(), CANARY.encode() * 100):
            asked = {"model": "whisper-1", "prompt": f"{CANARY} prompt"}
            await http.post("/audio/transcriptions", data=asked, files={"file": (f"{CANARY}.wav", content)})
        await http.post("/audio/transcriptions", json={"file": CANARY, CANARY: CANARY})
        await http.post("/realtime/client_secrets", content=f'{{"{CANARY}"')
        await http.get("/models", params={"api-key": KEY, "q": CANARY})
        for path in (f"/models/{KEY}", f"/{KEY}", f"/audio/{CANARY}"):
            await http.get(path)
        await http.request(CANARY.upper(), "/models")
    async with client(server, f"sk-{CANARY}-wrong") as http:
        await http.get("/models")
        await http.get(server.base_url.replace("/v1", "/stats"))
    async with client(server, **{"User-Agent": f"{CANARY} {FAULT}"}) as http:
        await http.get("/models")


async def read_figures(server: Server) -> str:
    root = server.base_url.removesuffix("/v1")
    async with client(server) as http:
        plain = [
            await http.get(f"{root}/{name}") for name in ("health", "livez", "readyz", "stats", "metrics")
        ]
        examples = await http.get(f"{root}/metrics", headers={"Accept": "application/openmetrics-text"})
    assert [200] * 6 == [answer.status_code for answer in (*plain, examples)]
    return "\n".join(answer.text for answer in (*plain, examples))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def assert_nothing_leaked(text: str) -> None:
    pieces = [base64.b64encode(AUDIO[at : at + 48]).decode() for at in range(0, 96_000, 4_800)]
    found = [secret for secret in (CANARY, "ek_", AUDIO[:32].hex(), *pieces) if secret in text.lower() + text]
    assert [] == found


@pytest.mark.parametrize(
    ("level", "form"),
    [("debug", "logfmt"), ("debug", "json"), ("info", "logfmt"), ("warning", "logfmt"), ("error", "json")],
)
async def test_nothing_clients_show_or_say_leaves_by_another_door(
    level: str, form: str, tmp_path: Path
) -> None:
    async with collector() as (address, sink):
        flags = ["--log-level", level, "--log-format", form, "--otlp", address, "--vad", "energy"]
        script = ["--engine", "replay", "--replay-script", f"so {CANARY} says that {CANARY} it goes"]
        environment = {"REALTIME_ASR_API_KEYS": KEY}
        with running(
            tmp_path, *flags, *script, environment=environment, command=FAULTY, port=free_port()
        ) as server:
            await come_in_every_way(server)
            await upload(server)
            figures = await read_figures(server)
            await asyncio.to_thread(server.leave)
        log, sent = server.log.read_text(), b"".join(sink.bodies.values())

    assert_nothing_leaked(log)
    assert_nothing_leaked(figures)
    assert_nothing_leaked(sent.decode("latin-1"))
    assert "ValueError" in log
    assert {"/v1/traces", "/v1/metrics"} == sink.bodies.keys()
    assert bytes.fromhex(TRACE) in sent
    assert "trace_id=" in figures
    if level in {"debug", "info"}:
        assert TRACE in log
        assert len(set(re.findall(r"sess_\w+", log))) >= 6
        assert form == "logfmt" or all(json.loads(line) for line in log.splitlines())


async def test_whoever_floods_a_server_with_nonsense_does_not_fill_its_log(tmp_path: Path) -> None:
    with running(
        tmp_path, "--engine", "replay", "--replay-script", "so it goes", "--vad", "energy"
    ) as server:
        async with calling(server) as caller, asyncio.TaskGroup() as group:
            listening = group.create_task(until_gone(caller))
            before = server.log.read_text().count("\n")
            for _ in range(10_000):
                await caller.socket.send(f"{CANARY} {{")
            await caller.say("session.close")
            await listening
        after = server.log.read_text()

    assert "times=10000" in after
    assert after.count("\n") - before < 50


@pytest.mark.parametrize(
    "leak", [f"prompt={CANARY}", KEY, CANARY.upper(), "ek_a", base64.b64encode(AUDIO).decode(), AUDIO.hex()]
)
def test_a_leak_would_be_found(leak: str) -> None:
    with pytest.raises(AssertionError):
        assert_nothing_leaked(f'time=0 level=info message="x" fact={leak}')
