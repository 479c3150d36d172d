"""Where a model's files lie."""

from pathlib import Path

import pytest

from realtime_asr.engines import model_folder as module
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import UnusableModel
from realtime_asr.engines.model_folder import model_folder

SIZES = {"tiny": "someone/whisper-tiny", "base": "someone/whisper-base"}


def test_a_folder_never_asks_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "snapshot_download", None)

    assert model_folder(str(BUNDLED), SIZES, None) == BUNDLED


@pytest.mark.parametrize(
    ("name", "repository"), [("tiny", "someone/whisper-tiny"), ("other/whisper", "other/whisper")]
)
def test_a_name_is_fetched_from_the_hub(monkeypatch: pytest.MonkeyPatch, name: str, repository: str) -> None:
    asked: list[tuple[str, str | None]] = []

    def fetch(repository: str, *, allow_patterns: list[str], cache_dir: str | None) -> str:
        assert "model.bin" in allow_patterns
        asked.append((repository, cache_dir))
        return "there"

    monkeypatch.setattr(module, "snapshot_download", fetch)

    assert model_folder(name, SIZES, "models") == Path("there")
    assert asked == [(repository, "models")]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/nowhere/at/all", "folder '/nowhere/at/all' does not exist"),
        ("./nowhere", "folder './nowhere' does not exist"),
        (str(BUNDLED.parent), "no config.json and model.bin and tokenizer.json"),
        ("enormous", "There is no model 'enormous'. Name a folder, .* or one of tiny, base"),
        ("a/b/c", "There is no model 'a/b/c'"),
    ],
)
def test_a_name_that_means_nothing_is_explained(name: str, says: str) -> None:
    with pytest.raises(UnusableModel, match=says):
        model_folder(name, SIZES, None)


def test_a_hub_out_of_reach_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise OSError("Name or service not known\nand more lines of it")

    monkeypatch.setattr(module, "snapshot_download", unreachable)

    with pytest.raises(UnusableModel, match=r"'someone/whisper-tiny' is not on this machine.*not known$"):
        model_folder("tiny", SIZES, None)
