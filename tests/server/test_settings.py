import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from realtime_asr.server.access.auth import digest_of
from realtime_asr.server.settings import (
    OPENAI_NAMES,
    BadSettings,
    Settings,
    check,
    load,
    model_names,
    shown,
)
from realtime_asr.session.config import ModelNames

WriteFile = Callable[[str], str]
CANARY = "canary-0123456789-0123456789-0123456789"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("REALTIME_ASR_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> WriteFile:
    def write(text: str) -> str:
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def wrong(**flags: object) -> list[str]:
    with pytest.raises(BadSettings) as refused:
        load(flags)
    assert CANARY not in str(refused.value)
    return refused.value.sentences


def keys(settings: Settings) -> list[str]:
    return [key.get_secret_value() for key in settings.api_keys]


def test_the_defaults_start_a_server_for_this_machine_alone() -> None:
    settings = load({})

    assert (settings.host, settings.port, settings.has_keys) == ("127.0.0.1", 8000, False)


def test_flags_come_before_the_environment_and_that_before_the_file(
    file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file("port = 1\nworkers = 1\nbeam_size = 1")
    monkeypatch.setenv("REALTIME_ASR_WORKERS", "2")
    monkeypatch.setenv("REALTIME_ASR_BEAM_SIZE", "2")

    settings = load({"config": path, "beam_size": "3"})

    assert (settings.port, settings.workers, settings.beam_size) == (1, 2, 3)


def test_the_environment_may_name_the_file(file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ASR_CONFIG", file("port = 9000"))

    assert load({}).port == 9000


@pytest.mark.parametrize("origin", ["https://app.example.com/", "app.example.com", "https://*.example.com"])
def test_an_origin_that_no_browser_would_say_is_none(origin: str) -> None:
    with pytest.raises(BadSettings, match="allowed_origins: write each like"):
        load({"allowed_origins": [origin]})


def test_origins_may_have_ports_and_be_of_other_kinds() -> None:
    load({"allowed_origins": ["*", "null", "https://app.example.com:8443", "chrome-extension://abcdef"]})


@pytest.mark.parametrize("name", ["longest_turn", "session_minutes", "max_file_mib", "pass_seconds"])
def test_nothing_lasts_for_ever(name: str) -> None:
    with pytest.raises(BadSettings, match=name):
        load({name: "inf"})


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ASR_TLS_CERT", "")

    assert load({}).tls_cert is None


def test_lists_in_the_environment_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ASR_API_KEYS", "one, two,")
    monkeypatch.setenv("REALTIME_ASR_ALIASES", "mine=default, other=bundled")

    settings = load({})

    assert keys(settings) == ["one", "two"]
    assert (settings.aliases["mine"], settings.aliases["other"]) == ("default", "bundled")


def test_a_line_of_the_replay_script_may_hold_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ASR_REPLAY_SCRIPT", "Hello, world.\nGood bye, world.")

    assert load({}).replay_script == ("Hello, world.", "Good bye, world.")


def test_lists_from_flags_and_the_file_are_taken_as_they_are(file: WriteFile) -> None:
    assert keys(load({"api_keys": ["one,two"]})) == ["one,two"]
    assert keys(load({"config": file('api_keys = ["one", "two"]')})) == ["one", "two"]


@pytest.mark.parametrize("given", [["7066", "9099"], "7066, 9099,", [7066, 9099]])
def test_there_may_be_further_ports(given: object) -> None:
    assert (7066, 9099) == load({"also_ports": given}).also_ports


def test_openais_names_are_aliases_whatever_is_added(file: WriteFile) -> None:
    settings = load({"config": file('[aliases]\nmine = "default"')})

    assert {*OPENAI_NAMES, "mine"} == set(settings.aliases)


def test_every_alias_leads_to_the_model_served_through_others_too() -> None:
    settings = load({"model": "small", "aliases": ["a=b", "b=small", "small=a"]})

    served = dict.fromkeys([*OPENAI_NAMES, "a", "b", "small"], "small")
    assert ModelNames("small", served, otherwise=None) == model_names(settings)


def test_aliases_lead_to_any_model_that_is_served() -> None:
    settings = load({"model": "small", "models": ["fast=tiny"], "aliases": ["whisper-1=a", "a=fast"]})

    names = model_names(settings)

    resolved = [names.resolve(name) for name in ("whisper-1", "a", "fast", "small", "gpt-transcribe", "tiny")]
    assert ["fast", "fast", "fast", "small", "small", None] == resolved


@pytest.mark.parametrize("given", [["fast=tiny", "base"], "fast=tiny, base,"])
def test_further_models_are_named_with_flags_or_in_the_environment(given: object) -> None:
    models = load({"models": given}).models

    assert {"fast": "tiny", "base": "base"} == {name: model.model for name, model in models.items()}


def test_the_file_has_a_table_for_each_model(file: WriteFile) -> None:
    path = file('[models.fast]\nmodel = "tiny"\nbeam_size = 2\n[models.base]')

    models = load({"config": path}).models

    assert {"model": "tiny", "beam_size": 2} == models["fast"].model_dump(exclude_unset=True)
    assert {} == models["base"].model_dump(exclude_unset=True)


def test_a_misspelt_key_of_a_model_is_named(file: WriteFile) -> None:
    path = file("[models.fast]\nbeem_size = 2")

    expected = "models.fast.beem_size is no setting. Did you mean models.fast.beam_size?"
    assert [expected] == wrong(config=path)


@pytest.mark.parametrize("given", [[7], [["fast", "tiny"]]])
def test_a_model_needs_a_name(given: object) -> None:
    assert ["models: write each as NAME=MODEL."] == wrong(models=given)


@pytest.mark.parametrize("name", ["bundled", "default"])
def test_the_main_models_names_are_taken(name: str) -> None:
    assert [f"models: '{name}' is what the main model is called."] == wrong(models=[f"{name}=tiny"])


def test_what_is_found_out_is_kept_where_the_desktop_keeps_such_things(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first = load({}).state_folder
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert [tmp_path / "realtime-asr", tmp_path / "home/.local/state/realtime-asr"] == [
        first,
        load({}).state_folder,
    ]


def test_unknown_models_may_be_mapped() -> None:
    assert model_names(load({"unknown_models": "map"})).resolve("whatever") == "bundled"


def test_an_alias_that_leads_nowhere_or_round_is_refused() -> None:
    assert wrong(aliases=["a=b", "b=a", "c=elsewhere"]) == [
        "aliases: 'a' does not lead to a model that is served.",
        "aliases: 'b' does not lead to a model that is served.",
        "aliases: 'c' does not lead to a model that is served.",
    ]


@pytest.mark.parametrize("given", [["nonsense"], "nonsense", [7]])
def test_an_alias_needs_a_name_and_a_model(given: object) -> None:
    assert wrong(aliases=given) == ["aliases: write each as NAME=MODEL."]


def test_aliases_are_a_table() -> None:
    assert wrong(aliases=7) == ["aliases: Input should be a valid dictionary."]


def test_a_misspelt_key_in_the_file_is_named(file: WriteFile) -> None:
    path = file("prot = 9000\nzzzz = 1")

    assert wrong(config=path) == ["prot is no setting. Did you mean port?", "zzzz is no setting."]


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ASR_API_KEY", CANARY)

    assert wrong() == ["REALTIME_ASR_API_KEY is no setting. Did you mean REALTIME_ASR_API_KEYS?"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"

    assert [f"The settings file {path} cannot be read: No such file or directory."] == wrong(config=path)


def test_a_file_that_is_no_toml_is_named(file: WriteFile) -> None:
    path = file("port: 9000")

    [sentence] = wrong(config=path)

    assert sentence.startswith(f"The settings file {path} is not TOML: ")


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert wrong(port=70_000, engine="magic", workers=CANARY) == [
        "workers: Input should be a valid integer, unable to parse string as an integer.",
        "port: Input should be less than or equal to 65535.",
        "engine: Input should be 'faster_whisper', 'openvino', 'openai_http' or 'replay'.",
    ]


def test_an_empty_api_key_is_refused() -> None:
    [sentence] = wrong(api_keys=[""])

    assert sentence.startswith("api_keys.0: ")


def test_a_key_given_as_a_digest_by_mistake_is_not_quoted() -> None:
    [sentence] = wrong(api_key_hashes=[CANARY])
    with pytest.raises(ValidationError) as raw:
        Settings(api_key_hashes=(CANARY,))

    assert sentence.startswith("api_key_hashes.0: ")
    assert CANARY not in str(raw.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "asr.example.com", ""])
def test_other_machines_are_not_let_in_without_keys(host: str) -> None:
    [sentence] = wrong(host=host)

    assert "REALTIME_ASR_API_KEYS" in sentence
    assert "--no-auth" in sentence


@pytest.mark.parametrize(
    "flags",
    [
        {"host": "0.0.0.0", "api_keys": ["one"]},
        {"host": "0.0.0.0", "api_key_hashes": ["ab" * 32]},
        {"host": "0.0.0.0", "no_auth": True},
        {"host": "127.0.0.2"},
        {"host": "::1"},
        {"host": "localhost"},
    ],
)
def test_whoever_says_who_may_enter_may_listen(flags: dict[str, Any]) -> None:
    assert check(load(flags)) == []


# A hook


@pytest.mark.parametrize("secret", ["a text", "whsec_dGhpcnR5"])
def test_a_hook_has_an_address_and_a_secret(secret: str) -> None:
    settings = load({"hook": "https://example.com/heard?by=us", "hook_secret": secret})

    assert ("https://example.com/heard?by=us", []) == (str(settings.hook), check(settings))
    assert secret not in shown(settings)


@pytest.mark.parametrize("address", ["nowhere", "ftp://example.com", "http://", "http://a:port/"])
def test_a_hook_needs_an_address_that_can_be_posted_to(address: str) -> None:
    [sentence] = wrong(hook=address, hook_secret=CANARY)

    assert sentence.startswith("hook: ")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"hook": "http://[::1]/"}, "hook: set hook_secret too, or its receiver cannot know who posts."),
        (
            {"hook": "http://[::1]/", "hook_secret": f"whsec_{CANARY}?"},
            "hook_secret: what follows whsec_ is not base64.",
        ),
        ({"hook_secret": CANARY}, "hook_secret: this does nothing without a hook."),
        ({"hook_dead_letters": "dead"}, "hook_dead_letters: this does nothing without a hook."),
    ],
)
def test_what_a_hook_lacks_is_told(given: dict[str, Any], sentence: str) -> None:
    assert [sentence] == wrong(**given)


