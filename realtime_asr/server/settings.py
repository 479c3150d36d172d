"""What an operator can set, and from where: defaults < TOML file < environment < flags."""

import json
import os
import re
import ssl
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from realtime_asr.audio.formats import PCM16_24K, RATES
from realtime_asr.dialects.openai_beta import FormatName
from realtime_asr.server.access.auth import ANONYMOUS, digest_of, fingerprint_of, is_loopback
from realtime_asr.server.access.keys import KeySettings, NamedKeys
from realtime_asr.server.access.secrets import SigningKey
from realtime_asr.server.models import ModelSettings, NamedModel, NamedModels, public_name
from realtime_asr.server.webhooks import signing_key
from realtime_asr.session.config import ModelNames

PREFIX: Final = "REALTIME_ASR_"
SERVED: Final = "default"
"""In aliases: the main model, whichever that is."""
_DEVICES: Final = ("auto", "cpu", "cuda")
_HOMELESS: Final = "nobody's home is known by what follows ~"
_INTELS: Final = ("gpu", "npu", "xpu")
OPENAI_NAMES: Final = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "gpt-4o-transcribe-latest",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "whisper-large-v3",
    "whisper-large-v3-turbo",
    # As OPEA's services call it, and the Hugging Face Hub.
    "openai/whisper-tiny",
    "openai/whisper-base",
    "openai/whisper-small",
    "openai/whisper-medium",
    "openai/whisper-large",
    "openai/whisper-large-v2",
    "openai/whisper-large-v3",
    "openai/whisper-large-v3-turbo",
    # Conversation models: older SDKs cannot open a socket without naming one.
    "gpt-realtime",
    "gpt-realtime-mini",
    "gpt-4o-realtime-preview",
    "gpt-4o-mini-realtime-preview",
)


class BadSettings(Exception):
    """The server cannot start like this. Each sentence says what is wrong and never quotes a value."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def _between(separator: str) -> BeforeValidator:
    """In the environment a list is one text."""
    return BeforeValidator(
        lambda given: (
            [part.strip() for part in given.split(separator) if part.strip()]
            if isinstance(given, str)
            else given
        )
    )


def _aliases(given: object) -> object:
    """`name=model` from flags and the environment, a table from the file; OpenAI's names are always there."""
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",") if part.strip()]
    if isinstance(given, list | tuple):
        if not all(isinstance(pair, str) and "=" in pair for pair in given):
            raise ValueError("write each as NAME=MODEL")
        given = dict(pair.split("=", 1) for pair in given)
    return {**dict.fromkeys(OPENAI_NAMES, SERVED), **given} if isinstance(given, Mapping) else given


