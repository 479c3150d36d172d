"""What a server recorded is lived again by the command, without the server, its model and its detector."""

import json
import re
import subprocess
from pathlib import Path
from shutil import rmtree
from typing import Any

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import Ear, assert_reads, assert_told_in_order, transcripts
from tests.journeys.programs import output_of
from tests.journeys.server import COMMAND, KEY, running
from tests.journeys.speaking import calling, pcm16, silence
from tests.journeys.test_openai_python_ga import VAD, connected


async def recorded(folder: Path) -> tuple[Path, Ear]:
    """Two turns by the official client, with and without noise reduction."""
    journal = folder / "journal"
    keys = {"REALTIME_ASR_API_KEYS": KEY}
    with running(folder, "--journal", str(journal), environment=keys) as server:
        async with connected(server, KEY) as client:
            await client.configure(VAD)
            await client.speak(pcm16("bridge") + silence(1000))
            await client.hear_until("completed")
            quieter: Any = {
                "type": "transcription",
                "audio": {"input": {"noise_reduction": {"type": "far_field"}}},
            }
            await client.connection.session.update(session=quieter)
            await client.speak(pcm16("door") + silence(1000))
            await client.hear_until("completed")
        log = server.log.read_text()
    assert "journal lost" not in log
    [path] = journal.iterdir()
    return path, client


async def test_a_conversation_is_lived_again_to_the_letter(tmp_path: Path) -> None:
    path, client = await recorded(tmp_path)

    verdict = output_of(str(COMMAND), "replay", str(path))

    assert_told_in_order(client.heard, Shape.GA)
    assert_reads(client.heard, "bridge", "door")
    assert re.fullmatch(r".*: \d+ steps, 2 items: every output as recorded\.\n", verdict)
    assert transcripts(client.heard) == shown_transcripts(path)
    assert KEY not in path.read_text()
    assert 0o600 == path.stat().st_mode & 0o777


def replayed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "replay", *arguments], capture_output=True, text=True, check=False)


def shown_transcripts(path: Path) -> list[str]:
    events = [json.loads(line) for line in replayed("--show", path).stdout.splitlines()]
    return [event["transcript"] for event in events if event["is"] == "TranscriptCompleted"]


async def test_a_letter_that_was_changed_is_found(tmp_path: Path) -> None:
    path, client = await recorded(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    [at, *_] = [number for number, line in enumerate(lines) if b'"final":true' in line]
    before, word, after = lines[at].partition(b'{"is":"Word","text":" ')
    lines[at] = before + word + (b"X" if after[:1] != b"X" else b"Y") + after[1:]
    path.write_bytes(b"".join(lines))

    replay = replayed(path)

    assert 1 == replay.returncode
    assert "HypothesisArrived, is not as recorded: " in replay.stdout
    assert [] == [text for text in transcripts(client.heard) if text in replay.stdout]


async def test_who_loses_the_journal_loses_nothing_else(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with running(tmp_path, "--journal", str(journal)) as server:
        async with calling(server) as caller:
            await caller.speak(pcm16("bridge") + silence(1000))
            await caller.hear_until("completed")
            rmtree(journal)
            await caller.speak(pcm16("door") + silence(1000))
            await caller.hear_until("completed")

    assert_reads(caller.heard, "bridge", "door")
    assert 1 == server.log.read_text().count("journal lost")


def test_what_is_no_journal_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "poem.jsonl"
    path.write_text("Roses are red.\n")

    replay = replayed(path)

    assert (1, "") == (replay.returncode, replay.stdout)
    assert f"realtime-asr: {path}: Line 1 is no JSON.\n" == replay.stderr