# Keys with names


DIGEST, ANOTHER = "ab" * 32, "cd" * 32


def test_the_file_has_a_table_for_each_key(file: WriteFile) -> None:
    path = file(
        f'[keys.alice]\nkey = "{CANARY}"\nsessions = 3\nmodels = ["bundled"]\n[keys.bob]\nhash = "{DIGEST}"'
    )

    settings = load({"config": path})

    alice, bob = settings.keys["alice"], settings.keys["bob"]
    assert settings.has_keys
    assert (3, ("bundled",), None) == (alice.sessions, alice.models, alice.audio_per_minute)
    assert (digest_of(CANARY), DIGEST) == (alice.digest, bob.digest)
    assert CANARY not in repr(settings)


@pytest.mark.parametrize("given", [[f"alice={DIGEST}", f"bob={ANOTHER}"], f"alice={DIGEST}, bob={ANOTHER},"])
def test_with_flags_and_in_the_environment_a_name_leads_to_a_digest(given: object) -> None:
    assert {"alice": DIGEST, "bob": ANOTHER} == {
        name: key.digest for name, key in load({"keys": given}).keys.items()
    }


@pytest.mark.parametrize("given", [["alice"], [7], "alice"])
def test_a_named_key_needs_a_digest(given: object) -> None:
    assert ["keys: write each as NAME=SHA256."] == wrong(keys=given)


