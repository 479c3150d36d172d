"""What the WebSocket carries, as AsyncAPI 3.0: its addresses, who sends what, every event."""

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import BaseModel

from realtime_asr.audio.formats import RATES
from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_frames as frames
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects import openai_shared as shared
from realtime_asr.dialects.negotiate import LONGEST_NAME
from realtime_asr.dialects.openai_realtime import CLIENT_FRAMES, SERVER_FRAMES
from realtime_asr.transports.literal_post import LITERAL_PATH
from tools.describe.samples import CLIENT, SERVER
from tools.describe.schemas import Json, Schemas

_ABOUT: Final = """\
OpenAI's realtime transcription: audio goes in as base64 while somebody speaks, the server finds where
turns end and tells the text of each, word by word. One JSON object in each text message, both ways.

The server speaks first: `session.created`, or `transcription_session.created` to clients that ask for
the beta API. Settings that are not written here are ignored, unless the server runs with `strict`. An
event that cannot be served is answered with `error`, and the session goes on.

Beyond OpenAI's, for those who ask: `deltas` of `after_commit` among the settings of a transcription
holds deltas back until the turn is over; in `include`, `item.input_audio_transcription.word_times` gives
`completed` its `words`, and `item.input_audio_transcription.timings` tells where the time went.

Credentials go in a header or, from browsers, as the subprotocol `openai-insecure-api-key.<key>` next
to `realtime`. A server without API keys asks nobody for one.

Before the upgrade the server refuses with HTTP: 503 while the model is not loaded, 403 to pages of
foreign origin. After it, a client that may not enter, asks for what is not served or finds no place left
is told `error`, then the connection closes. Close codes:

- 1000: as asked with `session.close`
- 1001: the session was as long as sessions may be
- 1009: a message was too large
- 1011: the server failed
- 1012: the server restarts
- 1013: the server serves as many sessions as it can, or this key does as much as it may, code
  `rate_limit_exceeded`, or, without a code, its engine hangs; try later
- 3000: no credential, one that is not good here, or one that was revoked meanwhile
- 4000: what the address asks for is not served
"""

_MEANINGS: Final[Mapping[type[BaseModel], str]] = {
    ga.SessionUpdateFrame: "Changes the settings it names, all of them or none.",
    beta.FlatSessionUpdateFrame: (
        "The same in the beta API's flat form. With `strict` only where the connection opened in beta."
    ),
    beta.TranscriptionSessionUpdateFrame: "The same as the beta API calls it.",
    shared.AppendFrame: "More audio, as base64 of the session's format. It has no answer of its own.",
    shared.CommitFrame: "Ends the turn here, whatever turn detection thinks.",
    shared.ClearFrame: "Forgets the audio that is in no item yet.",
    shared.RetrieveFrame: "Asks for an item.",
    shared.DeleteFrame: "Forgets an item.",
    shared.CloseFrame: "Ends the session once everything committed has its text.",
    ga.SessionCreatedFrame: "The first event: what the session begins with.",
    ga.SessionUpdatedFrame: "All settings as they are now.",
    beta.TranscriptionSessionCreatedFrame: "The first event, to a client that asked for the beta API.",
    beta.TranscriptionSessionUpdatedFrame: "All settings as they are now, in the beta API's form.",
    beta.FlatSessionUpdatedFrame: "The same by the name that answers a flat `session.update`.",
    frames.SpeechStartedFrame: "Somebody began to speak; the item will have this id.",
    frames.SpeechStoppedFrame: "They stopped.",
    frames.TimeoutTriggeredFrame: "Nobody spoke for `idle_timeout_ms`.",
    frames.CommittedFrame: "A turn ended and is an item now.",
    frames.ClearedFrame: "The audio that was in no item is forgotten.",
    ga.ItemAddedFrame: "The item is part of the conversation.",
    ga.ItemDoneFrame: "Right after `conversation.item.added`.",
    beta.ItemCreatedFrame: "The item is part of the conversation, as the beta API says it.",
    frames.DeltaFrame: "The next words of an item. What was told is never revised.",
    frames.CompletedFrame: "The whole text. Of every committed item there is one of these, or a `failed`.",
    frames.FailedFrame: "There will be no text. The session goes on.",
    frames.ItemRetrievedFrame: "The item asked for, with its audio as long as that is kept.",
    frames.ItemDeletedFrame: "The item is forgotten.",
    frames.ErrorFrame: "Something was not done, and why. `event_id` inside is the client's own.",
    frames.SessionExpiringFrame: "Ours, for those who connect with `expiry_warning=true`.",
    frames.SessionClosedFrame: "Nothing more comes.",
}

