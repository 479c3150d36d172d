"""How well-known clients open a session, frame by frame as they were recorded."""

from typing import Any, Final

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import BY_CLIENT, assert_reads, assert_told_in_order
from tests.journeys.server import Server
from tests.journeys.speaking import calling, pcm16, silence

BEARER: Final = {"Authorization": "Bearer any"}
BETA: Final = {**BEARER, "OpenAI-Beta": "realtime=v1"}
SPEECH: Final = pcm16("bridge")


async def test_livekit_of_2025_speaks_beta_and_updates_before_it_listens(server: Server) -> None:
    update: dict[str, Any] = {
        "input_audio_format": "pcm16",
        # The last of these is misplaced, and was sent so.
        "input_audio_transcription": {
            "model": "gpt-4o-mini-transcribe",
            "prompt": "",
            "language": "",
            "noise_reduction_type": "near_field",
        },
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 600,
            "silence_duration_ms": 350,
        },
    }

    async with calling(server, shape=Shape.BETA, additional_headers=BETA) as livekit:
        await livekit.say("transcription_session.update", session=update)
        await livekit.speak(SPEECH + silence(1000), milliseconds=50)
        await livekit.hear_until("completed")

    assert_told_in_order(livekit.heard, Shape.BETA)
    assert_reads(livekit.heard, "bridge")


async def test_livekit_of_today_names_the_model_in_the_address(server: Server) -> None:
    address = "/realtime?intent=transcription&model=gpt-4o-mini-transcribe"

    async with calling(server, address, additional_headers=BEARER) as livekit:
        await livekit.configure(
            format={"type": "audio/pcm", "rate": 24000},
            transcription={"model": "gpt-4o-mini-transcribe", "language": "en"},
            turn_detection={
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 600,
                "silence_duration_ms": 350,
            },
        )
        await livekit.speak(SPEECH + silence(1000), milliseconds=50)
        await livekit.hear_until("completed")

    assert_told_in_order(livekit.heard, Shape.GA)
    assert_reads(livekit.heard, "bridge")


async def test_pipecat_waits_for_ga_names_and_commits_by_itself(server: Server) -> None:
    async with calling(server, additional_headers=BEARER) as pipecat:
        greeting = await pipecat.hear()
        await pipecat.configure(
            format={"type": "audio/pcm", "rate": 24000},
            transcription={"model": "gpt-4o-transcribe", "language": "en"},
            turn_detection=None,
        )
        ready = await pipecat.hear()
        await pipecat.speak(SPEECH)
        await pipecat.commit()
        await pipecat.hear_until("completed")

    assert ["session.created", "session.updated"] == [greeting["type"], ready["type"]]
    assert_told_in_order(pipecat.heard, Shape.GA, BY_CLIENT)
    assert_reads(pipecat.heard, "bridge")


async def test_the_agents_sdk_leaves_turns_to_semantic_detection(server: Server) -> None:
    headers = {**BEARER, "OpenAI-Log-Session": "1"}

    async with calling(server, additional_headers=headers) as agent:
        greeting = await agent.hear()
        await agent.configure(
            format={"type": "audio/pcm", "rate": 24000},
            transcription={"model": "gpt-4o-transcribe"},
            turn_detection={"type": "semantic_vad"},
        )
        ready = await agent.hear()
        await agent.speak(SPEECH + silence(5000))
        await agent.hear_until("completed")

    assert ["session.created", "session.updated"] == [greeting["type"], ready["type"]]
    assert "semantic_vad" == ready["session"]["audio"]["input"]["turn_detection"]["type"]
    assert_told_in_order(agent.heard, Shape.GA)
    assert_reads(agent.heard, "bridge")
