"""A file endpoint somewhere else, asked over HTTP for the text of one recording after another."""

import asyncio
import io
import re
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, Literal

import httpx2

from realtime_asr.audio.timeline import RATE
from realtime_asr.engines.engine import EngineError, Text, UnusableModel
from realtime_asr.engines.openai_http.answers import read
from realtime_asr.engines.openai_http.hearing import Recording
from realtime_asr.transcript.request import Task, TurnRequest

_PATHS: Final[Mapping[Task, str]] = {
    "transcribe": "/audio/transcriptions",
    "translate": "/audio/translations",
}
_FORMS: Final[Sequence[Mapping[str, str | list[str]]]] = (
    {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]},
    {"response_format": "verbose_json"},
    {"response_format": "json"},
)
"""Of answers: not every endpoint knows when words are said, or how sure it is of them."""
_NOT_UNDERSTOOD: Final = frozenset({400, 422})
_WORTH_ANOTHER_TRY: Final = frozenset({408, 409, 429})
"""Of the statuses that blame the request."""

_CONTEXT: Final = 400
"""Characters for what was said before, and as many for keywords: about a hundred tokens each."""
_CONNECT_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 5.0
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes: several times what an hour of speech takes, written down with all that is known of it."""


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    url: str
    """To which `/audio/transcriptions` is added."""
    model: str
    key: str = field(default="", repr=False)
    """Shown as a bearer token; none if empty."""
    pass_seconds: float = 60.0
    """A pass that takes longer, with all that it asks for, is not waited for."""
    false_phrases: frozenset[str] = frozenset()
    """What this model is known to write when nobody speaks, normalised."""


class Unavailable(EngineError):
    """It may be otherwise soon: in `after` seconds, if the endpoint said so."""

    def __init__(self, message: str, why: Literal["gone", "late", "busy"], after: float = 0.0) -> None:
        super().__init__(message)
        self.why = why
        self.after = after


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    after: float
    """Seconds it wants to be left alone."""


class Endpoint:
    """No redirection is followed."""

    def __init__(self, settings: RemoteSettings) -> None:
        """Raises UnusableModel."""
        self._settings = settings
        self._url = settings.url.rstrip("/")
        # What is not packed cannot turn out to be a thousand times as large.
        headers = {"user-agent": "realtime-asr", "accept-encoding": "identity"}
        if not (settings.key.isascii() and settings.key.isprintable()):
            # Left to the client, the error would quote it, or say that nobody answers.
            raise UnusableModel(
                f"The remote engine at {self._url} cannot be shown this remote_key: it has a line break in "
                "it, or something else that is not printable ASCII."
            )
        if settings.key:
            headers["authorization"] = f"Bearer {settings.key}"
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
        # How many there are at once is for the engine to say.
        limits = httpx2.Limits(max_connections=None)
        self._client = httpx2.AsyncClient(timeout=timeout, limits=limits, headers=headers)
        self._form: dict[Task, int] = {"transcribe": 0, "translate": 0}
        """The first that it was not found to refuse."""

    async def look(self) -> None:
        """Raises UnusableModel unless somebody is there who lets us in."""
        status = await self._status()
        if status is None:
            raise UnusableModel(
                f"Nobody answers at {self._url}: start the remote engine first, or set remote_url to where "
                "it is."
            )
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise UnusableModel(
                f"The remote engine at {self._url} lets nobody in without a good key: set remote_key to one."
            )

    async def answers(self) -> bool:
        """Anything at all."""
        return await self._status() is not None

    async def transcribe(self, recording: Recording) -> Text:
        """Raises EngineError, and of these Unavailable where another attempt may bring more."""
        try:
            async with asyncio.timeout(self._settings.pass_seconds):
                return await self._believed(recording)
        except TimeoutError:
            raise Unavailable("The engine took too long over this turn.", "late") from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _status(self) -> int | None:
        """Whatever endpoints answer here, few need long for it."""
        try:
            async with (
                asyncio.timeout(_LOOK_SECONDS),
                self._client.stream("GET", f"{self._url}/models") as answer,
            ):
                return answer.status_code
        except (TimeoutError, httpx2.HTTPError):
            return None

    async def _believed(self, recording: Recording) -> Text:
        text = await self._heard(recording, _told(recording.request))
        if text.doubt == "prompt_echo" and recording.voiced is not None:
            return replace(await self._heard(recording, ""), doubt=text.doubt)
        return text

    async def _heard(self, recording: Recording, prompt: str) -> Text:
        request = recording.request
        first = max(self._form[request.task], 0 if recording.detailed else 1)
        for form in range(first, len(_FORMS)):
            answer = await self._post(recording, {**self._fields(request, prompt), **_FORMS[form]})
            if answer.status not in _NOT_UNDERSTOOD:
                break
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        if form > first:
            # Only now: what is refused in every form is not refused for its form.
            self._form[request.task] = form
        return read(answer.body, recording, prompt, self._settings.false_phrases)

    def _fields(self, request: TurnRequest, prompt: str) -> Mapping[str, str]:
        fields = {
            "model": self._settings.model,
            "language": _language(request),
            "prompt": prompt,
            "temperature": str(request.temperature),
        }
        return {name: value for name, value in fields.items() if value}

    async def _post(self, recording: Recording, fields: Mapping[str, str | list[str]]) -> _Answer:
        url = self._url + _PATHS[recording.request.task]
        file = {"file": ("turn.wav", _wave(recording.audio), "audio/wav")}
        try:
            async with self._client.stream("POST", url, data=fields, files=file) as answer:
                after = _seconds(answer.headers.get("retry-after", ""))
                return _Answer(answer.status_code, await _body(answer), after)
        except httpx2.HTTPError:
            # Not chained: its message may hold the address.
            raise Unavailable("The engine cannot be reached.", "gone") from None


def _language(request: TurnRequest) -> str | None:
    """Of several candidates none can be told: endpoints choose among all languages."""
    if request.language is None and len(request.languages) == 1:
        return request.languages[0]
    return request.language


def _told(request: TurnRequest) -> str:
    """Of too many keywords the first, of a long text the last: what counts most."""
    keywords = ", ".join(request.keywords)[:_CONTEXT]
    before = ((request.prompt or "").strip(), (request.spoken_before or "").strip())
    return " ".join(filter(None, [keywords, " ".join(filter(None, before))[-_CONTEXT:]]))


def _wave(audio: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        recording.writeframes(audio)
    return file.getvalue()


async def _body(answer: httpx2.Response) -> bytes:
    """To its end, or the connection could not be used again."""
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > _LARGEST:
            raise EngineError("The engine wrote more than anybody can have said.")
    return bytes(body)


def _seconds(told: str) -> float:
    """Of a Retry-After. Dates are nothing to rely on: clocks differ."""
    return float(told) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", told) else 0.0


def _refusal(answer: _Answer) -> EngineError:
    status = answer.status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _WORTH_ANOTHER_TRY:
        message = f"The engine is not available: it answered with status {status}."
        return Unavailable(message, "busy", answer.after)
    return EngineError(f"The engine refused this turn with status {status}.")
