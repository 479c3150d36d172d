"""OpenAI's realtime API as one connection speaks it: GA, beta, or both."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from pydantic import ValidationError

from realtime_asr.audio.formats import PCM16_24K, AudioFormat
from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_frames as frames
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects import openai_shared as shared
from realtime_asr.dialects.faults import choices, excerpt, problem, wrong_type
from realtime_asr.dialects.json_text import LARGEST, TooLarge, read_json
from realtime_asr.dialects.negotiate import LONGEST_NAME, Shape
from realtime_asr.session.commands import FromClient, Refuse
from realtime_asr.session.config import Patch, SessionConfig
from realtime_asr.session.events import (
    AudioDropped,
    Event,
    ItemAdded,
    Rejected,
    SessionCreated,
    SessionUpdated,
    TranscriptCompleted,
)
from realtime_asr.session.problem import Problem

CLIENT_FRAMES: Final[tuple[type[shared.ClientFrame], ...]] = (
    ga.SessionUpdateFrame,
    beta.FlatSessionUpdateFrame,
    beta.TranscriptionSessionUpdateFrame,
    shared.AppendFrame,
    shared.CommitFrame,
    shared.ClearFrame,
    shared.RetrieveFrame,
    shared.DeleteFrame,
    shared.CloseFrame,
)
SERVER_FRAMES: Final[tuple[type[frames.ServerFrame], ...]] = (
    ga.SessionCreatedFrame,
    ga.SessionUpdatedFrame,
    beta.TranscriptionSessionCreatedFrame,
    beta.TranscriptionSessionUpdatedFrame,
    beta.FlatSessionUpdatedFrame,
    frames.SpeechStartedFrame,
    frames.SpeechStoppedFrame,
    frames.TimeoutTriggeredFrame,
    frames.CommittedFrame,
    frames.ClearedFrame,
    ga.ItemAddedFrame,
    ga.ItemDoneFrame,
    beta.ItemCreatedFrame,
    frames.DeltaFrame,
    frames.CompletedFrame,
    frames.FailedFrame,
    frames.ItemRetrievedFrame,
    frames.ItemDeletedFrame,
    frames.ErrorFrame,
    frames.SessionExpiringFrame,
    frames.SessionClosedFrame,
)


class OpenAIRealtime:
    """A request is understood by its content alone. What is told by itself, unasked, has the shape the
    connection opened with, until the first configuration that succeeds shows what the client really speaks.
    """

    def __init__(
        self,
        session_id: str,
        expires_at: int,
        new_event_id: Callable[[], str],
        shape: Shape,
        format: AudioFormat = PCM16_24K,
        *,
        strict: bool = False,
    ) -> None:
        self._session_id = session_id
        self._expires_at = expires_at
        self._new_event_id = new_event_id
        self._shape = shape
        self._format = format
        self._shape_is_settled = False
        self._strict = strict
        self._takes_flat = not strict or shape is Shape.BETA
        """OpenAI's GA has no update without a type."""
        self._timings = False
        """The client wants to know where the time goes."""

    def decode(self, frame: str | bytes) -> FromClient:
        if isinstance(frame, bytes):
            return Refuse(Problem("invalid_event", _BINARY))
        try:
            # Through UTF-8, which has no lone surrogates: none gets in, so none can ever get out.
            text = frame.encode()
            event = read_json(text)
        except TooLarge as error:
            return Refuse(Problem("event_too_large", f"Invalid event: it has {error}."))
        except ValueError as error:
            return Refuse(Problem("invalid_json", f"Invalid event: failed to parse JSON value. {error}"))
        if not isinstance(event, dict):
            return Refuse(Problem("invalid_event", "Invalid event: expected a JSON object."))
        if len(text) > LARGEST and event.get("type") != _APPEND:
            return Refuse(Problem("event_too_large", _NO_APPEND, ref=_ref(event.get("event_id"))))
        return self._command(event)

    def _command(self, event: dict[str, Any]) -> FromClient:
        ref = _ref(event.get("event_id"))
        model = _model(event, takes_flat=self._takes_flat)
        if isinstance(model, Problem):
            return Refuse(replace(model, ref=ref))
        try:
            frame = shared.validated(model, event, strict=self._strict)
        except ValidationError as error:
            return Refuse(problem(error, ref))
        if isinstance(frame, shared.AppendFrame):
            return frame.command(self._format)
        return frame.command()

    def encode(self, event: Event) -> Iterable[str]:
        return [frame.model_dump_json() for frame in self._frames(event)]

    def _frames(self, event: Event) -> Iterable[frames.ServerFrame]:
        match event:
            case SessionCreated(config):
                return [self._created(config)]
            case SessionUpdated(config, via):
                return [self._updated(config, via)]
            case ItemAdded():
                return self._added(event)
            case Rejected(problem, via):
                return [self._error(problem, self._asked_in(via))]
            case AudioDropped():
                return []
            case TranscriptCompleted() if not self._timings:
                event = replace(event, timing=None)
        return [frames.frame(event, self._new_event_id())]

    def _created(self, config: SessionConfig) -> frames.ServerFrame:
        self._heed(config)
        if self._shape is Shape.GA:
            return ga.SessionCreatedFrame(event_id=self._new_event_id(), session=self._ga_object(config))
        return beta.TranscriptionSessionCreatedFrame(
            event_id=self._new_event_id(), session=self._beta_object(config)
        )

    def _updated(self, config: SessionConfig, via: str) -> frames.ServerFrame:
        """Mirrors the request it answers, name and shape, whatever the connection speaks."""
        event_id = self._new_event_id()
        self._heed(config)
        self._settle(via)
        if via == beta.UPDATE:
            return beta.TranscriptionSessionUpdatedFrame(event_id=event_id, session=self._beta_object(config))
        if self._asked_in(via) is Shape.GA:
            return ga.SessionUpdatedFrame(event_id=event_id, session=self._ga_object(config))
        return beta.FlatSessionUpdatedFrame(event_id=event_id, session=self._beta_object(config))

    def _heed(self, config: SessionConfig) -> None:
        self._format = config.format
        self._timings = "timings" in (config.include or ())

    def _settle(self, via: str) -> None:
        spoken = {ga.UPDATE: Shape.GA, beta.UPDATE: Shape.BETA}.get(via)
        if spoken and not self._shape_is_settled:
            self._shape, self._shape_is_settled = spoken, True

    def _asked_in(self, via: str) -> Shape:
        """What is of no dialect is in the one spoken."""
        if via in {beta.UPDATE, beta.FLAT_UPDATE}:
            return Shape.BETA
        return Shape.GA if via == ga.UPDATE else self._shape

    def _added(self, event: ItemAdded) -> list[frames.ServerFrame]:
        previous = event.previous_id
        if self._shape is Shape.BETA:
            item = frames.UserItem(id=event.item_id, object="realtime.item")
            return [
                beta.ItemCreatedFrame(event_id=self._new_event_id(), previous_item_id=previous, item=item)
            ]
        item = frames.UserItem(id=event.item_id)
        return [
            ga.ItemAddedFrame(event_id=self._new_event_id(), previous_item_id=previous, item=item),
            ga.ItemDoneFrame(event_id=self._new_event_id(), previous_item_id=previous, item=item),
        ]

    def _error(self, problem: Problem, shape: Shape) -> frames.ErrorFrame:
        # As OpenAI has it: of a model that does not exist the message says enough.
        named = None if problem.code == "model_not_found" else problem.param
        body = frames.ErrorBody(
            type=problem.kind,
            code=problem.code,
            message=problem.message,
            param=wire_param(named, shape),
            event_id=problem.ref,
        )
        return frames.ErrorFrame(event_id=self._new_event_id(), error=body)

    def _ga_object(self, config: SessionConfig) -> ga.SessionObject:
        return ga.session_object(config, session_id=self._session_id, expires_at=self._expires_at)

    def _beta_object(self, config: SessionConfig) -> beta.SessionObject:
        return beta.session_object(config, session_id=self._session_id, expires_at=self._expires_at)


