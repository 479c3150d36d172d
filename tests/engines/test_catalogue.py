"""Several engines behind one."""

import pytest

from realtime_asr.engines.catalogue import Catalogue
from realtime_asr.engines.engine import Capabilities, EngineError, UnusableModel
from realtime_asr.engines.replay import ReplayEngine
from realtime_asr.transcript.request import TurnRequest
from tests.engines.contract import EngineContract, final_of


class Watched(ReplayEngine):
    """Says its own name, and writes down when it starts and stops."""

    def __init__(self, name: str, diary: list[str], *, unusable: bool = False) -> None:
        super().__init__([name])
        self._name, self._diary, self._unusable = name, diary, unusable

    async def start(self) -> None:
        if self._unusable:
            raise UnusableModel(f"{self._name} cannot be loaded.")
        self._diary.append(f"start {self._name}")

    async def stop(self) -> None:
        self._diary.append(f"stop {self._name}")


class TestCatalogueKeepsTheContract(EngineContract):
    def make(self) -> Catalogue:
        return Catalogue({"replay": ReplayEngine(["One line.", "Another line."])}, lambda _: "replay")


def two(diary: list[str] | None = None, *, unusable: bool = False) -> Catalogue:
    diary = [] if diary is None else diary
    engines = {"small": Watched("small", diary), "large": Watched("large", diary, unusable=unusable)}
    return Catalogue(engines, {"whisper-1": "small", "gpt-4o-transcribe": "large", "gone": "missing"}.get)


@pytest.mark.parametrize(("model", "engine"), [("whisper-1", "small"), ("gpt-4o-transcribe", "large")])
async def test_the_name_a_client_uses_decides_who_listens(model: str, engine: str) -> None:
    turn = two().open(TurnRequest(model))
    turn.finish(1)

    final = await final_of(turn)

    assert final.text == engine


@pytest.mark.parametrize("model", ["whisper-9", "gone"])
async def test_an_unknown_model_is_the_turns_error(model: str) -> None:
    with pytest.raises(EngineError, match=f"'{model}' does not exist"):
        two().open(TurnRequest(model))


async def test_the_first_engine_speaks_for_the_catalogue() -> None:
    assert two().capabilities == Capabilities()


async def test_an_engine_with_two_names_starts_and_stops_once() -> None:
    diary: list[str] = []
    engine = Watched("only", diary)
    catalogue = Catalogue({"one": engine, "other": engine}, str)

    await catalogue.start()
    await catalogue.stop()

    assert diary == ["start only", "stop only"]


async def test_when_one_engine_cannot_start_the_others_stop_again() -> None:
    diary: list[str] = []

    with pytest.raises(UnusableModel):
        await two(diary, unusable=True).start()

    assert diary == ["start small", "stop small"]