def test_a_key_in_the_place_of_its_digest_is_not_quoted() -> None:
    [sentence] = wrong(keys=[f"alice={CANARY}"])

    assert sentence.startswith("keys.alice.hash: ")


def test_a_misspelt_setting_of_a_key_is_named(file: WriteFile) -> None:
    path = file(f'[keys.alice]\nhash = "{DIGEST}"\nsesions = 2')

    assert ["keys.alice.sesions is no setting. Did you mean keys.alice.sessions?"] == wrong(config=path)


def test_a_table_has_either_a_key_or_a_digest() -> None:
    keys = {"alice": {"sessions": 1}, "bob": {"hash": DIGEST, "key": CANARY}}

    assert ["keys.alice: set one of key and hash.", "keys.bob: set one of key and hash."] == wrong(keys=keys)


def test_one_key_has_one_name() -> None:
    keys = {
        "alice": {"key": CANARY},
        "bob": {"hash": digest_of(CANARY).upper()},
        "carol": {"hash": DIGEST},
        "dave": {"hash": ANOTHER},
    }

    assert [
        "keys.bob: this key is also keys.alice.",
        "keys.carol: this key is also in api_keys or api_key_hashes.",
        "keys.dave: this key is also in api_keys or api_key_hashes.",
    ] == wrong(keys=keys, api_keys=["one"], api_key_hashes=[DIGEST.upper(), ANOTHER])


