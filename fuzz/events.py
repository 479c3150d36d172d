"""Events of a client, in every dialect: each is a command or a refusal, and what we tell we understand."""

import json
from typing import Final, get_args

from realtime_asr.dialects.negotiate import LONGEST_NAME, Shape
from realtime_asr.dialects.openai_realtime import OpenAIRealtime
from realtime_asr.dialects.openai_shared import LONGEST_APPEND
from realtime_asr.session.commands import AppendAudio, Configure, FromClient, Refuse
from realtime_asr.session.config import SessionConfig, accept
from realtime_asr.session.events import Rejected, SessionUpdated
from realtime_asr.session.problem import Problem
from tests.fakes import configured, limited

_LIMITS: Final = limited(noise_reduction=True)


def check(data: bytes) -> None:
    frame = data.decode(errors="replace")
    for shape in Shape:
        dialect = _dialect(shape)
        command = dialect.decode(frame)
        assert isinstance(command, get_args(FromClient))
        assert command == dialect.decode(frame)
        _check_bounds(command)
        strictly = _dialect(shape, strict=True).decode(frame)
        assert isinstance(strictly, Refuse) or strictly == command
        if isinstance(command, Refuse):
            _told(dialect, Rejected(command.problem))
        if isinstance(command, Configure):
            _check_settings(dialect, command)
    assert isinstance(_dialect(Shape.GA).decode(data), Refuse)


def _dialect(shape: Shape, *, strict: bool = False) -> OpenAIRealtime:
    return OpenAIRealtime("sess_1", 0, lambda: "event_1", shape, strict=strict)


def _check_bounds(command: FromClient) -> None:
    ref = command.problem.ref if isinstance(command, Refuse) else command.ref
    assert ref is None or len(ref) <= LONGEST_NAME
    if isinstance(command, AppendAudio):
        assert len(command.payload) <= LONGEST_APPEND


def _check_settings(dialect: OpenAIRealtime, command: Configure) -> None:
    """Clients send back the session they were shown, which must change nothing."""
    config = accept(configured(), command.patch, _LIMITS)
    if isinstance(config, Problem):
        _told(dialect, Rejected(config))
        return
    told = _told(dialect, SessionUpdated(config, command.via))
    update = {"type": told["type"].replace("updated", "update"), "session": told["session"]}
    again = dialect.decode(json.dumps(update))
    assert isinstance(again, Configure), again
    assert _same(config, accept(config, again.patch, _LIMITS))


def _same(config: SessionConfig, after: SessionConfig | Problem) -> bool:
    """Told of the server's default, a client that sends it back has chosen it."""
    assert isinstance(after, SessionConfig), after
    return (config.transcription, config.noise_reduction, config.detection) == (
        after.transcription,
        after.noise_reduction,
        after.detection,
    )


def _told(dialect: OpenAIRealtime, event: Rejected | SessionUpdated) -> dict[str, str]:
    (frame,) = dialect.encode(event)
    # What is no UTF-8 could not be sent.
    told: dict[str, str] = json.loads(frame.encode())
    return told