def session_object(
    config: SessionConfig, shape: Shape, *, session_id: str, expires_at: int
) -> dict[str, object]:
    """As JSON, for REST; no session runs yet there, so `expires_at` is 0."""
    describe = ga.session_object if shape is Shape.GA else beta.session_object
    return describe(config, session_id=session_id, expires_at=expires_at).model_dump(mode="json")


def read_session(session: Mapping[str, object], shape: Shape) -> Patch | Problem:
    """The patch of a `Mint.session` once more."""
    try:
        if shape is Shape.BETA:
            return shared.validated(beta.Session, session, strict=False).patch()
        return shared.validated(ga.Session, {"type": "transcription", **session}, strict=False).patch()
    except ValidationError as error:
        return problem(error)


def wire_param(param: str | None, shape: Shape) -> str | None:
    """Where on the wire a setting stands that the session calls `transcription.…`."""
    if param is None or not param.startswith("transcription."):
        return param
    return ("session.audio.input." if shape is Shape.GA else "session.input_audio_") + param


def _ref(event_id: object) -> str | None:
    if isinstance(event_id, str) and len(event_id) <= LONGEST_NAME:
        return event_id
    return None


def _model(event: dict[str, Any], *, takes_flat: bool) -> type[shared.ClientFrame] | Problem:
    name = event.get("type")
    if name is None:
        return Problem("invalid_event", "The 'type' field is missing.")
    if not isinstance(name, str):
        return wrong_type("type", "a string", name)
    if name == ga.UPDATE:
        return _update_model(event.get("session"), takes_flat=takes_flat)
    if name in _NOT_FOR_TRANSCRIPTION:
        message = f"The event '{name}' is not supported in transcription sessions."
        return Problem("invalid_parameter", message, param="type")
    if name not in _MODELS:
        message = f"Invalid value: '{excerpt(name)}'. Supported values are: {choices(_MODELS)}."
        return Problem("invalid_value", message, param="type")
    return _MODELS[name]


def _update_model(session: object, *, takes_flat: bool) -> type[shared.ClientFrame]:
    flat = takes_flat and isinstance(session, dict) and not session.keys() & {"type", "audio"}
    return beta.FlatSessionUpdateFrame if flat else ga.SessionUpdateFrame


_APPEND: Final = get_args(shared.AppendFrame.model_fields["type"].annotation)[0]
_MODELS: Final = {get_args(model.model_fields["type"].annotation)[0]: model for model in CLIENT_FRAMES}
_NOT_FOR_TRANSCRIPTION: Final = frozenset(
    {
        "conversation.item.create",
        "conversation.item.truncate",
        "output_audio_buffer.clear",
        "response.cancel",
        "response.create",
        "session.input_audio_buffer.append",
    }
)
_NO_APPEND: Final = f"Invalid event: it has more than {LARGEST} bytes, as only '{_APPEND}' may have."
_BINARY: Final = "Expected a text WebSocket message; binary frames are not supported."