def test_a_name_that_means_somebody_else_is_refused() -> None:
    keys = [f"anonymous={DIGEST}", f"{digest_of('one')[:12]}={ANOTHER}"]

    assert [
        "keys.anonymous: this name is taken.",
        f"keys.{digest_of('one')[:12]}: this name is taken.",
    ] == wrong(keys=keys, api_keys=["one"])


def test_a_model_that_is_not_served_cannot_be_allowed() -> None:
    keys = {"alice": {"hash": DIGEST, "models": ["fast", "bundled", "nobody"]}}

    assert [
        "key_models: 'whisper-1' is no model that is served.",
        "keys.alice.models: 'nobody' is no model that is served.",
    ] == wrong(keys=keys, key_models=["bundled", "whisper-1"], models=["fast=tiny"])


def test_named_keys_let_a_server_listen_everywhere() -> None:
    assert check(load({"host": "0.0.0.0", "keys": [f"alice={DIGEST}"]})) == []


def test_named_keys_are_shown_without_their_secrets() -> None:
    keys = {"alice": {"key": CANARY, "sessions": 2}, "bob": {"hash": DIGEST, "models": ["bundled"]}}
    settings = load({"keys": keys})

    told = shown(settings)

    assert CANARY not in told
    assert {"sessions": 2} == tomllib.loads(told)["keys"]["alice"]
    assert '# "key" = "**********"' in told
    assert {"hash": DIGEST, "models": ["bundled"]} == tomllib.loads(told)["keys"]["bob"]


def test_keys_and_no_auth_exclude_each_other() -> None:
    [sentence] = wrong(api_keys=["one"], no_auth=True)

    assert "remove one of the two" in sentence


@pytest.mark.parametrize("key", [CANARY, "k1:canary", ":" + CANARY])
def test_a_signing_key_that_is_short_or_has_no_id_is_refused_without_quoting_it(key: str) -> None:
    [sentence] = wrong(secret_keys=[key])

    assert sentence.startswith("secret_keys: ")


def test_two_signing_keys_need_two_ids() -> None:
    assert wrong(secret_keys=["k1:" + CANARY, "k1:x" + CANARY]) == ["secret_keys: two keys have the id 'k1'."]


def test_half_a_certificate_is_refused(file: WriteFile) -> None:
    assert wrong(tls_key=file("")) == ["tls_cert and tls_key belong together: set both, or neither."]


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    sentences = wrong(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path)

    assert [
        f"tls_cert: {tmp_path}/cert.pem cannot be read: No such file or directory.",
        f"tls_key: {tmp_path} cannot be read: Is a directory.",
    ] == sentences