_SCHEMAS: Final = Schemas(*CLIENT_FRAMES, *SERVER_FRAMES)


def asyncapi(version: str) -> Json:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "realtime-asr",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "localhost:8000",
                "protocol": "ws",
                "security": [{"$ref": f"#/components/securitySchemes/{scheme}"} for scheme in _SECURITY],
            }
        },
        "channels": {name: _channel(*channel) for name, channel in _CHANNELS.items()},
        "operations": {
            f"{action}{name[0].upper()}{name[1:]}": _operation(action, name, models)
            for name in _CHANNELS
            for action, models in (("receive", CLIENT_FRAMES), ("send", SERVER_FRAMES))
        },
        "components": {
            "securitySchemes": _SECURITY,
            "messages": {_name(model): _message(model) for model in (*CLIENT_FRAMES, *SERVER_FRAMES)},
            "schemas": _SCHEMAS.by_name,
        },
    }


_SECURITY: Final[Json] = {
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key or a client secret.",
    },
    "ApiKeyHeader": {"type": "httpApiKey", "in": "header", "name": "api-key"},
    "XApiKeyHeader": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"},
}
_QUERY: Final[Json] = {
    "intent": {"const": "transcription", "description": "Nothing else is served. May be left out."},
    "model": {
        "type": "string",
        "maxLength": LONGEST_NAME,
        "description": "What shall transcribe until the first update says otherwise.",
    },
    "sample_rate": {
        "enum": list(map(str, RATES)),
        "description": "Ours: of PCM, until an update names another. Beta has no word for one.",
    },
    "expiry_warning": {
        "enum": ["true", "1"],
        "description": "Ours: tell me with `session.expiring` a minute before the session expires.",
    },
}
_AZURE_QUERY: Final[Json] = {
    **_QUERY,
    "deployment": {**_QUERY["model"], "description": "The same as `model`."},
    "api-version": {"type": "string", "description": "Ignored."},
    "api-key": {"type": "string", "description": "A credential."},
    "Authorization": {"type": "string", "description": "A credential: `Bearer <key>`."},
}
_HEADERS: Final[Json] = {
    "OpenAI-Beta": {"type": "string", "description": "With `realtime=v1` in it: speak the beta API."},
    "Sec-WebSocket-Protocol": {
        "type": "string",
        "description": (
            "`realtime` is selected if offered. `openai-insecure-api-key.<key>` is a credential and never "
            "selected. `openai-beta.realtime-v1` asks for the beta API."
        ),
    },
    "Origin": {"type": "string", "description": "From browsers: has to be a page allowed to connect."},
}
_AZURE: Final = "Azure's address. Keys in the query count when the server runs with `azure`."
_CHANNELS: Final[Mapping[str, tuple[str, str, Json]]] = {
    "realtime": ("/v1/realtime", "A session.", _QUERY),
    "realtimeByRfc": (LITERAL_PATH, "The path as GenAIComps' RFC writes it; speaks the beta API.", _QUERY),
    "azure": ("/openai/v1/realtime", _AZURE, _AZURE_QUERY),
    "azurePreview": ("/openai/realtime", _AZURE, _AZURE_QUERY),
}


def _channel(address: str, description: str, query: Json) -> Json:
    return {
        "address": address,
        "description": description,
        "messages": {
            _name(model): {"$ref": f"#/components/messages/{_name(model)}"}
            for model in (*CLIENT_FRAMES, *SERVER_FRAMES)
        },
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": query},
                "headers": {"type": "object", "properties": _HEADERS},
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operation(action: str, channel: str, models: Iterable[type[BaseModel]]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{_name(model)}"} for model in models],
    }


def _name(model: type[BaseModel]) -> str:
    return model.__name__.removesuffix("Frame")


def _message(model: type[BaseModel]) -> Json:
    example = (CLIENT | SERVER)[model]
    return {
        "name": example["type"],
        "summary": _MEANINGS[model],
        "payload": _SCHEMAS[model],
        "examples": [{"payload": example}],
    }
