"""Where a model's files lie."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faster_whisper.utils import _MODELS

from realtime_asr.engines import model_folder as module
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import UnusableModel
from realtime_asr.engines.model_folder import CTRANSLATE2, OPENVINO, SIZES, model_folder

LAYOUTS = [OPENVINO, CTRANSLATE2]


def test_a_folder_never_asks_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "snapshot_download", None)

    assert model_folder(str(BUNDLED), [CTRANSLATE2], None) == BUNDLED


Hub = Callable[..., list[tuple[str, str | None]]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """One where every repository has these files. Tells which were asked for, and where they were put."""

    def holding(*files: str) -> list[tuple[str, str | None]]:
        asked: list[tuple[str, str | None]] = []
        for file in files:
            (tmp_path / file).touch()

        def fetch(repository: str, *, allow_patterns: list[str], cache_dir: str | None) -> str:
            assert {"model.bin", "tokenizer.json"} <= set(allow_patterns)
            asked.append((repository, cache_dir))
            return str(tmp_path)

        monkeypatch.setattr(module, "snapshot_download", fetch)
        return asked

    return holding


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("tiny", "Systran/faster-whisper-tiny"),
        ("other/whisper", "other/whisper"),
        ("openai/whisper-small", "Systran/faster-whisper-small"),
        ("openai/whisper-base.en", "Systran/faster-whisper-base.en"),
        ("openai/whisper-large", "Systran/faster-whisper-large-v1"),
        ("openai/whisper-large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
    ],
)
def test_a_name_is_fetched_from_the_hub(hub: Hub, tmp_path: Path, name: str, repository: str) -> None:
    asked = hub(*CTRANSLATE2.needed)

    assert model_folder(name, LAYOUTS, "models") == tmp_path
    assert asked == [(repository, "models")]


@pytest.mark.parametrize("name", ["distil-whisper/distil-small.en", "openai/whisper-medical"])
def test_a_repository_of_another_layout_is_explained(hub: Hub, name: str) -> None:
    hub("config.json", "tokenizer.json")

    with pytest.raises(
        UnusableModel,
        match=rf"The repository '{name}' on the Hugging Face Hub holds no model converted for CTranslate2 "
        r"\(no model.bin\)\.$",
    ):
        model_folder(name, [CTRANSLATE2], None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/nowhere/at/all", "folder '/nowhere/at/all' does not exist"),
        ("./nowhere", "folder './nowhere' does not exist"),
        (
            str(BUNDLED.parent),
            r"no model exported for OpenVINO \(no .*\) or converted for CTranslate2 \(no config.json and model.bin",
        ),
        ("enormous", "There is no model 'enormous'. Name a folder, .* or one of tiny.en, tiny"),
        ("a/b/c", "There is no model 'a/b/c'"),
    ],
)
def test_a_name_that_means_nothing_is_explained(name: str, says: str) -> None:
    with pytest.raises(UnusableModel, match=says):
        model_folder(name, LAYOUTS, None)


def test_names_are_those_of_faster_whisper() -> None:
    assert _MODELS == SIZES


def test_a_folder_may_have_any_of_the_layouts(tmp_path: Path) -> None:
    for file in OPENVINO.needed:
        (tmp_path / file).touch()

    assert tmp_path == model_folder(str(tmp_path), LAYOUTS, None)
    with pytest.raises(UnusableModel, match=r"converted for CTranslate2 \(no model.bin and tokenizer.json\)"):
        model_folder(str(tmp_path), [CTRANSLATE2], None)


def test_a_hub_out_of_reach_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise OSError("Name or service not known\nand more lines of it")

    monkeypatch.setattr(module, "snapshot_download", unreachable)

    with pytest.raises(
        UnusableModel, match=r"'Systran/faster-whisper-tiny' is not on this machine.*not known$"
    ):
        model_folder("tiny", LAYOUTS, None)