@pytest.fixture(scope="module")
def pem() -> str:
    """A key and its certificate, in one."""
    return trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes().decode()


def test_certificates_that_can_be_read_are_fine(file: WriteFile, pem: str) -> None:
    path = file(pem)

    assert check(load({"tls_cert": path, "tls_key": path})) == []


def test_what_is_no_certificate_is_told_in_a_sentence(tmp_path: Path, file: WriteFile, pem: str) -> None:
    path, other = file(pem), tmp_path / "other.pem"
    other.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")

    assert wrong(tls_cert=other, tls_key=path) == [f"tls_cert: {other} holds no certificate in PEM."]
    assert wrong(tls_cert=path, tls_key=other) == [
        f"tls_key: {other} holds no private key in PEM that belongs to the certificate in {path}."
    ]


def test_the_key_of_another_certificate_is_told_in_a_sentence(
    tmp_path: Path, file: WriteFile, pem: str
) -> None:
    path, other = file(pem), tmp_path / "other.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(other)

    [sentence] = wrong(tls_cert=path, tls_key=other)

    assert sentence.startswith(f"tls_key: {other} holds no private key in PEM that belongs to")


def test_a_private_key_with_a_pass_phrase_is_asked_for_it_only_when_it_is_needed(
    tmp_path: Path, file: WriteFile, pem: str
) -> None:
    plain = serialization.load_pem_private_key(pem.encode(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )

    assert check(load({"tls_cert": file(pem), "tls_key": locked})) == []


def test_a_path_may_begin_at_home(file: WriteFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REALTIME_ASR_CONFIG", "~/settings.toml")
    monkeypatch.setenv("REALTIME_ASR_STATE_FOLDER", "~/state")
    file("""journal = "~/journal"\nhook_dead_letters = "~/lost"\nhook = "http://h"\nhook_secret = "s" """)

    settings = load({})

    assert (tmp_path / "journal", tmp_path / "lost") == (settings.journal, settings.hook_dead_letters)
    assert tmp_path / "state" == settings.state_folder


@pytest.mark.parametrize(
    ("name", "what"), [("journal", "journal"), ("config", "The settings file ~no-such-user/x cannot be read")]
)
def test_a_home_that_nobody_has_is_told_in_a_sentence(name: str, what: str) -> None:
    [sentence] = wrong(**{name: "~no-such-user/x"})

    assert f"{what}: nobody's home is known by what follows ~." == sentence


def test_the_replay_engine_needs_a_script() -> None:
    [sentence] = wrong(engine="replay")

    assert "--replay-script" in sentence
    assert check(load({"engine": "replay", "replay_script": ["Hello."]})) == []


def test_what_is_shown_loads_again_as_the_same(file: WriteFile) -> None:
    flags = {"model": 'sm"all\\é', "aliases": ["a b=default"], "allowed_origins": ["*"], "strict": True}
    flags["models"] = {"f ast": {"model": 'ti"ny', "workers": 2}, "base": {}}
    settings = load(flags)

    again = load({"config": file(shown(settings))})

    assert settings == again.model_copy(update={"config": None})


def test_secrets_are_neither_shown_nor_taken_from_what_is_shown() -> None:
    settings = load({"api_keys": [CANARY], "secret_keys": ["k1:" + CANARY]})

    assert CANARY not in shown(settings) + repr(settings)
    assert "api_keys" not in tomllib.loads(shown(settings))
    assert '# api_keys = ["**********"]' in shown(settings)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (f"https://user:{CANARY}@h:8/x", '# hook = "https://**********@h:8/x"'),
        (f"https://{CANARY}@h/x", '# hook = "https://**********@h/x"'),
        (f"https://h/x?key={CANARY}#{CANARY}", '# hook = "https://h/x?**********"'),
        ("https://h/x", 'hook = "https://h/x"'),
    ],
)
def test_addresses_are_shown_without_passwords_and_what_is_asked_of_them(given: str, told: str) -> None:
    settings = load({"hook": given, "hook_secret": CANARY})

    assert told in shown(settings).splitlines()
    assert CANARY not in shown(settings) + repr(settings)