def _rate(given: int) -> int:
    if given not in RATES:
        raise ValueError(f"take one of {', '.join(map(str, RATES))}")
    return given


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], NoDecode, _between(",")]
Lines = Annotated[tuple[str, ...], NoDecode, _between("\n")]
Aliases = Annotated[dict[str, str], NoDecode, BeforeValidator(_aliases)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(ModelSettings, BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    config: Path | None = None
    """TOML file with settings, under the names of the flags with underscores."""
    host: str = "127.0.0.1"
    """Address to listen on. Any but this machine's own needs API keys."""
    port: Port = 8000
    """Port to listen on; 0 for any that is free."""
    also_ports: Listed[Port] = ()
    """Further ports to listen on. With 7066 and 9099 the server stands in the place of OPEA's whisper-service
    and of its ASR microservice."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the log says. It never holds audio, transcripts, prompts or keys."""
    log_format: Literal["logfmt", "json"] = "logfmt"
    """How a line of the log is written."""
    otlp: str | None = Field(default=None, repr=False)
    """Send traces and metrics to the OpenTelemetry collector at this address, over HTTP. Needs the extra
    otel."""
    journal: Path | None = None
    """Record every session in this folder, speech and text included, for the command replay."""
    hook: HttpUrl | None = Field(default=None, repr=False)
    """Post the text of each finished turn of live sessions to this address, as a signed webhook. It goes
    nowhere else, and no redirection is followed."""
    hook_secret: SecretStr | None = Field(default=None, min_length=1)
    """What the webhooks are signed with: a text of your own, or whsec_ and base64."""
    hook_dead_letters: Path | None = None
    """Append to this file what the hook's receiver did not take, text included. Unless set, it is lost."""

    engine: Literal["faster_whisper", "openvino", "openai_http", "replay"] = "faster_whisper"
    """What listens: Whisper in CTranslate2; Whisper in OpenVINO, which needs the extra openvino; whatever
    serves OpenAI's file API at remote_url, like vLLM, whisper.cpp's server, speaches or OpenAI; or a script
    that is read out whatever is said, for demos and load tests."""
    models: NamedModels = {}
    """Further models, each loaded when first asked for by its name. The file has a table for each,
    [models.NAME], with the settings above; what it leaves out is as for the main model."""
    aliases: Aliases = {}
    """Names clients may use, each for a model; `default` is the main one. OpenAI's own names are known."""
    unknown_models: Literal["map", "refuse"] = "refuse"
    """What to do with a name that is no model's and no alias: map it to the main model, or refuse it."""
    replay_script: Lines = ()
    """What the replay engine hears: one line, or flag, for each turn."""
    vad: Literal["auto", "silero", "webrtc", "energy"] = "auto"
    """What tells speech from silence: the Silero network, WebRTC's detector if its extra is installed, or
    loudness alone. auto is Silero, and WebRTC where the main model runs on OpenVINO's GPU or NPU."""
    audio_format: FormatName = "pcm16"
    """Audio of realtime clients that name no format."""
    audio_rate: Annotated[int, AfterValidator(_rate)] = PCM16_24K.rate
    """Samples in a second of their PCM, unless they name a rate: with ?sample_rate= in the address, or in the
    session. OpenAI's is the default; programs that speak to Whisper without it mostly have 16000."""
    noise_reduction: Literal["auto", "off"] = "auto"
    """Let clients ask for it, if the extra that does it is installed; or never."""
    longest_turn: float = Field(default=28, gt=0)
    """Seconds after which a turn that goes on is split. Clients that end turns themselves may take longer."""

    api_keys: Listed[Secret] = ()
    """Keys clients may show: long and random, since client secrets hold a digest of the key that minted them.
    Other users of the machine can read flags: prefer the environment."""
    api_key_hashes: Listed[Digest] = ()
    """SHA-256 of such keys in hexadecimal, where the keys themselves shall not be stored."""
    keys: NamedKeys = {}
    """Further such keys, by names that stand for them in the log. With flags and in the environment a name
    leads to the key's SHA-256; the file has a table for each, [keys.NAME], with hash or key, and sessions,
    starts_per_minute, audio_per_minute, in_flight_mib and models where they are not as below."""
    key_sessions: int = Field(default=0, ge=0)
    """Sessions and files of one key at the same time; 0 for any number. Here and below, client secrets count
    for the key that minted them, and who comes without a key counts together with all others who do."""
    key_starts_per_minute: int = Field(default=0, ge=0)
    """Sessions and files that one key may start in a minute; 0 for any number."""
    key_audio_per_minute: float = Field(default=0, ge=0)
    """Seconds of audio that one key may send in a minute, sessions and files together; 0 for any length. A
    minute's worth may come at once."""
    key_in_flight_mib: float = Field(default=0, ge=0)
    """What one key sent, over WebSockets or as JSON, and no session heard yet; 0 for no bound but that of the
    server."""
    key_models: Listed[str] = ()
    """Models that a key may use, by the names of models, not aliases: for it there are no others. Unless set,
    all."""
    metrics_keys: Listed[Secret] = ()
    """Keys that may read /metrics and /stats, besides API keys. Where there are neither, everybody may."""
    no_auth: bool = False
    """Let everybody in, also from other machines."""
    secret_keys: Listed[Secret] = ()
    """Keys that sign client secrets, as ID:SECRET with at least 32 bytes of secret. The first signs, all
    verify. Without any, client secrets are good for this one process."""
    allowed_origins: Listed[str] = ()
    """Web origins whose pages may connect, like https://app.example.com, or * for all. Pages of this machine
    and programs that send no origin may always."""
    azure: bool = False
    """Accept credentials in the query of the Azure paths, as its clients send them."""
    tls_cert: Path | None = None
    """Certificate chain in PEM, to serve https and wss."""
    tls_key: Path | None = None
    """The certificate's private key in PEM."""

    strict: bool = False
    """Answer settings we do not know with an error as OpenAI does, instead of ignoring them."""
    max_sessions: int | None = Field(default=None, ge=0)
    """Sessions at the same time; more are refused. 0 for any number. Unless set, as many as the command
    capacity found, or any number if it never ran."""
    state_folder: Path = Field(default_factory=lambda: _state_home() / "realtime-asr")
    """What the commands capacity and harvest find out is kept here. Unless set, realtime-asr in
    XDG_STATE_HOME or ~/.local/state."""
    session_minutes: float = Field(default=60, gt=0)
    """How long a session may last."""
    max_message_mib: int = Field(default=24, ge=1)
    """Largest message from a client. OpenAI's largest, 15 MiB of audio, takes 20 MiB as base64."""
    max_file_mib: float = Field(default=25, gt=0)
    """Largest file to transcribe; larger ones are refused. OpenAI's largest is the default."""
    max_files: int = Field(default=8, ge=1)
    """Files transcribed at the same time; more are told to come back. Live sessions go first anyway."""
    in_flight_mib: int = Field(default=256, ge=1)
    """What clients sent and no session heard yet, all together. Beyond that, no more is read."""
    handshake_seconds: float = Field(default=10, gt=0)
    """Hang up on who has not sent a whole request by then."""
    ping_seconds: float = Field(default=10, gt=0)
    """Ask silent clients for a sign of life so often, and give them as long to answer."""
    drain_seconds: float = Field(default=30, gt=0)
    """Told to stop, give open sessions so long to finish what was said."""

    @field_validator("*")
    @classmethod
    def _expand(cls, given: object) -> object:
        """The shell knows what ~ is, but does not read the file, nor what stands in the environment."""
        try:
            return given.expanduser() if isinstance(given, Path) else given
        except RuntimeError:
            raise ValueError(_HOMELESS) from None

    @property
    def has_keys(self) -> bool:
        return bool(self.api_keys or self.api_key_hashes or self.keys)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = {**env_settings(), **init_settings()}.get("config")
        return init_settings, env_settings, InitSettingsSource(settings_cls, _file(named))


def load(flags: Mapping[str, Any]) -> Settings:
    """Flags are by field name. Raises BadSettings."""
    if unknown := _strange_variables():
        raise BadSettings(unknown)
    try:
        settings = Settings(**flags)
    except ValidationError as error:
        # Not chained: pydantic's own message may hold what was given.
        raise BadSettings([_sentence(detail) for detail in error.errors()]) from None
    if wrong := check(settings):
        raise BadSettings(wrong)
    return settings


def check(settings: Settings) -> list[str]:
    """What is wrong with settings that are each fine on their own."""
    return [
        *_who_may_enter(settings),
        *_wrong_keys(settings),
        *_strange_models(settings),
        *_signing_keys(settings),
        *_strange_origins(settings),
        *_certificates(settings),
        *_names_taken(settings),
        *_lost_aliases(settings),
        *_missing_script(settings),
        *_strange_devices(settings),
        *_strange_remotes(settings),
        *_strange_hook(settings),
    ]


def shown(settings: Settings) -> str:
    """All of them as TOML that loads again, but for the secrets."""
    flat = [_line(name, value) for name, value in settings if not isinstance(value, dict)]
    tables: dict[str, Mapping[str, object]] = {"aliases": settings.aliases}
    for kind, named in (("models", settings.models), ("keys", settings.keys)):
        for name, each in named.items():
            tables[f"{kind}.{_quoted(name)}"] = each.model_dump(exclude_unset=True)
    return "\n".join([*flat, *(line for name, table in tables.items() for line in _table(name, table)), ""])


def served_name(settings: Settings) -> str:
    """The main model's."""
    return public_name(settings.model)


def model_names(settings: Settings) -> ModelNames:
    served = served_name(settings)
    ends = {alias: _end(alias, settings) for alias in settings.aliases}
    return ModelNames(
        default=served,
        aliases={
            **{alias: end if end in settings.models else served for alias, end in ends.items()},
            **{name: name for name in (served, *settings.models)},
        },
        otherwise=served if settings.unknown_models == "map" else None,
    )


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")


def _file(path: Any) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings([f"The settings file {path} cannot be read: {error.strerror}."]) from error
    except RuntimeError:
        raise BadSettings([f"The settings file {path} cannot be read: {_HOMELESS}."]) from None
    except ValueError as error:
        raise BadSettings([f"The settings file {path} is not TOML: {error}."]) from None


def _strange_variables() -> list[str]:
    """Pydantic ignores them, so a slip of the pen would go unnoticed."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    ours = (name for name in os.environ if name.upper().startswith(PREFIX))
    return [_unknown(name, known) for name in ours if name.upper() not in known]


def _unknown(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"{name} is no setting." + (f" Did you mean {near[0]}?" if near else "")


def _sentence(detail: ErrorDetails) -> str:
    *table, name = map(str, detail["loc"])
    where = ".".join([*table, name])
    if detail["type"] == "extra_forbidden":
        known = _TABLES[table[0]].model_fields if table else Settings.model_fields
        return _unknown(where, [".".join([*table, field]) for field in known])
    return f"{where}: {detail['msg'].removeprefix('Value error, ')}."


_TABLES: Final[Mapping[str, type[BaseModel]]] = {"models": NamedModel, "keys": KeySettings}


def _who_may_enter(settings: Settings) -> Iterator[str]:
    if settings.has_keys and settings.no_auth:
        yield "There are API keys and no_auth is set, which would ignore them: remove one of the two."
    if not (is_loopback(settings.host) or settings.has_keys or settings.no_auth):
        yield (
            f"Listening on {settings.host} without API keys would let everybody on the network in: "
            f"set {PREFIX}API_KEYS, or listen on 127.0.0.1, or allow it with --no-auth."
        )


def _wrong_keys(settings: Settings) -> Iterator[str]:
    plain = [digest_of(key.get_secret_value()) for key in settings.api_keys]
    known = dict.fromkeys([*plain, *map(str.lower, settings.api_key_hashes)], "in api_keys or api_key_hashes")
    others = {ANONYMOUS.key_id, *map(fingerprint_of, known)}
    for name, key in settings.keys.items():
        if (key.key is None) == (key.hash is None):
            yield f"keys.{name}: set one of key and hash."
        elif key.digest in known:
            yield f"keys.{name}: this key is also {known[key.digest]}."
        else:
            known[key.digest] = f"keys.{name}"
        if name in others:
            yield f"keys.{name}: this name is taken."


def _signing_keys(settings: Settings) -> Iterator[str]:
    ids = set[str]()
    for key in settings.secret_keys:
        try:
            key_id = SigningKey.parse(key.get_secret_value()).id
        except ValueError as error:
            yield f"secret_keys: {error}"
        else:
            if key_id in ids:
                yield f"secret_keys: two keys have the id '{key_id}'."
            ids.add(key_id)


def _strange_origins(settings: Settings) -> Iterator[str]:
    """What no browser says lets nobody in."""
    if not all(_ORIGIN.fullmatch(origin) for origin in settings.allowed_origins):
        yield (
            "allowed_origins: write each like https://app.example.com, with nothing behind the host "
            "or its port; or * for all."
        )


_ORIGIN: Final = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/*\s]+")


def _certificates(settings: Settings) -> Iterator[str]:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        yield "tls_cert and tls_key belong together: set both, or neither."
    unreadable = list(_unreadable(settings))
    yield from unreadable
    if settings.tls_cert and settings.tls_key and not unreadable:
        yield from _strange_certificates(settings.tls_cert, settings.tls_key)


def _unreadable(settings: Settings) -> Iterator[str]:
    for name, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            yield f"{name}: {path} cannot be read: {error.strerror}."


def _strange_certificates(certificate: Path, key: Path) -> Iterator[str]:
    """OpenSSL does not say which of the two it means."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(certificate)
    except ssl.SSLError:
        yield f"tls_cert: {certificate} holds no certificate in PEM."
        return
    try:
        context.load_cert_chain(certificate, key, _not_now)
    except _Locked:
        return  # whoever starts the server is asked for its pass phrase
    except ssl.SSLError:
        yield f"tls_key: {key} holds no private key in PEM that belongs to the certificate in {certificate}."


class _Locked(Exception):
    """A private key that only its pass phrase opens."""


def _not_now() -> NoReturn:
    raise _Locked


def _names_taken(settings: Settings) -> Iterator[str]:
    for name in {SERVED, served_name(settings)} & settings.models.keys():
        yield f"models: '{name}' is what the main model is called."


def _lost_aliases(settings: Settings) -> Iterator[str]:
    for name in settings.aliases:
        if _end(name, settings) not in _served(settings):
            yield f"aliases: '{name}' does not lead to a model that is served."


def _strange_models(settings: Settings) -> Iterator[str]:
    asked = {"key_models": settings.key_models}
    asked |= {f"keys.{name}.models": key.models or () for name, key in settings.keys.items()}
    for where, models in asked.items():
        for name in models:
            if name not in {served_name(settings), *settings.models}:
                yield f"{where}: '{name}' is no model that is served."


def _end(name: str, settings: Settings) -> str:
    """Where an alias of aliases leads, or where it is when it goes round in a circle."""
    target, passed = settings.aliases[name], {name, *_served(settings)}
    while target in settings.aliases and target not in passed:
        passed.add(target)
        target = settings.aliases[target]
    return target


def _served(settings: Settings) -> set[str]:
    return {SERVED, settings.model, *settings.models}


def _missing_script(settings: Settings) -> Iterator[str]:
    if settings.engine == "replay" and not settings.replay_script:
        yield "The replay engine has nothing to say: give it lines with --replay-script."


def _strange_devices(settings: Settings) -> Iterator[str]:
    """Those of OpenVINO only the machine can tell."""
    if settings.engine == "faster_whisper":
        for where, model in _tables_of_models(settings).items():
            if model.device not in _DEVICES:
                intel = any(kind in model.device for kind in _INTELS)
                elsewhere = " Intel's GPUs and NPUs are for --engine openvino." if intel else ""
                yield f"{where}device: {settings.engine} has {', '.join(_DEVICES)}.{elsewhere}"


def _strange_remotes(settings: Settings) -> Iterator[str]:
    if settings.engine != "openai_http":
        for where, model in _tables_of_models(settings).items():
            for name in ("remote_url", "remote_key"):
                if getattr(model, name) is not None:
                    yield f"{where}{name}: this does nothing without the engine openai_http."
        return
    if settings.remote_url is None:
        yield "remote_url: set it to where the remote engine's API is, like http://127.0.0.1:8080/v1."
    if "model" not in settings.model_fields_set:
        yield "model: name one that the remote engine serves."
    for where, model in _tables_of_models(settings).items():
        if model.remote_url is not None and not _is_plain(model.remote_url):
            yield f"{where}remote_url: leave out passwords and what follows ? or #; keys go into remote_key."


def _tables_of_models(settings: Settings) -> Mapping[str, ModelSettings]:
    """By what goes before their settings."""
    return {"": settings, **{f"models.{name}.": model for name, model in settings.models.items()}}


def _is_plain(url: HttpUrl) -> bool:
    return not (url.username or url.password or url.query or url.fragment)


def _strange_hook(settings: Settings) -> Iterator[str]:
    if settings.hook is None:
        for name in ("hook_secret", "hook_dead_letters"):
            if getattr(settings, name) is not None:
                yield f"{name}: this does nothing without a hook."
        return
    if settings.hook_secret is None:
        yield "hook: set hook_secret too, or its receiver cannot know who posts."
    elif signing_key(settings.hook_secret.get_secret_value()) is None:
        yield "hook_secret: what follows whsec_ is not base64."


def _line(name: str, value: object) -> str:
    if value is None:
        return f"# {name} is not set"
    told = _discreet(str(value)) if isinstance(value, HttpUrl) or name == "otlp" else value
    line = f"{name} = {_quoted(told)}"
    # Asterisks would be taken for a key if this were loaded again.
    return f"# {line}" if _is_secret(value) or _HIDDEN in str(told) else line


_HIDDEN: Final = "**********"
"""As pydantic hides secrets."""


def _discreet(address: str) -> str:
    """Without what may be a password or a key."""
    parts = urlsplit(address)
    _, at, host = parts.netloc.rpartition("@")
    netloc, query = f"{_HIDDEN}@{host}" if at else host, _HIDDEN if parts.query else ""
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def _table(name: str, values: Mapping[str, object]) -> list[str]:
    return ["", f"[{name}]", *(_line(_quoted(key), value) for key, value in values.items())]


def _is_secret(value: object) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return any(isinstance(part, SecretStr) for part in parts)


def _quoted(value: object) -> str:
    """JSON's strings, numbers and lists are TOML's too. A secret's str() is asterisks."""
    return json.dumps(value, ensure_ascii=False, default=str)