def test_the_address_of_a_collector_is_one_too() -> None:
    told = shown(load({"otlp": f"http://user:{CANARY}@127.0.0.1:4318"})).splitlines()

    assert '# otlp = "http://**********@127.0.0.1:4318"' in told


def test_devices_are_those_of_the_engine() -> None:
    models = {"other": {"model": "tiny", "device": "NPU"}, "same": {"model": "base"}}
    intel = "Intel's GPUs and NPUs are for --engine openvino."

    assert [
        f"device: faster_whisper has auto, cpu, cuda. {intel}",
        f"models.other.device: faster_whisper has auto, cpu, cuda. {intel}",
    ] == wrong(device="HETERO:GPU,CPU", models=models)
    assert [f"device: faster_whisper has auto, cpu, cuda. {intel}"] == wrong(device="XPU")
    assert ["device: faster_whisper has auto, cpu, cuda."] == wrong(device="tpu")
    assert "hetero:gpu,cpu" == load({"engine": "openvino", "device": "HETERO:GPU,CPU"}).device


def test_rates_of_pcm_are_those_that_sessions_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_ASR_AUDIO_RATE", "16000")

    assert 16_000 == load({}).audio_rate
    assert 8_000 == load({"audio_rate": "8000"}).audio_rate
    assert ["audio_rate: take one of 8000, 16000, 24000, 48000."] == wrong(audio_rate=44_100)


@pytest.mark.parametrize("device", ["CPU", "Cuda", "AUTO"])
def test_a_device_may_be_written_in_any_case(device: str) -> None:
    assert device.lower() == load({"device": device}).device


# A remote engine

REMOTE = {"engine": "openai_http", "model": "large", "remote_url": "http://127.0.0.1:8080/v1"}


def test_a_remote_engine_has_an_address_and_a_model_and_may_have_a_key() -> None:
    settings = load({**REMOTE, "remote_key": CANARY})

    assert "http://127.0.0.1:8080/v1" == str(settings.remote_url)
    assert CANARY not in shown(settings) + repr(settings)


def test_models_may_have_remotes_and_keys_of_their_own(file: WriteFile) -> None:
    path = file('[models.fast]\nremote_url = "https://example.com/v1"\nremote_key = "' + CANARY + '"')

    settings = load({**REMOTE, "config": path})

    assert "https://example.com/v1" == str(settings.models["fast"].remote_url)
    assert CANARY not in shown(settings) + repr(settings)
    assert '# "remote_key" =' in shown(settings)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"engine": "openai_http", "model": "large"},
            "remote_url: set it to where the remote engine's API is, like http://127.0.0.1:8080/v1.",
        ),
        (
            {"engine": "openai_http", "remote_url": "http://a/v1"},
            "model: name one that the remote engine serves.",
        ),
        (
            {"remote_url": "http://a/v1"},
            "remote_url: this does nothing without the engine openai_http.",
        ),
        (
            {"models": {"fast": {"remote_key": CANARY}}},
            "models.fast.remote_key: this does nothing without the engine openai_http.",
        ),
        (
            {**REMOTE, "remote_url": f"http://me:{CANARY}@a/v1"},
            "remote_url: leave out passwords and what follows ? or #; keys go into remote_key.",
        ),
        (
            {**REMOTE, "models": {"fast": {"remote_url": f"http://a/v1?key={CANARY}"}}},
            "models.fast.remote_url: leave out passwords and what follows ? or #; keys go into remote_key.",
        ),
    ],
)
def test_what_is_wrong_with_a_remote_engine_is_told(given: dict[str, Any], sentence: str) -> None:
    assert [sentence] == wrong(**given)


def test_a_remote_may_serve_what_we_call_bundled() -> None:
    assert [] == check(load({**REMOTE, "model": "bundled"}))
