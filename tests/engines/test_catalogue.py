"""Models that come and go while turns are open."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines import catalogue as module
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.catalogue import Catalogue, Offer, Progress
from realtime_asr.engines.engine import Capabilities, Engine, EngineError, TurnStream, UnusableModel
from realtime_asr.engines.mailbox import Mailbox
from realtime_asr.engines.replay import ReplayEngine
from realtime_asr.session.config import ModelNames
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest
from tests.engines.contract import EngineContract, everything, final_of
from tests.engines.fakes import FakeModel

AUDIO = np.zeros(160, np.float32)


class Fake:
    """An engine whose turns say its name and what they were told. It loads when it is let."""

    def __init__(self, name: str, *, error: Exception | None = None, languages: Any = None) -> None:
        self.capabilities = Capabilities(languages)
        self.name = name
        self.itself = self  # as engines and their turns know each other: only the collector frees it
        self.running = False
        self.let = asyncio.Event()
        self.let.set()
        self.streams: list[Stream] = []
        self._error = error

    async def start(self) -> None:
        await self.let.wait()
        if self._error is not None:
            raise self._error
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def open(self, request: TurnRequest) -> "Stream":
        stream = Stream(self.name)
        self.streams.append(stream)
        return stream


class Stream:
    def __init__(self, name: str) -> None:
        self.told: list[str] = [name]
        self.breaks = False
        self._mailbox = Mailbox()

    def feed(self, samples: Samples, voice: float = 1.0) -> None:
        if self.breaks:
            raise RuntimeError("a fault deep inside the engine")
        self.told.append(f"feed {len(samples)} {voice:g}")

    def prepare(self, voiced: int) -> None:
        self.told.append(f"prepare {voiced}")

    def finish(self, voiced: int) -> None:
        self.told.append(f"finish {voiced}")
        self._mailbox.put(Hypothesis((Word(f" {', '.join(self.told)}"),), final=True))

    def abandon(self) -> None:
        self.told.append("abandon")
        self._mailbox.close()

    def hypotheses(self) -> AsyncIterator[Hypothesis]:
        return self._mailbox.collect()


class History:
    """What the catalogue said of its models."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def __call__(self, name: str, progress: Progress) -> None:
        self.states.append((name, progress.state))
        self._news.set()

    async def until(self, name: str, state: str) -> None:
        async with asyncio.timeout(30):
            while (name, state) not in self.states:
                self._news.clear()
                await self._news.wait()


def offer(engine: Engine, **how: Any) -> Offer:
    return Offer(lambda: engine, **how)


def catalogue(history: History | None = None, **offers: Offer) -> Catalogue:
    """The first is the default; each is known by its own name."""
    names = ModelNames(next(iter(offers)), {name: name for name in offers} | {"alias": next(iter(offers))})
    return Catalogue(offers, names, history or History())


@asynccontextmanager
async def running(shop: Catalogue) -> AsyncIterator[Catalogue]:
    await shop.start()
    try:
        yield shop
    finally:
        await shop.stop()


def opened(shop: Catalogue, name: str) -> TurnStream:
    return shop.open(TurnRequest(name))


async def text_of(turn: TurnStream) -> str:
    turn.finish(160)
    return (await final_of(turn)).text


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0)


class TestItKeepsTheContractOfEngines(EngineContract):
    repeats = False

    def make(self) -> Catalogue:
        return catalogue(main=offer(ReplayEngine(["The first line of the script.", "And the second."])))


class TestItKeepsTheContractWhileLoading(EngineContract):
    """The default is another model, so that every turn here waits for the one it asks for."""

    repeats = False

    def make(self) -> Catalogue:
        lazy = offer(ReplayEngine(["The first line of the script.", "And the second."]))
        names = ModelNames("main", otherwise="lazy")
        return Catalogue({"main": offer(Fake("main")), "lazy": lazy}, names)


# Who answers


async def test_each_name_is_answered_by_its_model() -> None:
    shop = catalogue(main=offer(Fake("main")), fast=offer(Fake("fast")))
    async with running(shop):
        said = [await text_of(opened(shop, name)) for name in ("main", "alias", "fast", "gone")]

    assert ["main", "main", "fast", "main"] == [text.split(",")[0] for text in said]


async def test_the_default_and_the_eager_are_loaded_from_the_start() -> None:
    history = History()
    shop = catalogue(
        history, main=offer(Fake("main")), big=offer(Fake("big"), eager=True), fast=offer(Fake("fast"))
    )
    async with running(shop):
        assert {"main", "big"} == set(shop.loaded)
        assert ["ready", "ready", "not loaded"] == [each.state for each in shop.progress.values()]

    loading = [("main", "loading"), ("main", "ready"), ("big", "loading"), ("big", "ready")]
    assert loading == history.states


async def test_of_those_that_are_loaded_some_keep_an_account() -> None:
    counting, other = BatchingEngine(FakeModel()), BatchingEngine(FakeModel())
    shop = catalogue(main=offer(Fake("main")), big=offer(counting, eager=True), fast=offer(other))
    async with running(shop):
        assert {"big": counting} == shop.accountable


async def test_a_model_is_not_loaded_again_by_another_start() -> None:
    history = History()
    shop = catalogue(history, main=offer(Fake("main")))
    async with running(shop):
        await shop.start()

    assert [("main", "loading"), ("main", "ready")] == history.states


async def test_a_default_that_cannot_be_loaded_is_told_to_who_starts_it() -> None:
    error = UnusableModel("There is no such model.")

    with pytest.raises(UnusableModel) as raised:
        await catalogue(main=offer(Fake("main", error=error))).start()

    assert raised.value is error


@pytest.mark.parametrize("broken", [RuntimeError("a library is missing"), OSError("too many files")])
async def test_an_engine_that_breaks_while_it_starts_makes_its_model_unusable(broken: Exception) -> None:
    with pytest.raises(UnusableModel, match=f"'main'.*{broken}"):
        await catalogue(main=offer(Fake("main", error=broken))).start()


# What they can do


async def test_what_a_model_can_do_is_known_once_it_was_loaded() -> None:
    english, german = frozenset({"en"}), frozenset({"de", "en"})
    main, fast = Fake("main", languages=english), Fake("fast", languages=german)
    shop = catalogue(main=offer(main), fast=offer(fast))
    before = shop.capabilities
    async with running(shop):
        first = shop.capabilities, shop.languages("main"), shop.languages("fast")
        await text_of(opened(shop, "fast"))
        second = shop.languages("main"), shop.languages("fast")

    assert Capabilities() == before
    assert (Capabilities(english), english, None) == first
    assert (english, german) == second


async def test_languages_are_known_by_every_name_of_a_model_and_those_of_the_default_by_any_other() -> None:
    english = frozenset({"en"})
    shop = catalogue(main=offer(Fake("main", languages=english)), fast=offer(Fake("fast")))
    async with running(shop):
        known = [shop.languages(name) for name in ("main", "alias", "gone", "fast")]

    assert [english, english, english, None] == known
    assert ["main", "main", "fast", None] == [
        shop.resolve(name) for name in ("main", "alias", "fast", "gone")
    ]


@pytest.mark.parametrize(("eager", "known"), [(True, frozenset({"de"})), (False, None)])
async def test_the_languages_of_a_model_go_with_it(*, eager: bool, known: frozenset[str] | None) -> None:
    old, new = (Fake("fast", languages=frozenset({language})) for language in ("en", "de"))
    shop = catalogue(main=offer(Fake("main")), fast=offer(old, idle_seconds=0.0))
    async with running(shop):
        await text_of(opened(shop, "fast"))
        await until(lambda: "not loaded" == shop.progress["fast"].state)
        asleep = shop.languages("fast")
        await shop.replace("fast", offer(new, eager=eager))

        assert (frozenset({"en"}), known) == (asleep, shop.languages("fast"))


# Loading when wanted


async def test_a_turn_waits_for_its_model_and_loses_nothing() -> None:
    fast = Fake("fast")
    fast.let.clear()
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast))
    async with running(shop):
        turn = opened(shop, "fast")
        turn.feed(AUDIO, 0.5)
        turn.prepare(80)
        await settled()
        assert "loading" == shop.progress["fast"].state
        turn.feed(AUDIO)
        fast.let.set()

        assert "fast, feed 160 0.5, prepare 80, feed 160 1, finish 160" == await text_of(turn)


async def test_turns_that_wait_together_load_the_model_once() -> None:
    made: list[Fake] = []

    def make() -> Fake:
        made.append(Fake("fast"))
        return made[-1]

    shop = catalogue(main=offer(Fake("main")), fast=Offer(make))
    async with running(shop):
        turns = [opened(shop, "fast") for _ in range(3)]
        texts = [await text_of(turn) for turn in turns]

    assert (["fast, finish 160"] * 3, 1) == (texts, len(made))


async def test_how_long_loading_takes_can_be_watched() -> None:
    fast = Fake("fast")
    fast.let.clear()
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast))
    async with running(shop):
        opened(shop, "fast").abandon()
        turn = opened(shop, "fast")
        await settled()
        first = shop.progress["fast"].seconds
        await until(lambda: shop.progress["fast"].seconds > first)
        fast.let.set()
        await text_of(turn)

        assert shop.progress["fast"].seconds >= first


async def test_a_turn_nobody_waits_for_any_more_is_not_begun() -> None:
    fast = Fake("fast")
    fast.let.clear()
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast))
    async with running(shop):
        given_up, kept = opened(shop, "fast"), opened(shop, "fast")
        await settled()
        given_up.abandon()
        given_up.feed(AUDIO)
        fast.let.set()
        await text_of(kept)

        assert ([], 1) == (await everything(given_up), len(fast.streams))


async def test_of_a_turn_that_was_given_up_no_audio_is_kept_while_its_model_loads() -> None:
    fast, audio = Fake("fast"), AUDIO.copy()
    kept = weakref.ref(audio)
    fast.let.clear()
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast))
    async with running(shop):
        turn = opened(shop, "fast")
        await settled()
        turn.feed(audio)
        del audio
        turn.abandon()

        assert kept() is None


async def test_nothing_is_loaded_for_turns_that_were_given_up() -> None:
    shop = catalogue(main=offer(Fake("main")), fast=offer(Fake("fast")))
    async with running(shop):
        opened(shop, "fast").abandon()
        await settled()

        assert "not loaded" == shop.progress["fast"].state


async def test_turns_of_a_model_that_cannot_be_loaded_fail_and_do_not_try_again_at_once() -> None:
    made = 0

    def make() -> Fake:
        nonlocal made
        made += 1
        return Fake("fast", error=UnusableModel("The folder '/home/acme' is empty."))

    shop = catalogue(main=offer(Fake("main")), fast=Offer(make))
    async with running(shop):
        turns = [opened(shop, "fast"), opened(shop, "fast")]
        for turn in turns:
            with pytest.raises(EngineError, match=r"^The model 'fast' could not be loaded\.$"):
                await text_of(turn)
        await settled()
        with pytest.raises(EngineError, match="could not be loaded"):
            opened(shop, "fast")
        progress = shop.progress["fast"]

    assert (1, "failed", "The folder '/home/acme' is empty.") == (made, progress.state, progress.reason)


async def test_after_a_while_a_failed_model_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.0)
    engines = iter([Fake("fast", error=UnusableModel("No.")), Fake("fast")])
    shop = catalogue(main=offer(Fake("main")), fast=Offer(lambda: next(engines)))
    async with running(shop):
        with pytest.raises(EngineError):
            await text_of(opened(shop, "fast"))

        assert "fast, finish 160" == await text_of(opened(shop, "fast"))


@pytest.mark.parametrize("moment", ["open", "feed"])
async def test_an_engine_that_refuses_a_turn_that_waited_fails_that_turn_alone(moment: str) -> None:
    class Clumsy(Fake):
        def open(self, request: TurnRequest) -> Stream:
            if moment == "open" and request.prompt:
                raise EngineError("No.")
            stream = super().open(request)
            stream.breaks = bool(request.prompt)
            return stream

    fast = Clumsy("fast")
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast, idle_seconds=0.0))
    async with running(shop):
        unlucky, lucky = shop.open(TurnRequest("fast", prompt="x")), opened(shop, "fast")
        unlucky.feed(AUDIO)
        said = await text_of(lucky)
        with pytest.raises((EngineError, RuntimeError)):
            await everything(unlucky)

        assert "fast, finish 160" == said
        assert all("abandon" in stream.told for stream in fast.streams[:-1])
        await until(lambda: shop.progress["fast"].state == "not loaded")


# Unloading when idle


async def test_a_model_is_unloaded_when_it_was_idle_for_long_and_loaded_when_wanted_again() -> None:
    history = History()
    shop = catalogue(history, main=offer(Fake("main")), fast=Offer(lambda: Fake("fast"), idle_seconds=0.01))
    async with running(shop):
        first = await text_of(opened(shop, "fast"))
        await history.until("fast", "not loaded")
        second = await text_of(opened(shop, "fast"))

    told = [state for name, state in history.states if name == "fast"]
    assert ["loading", "ready", "unloading", "not loaded", "loading", "ready"] == told[:6]
    assert ["fast, finish 160"] * 2 == [first, second]


async def test_what_is_unloaded_is_gone_from_memory() -> None:
    references: list[weakref.ref[Fake]] = []

    def make() -> Fake:
        engine = Fake("fast")
        references.append(weakref.ref(engine))
        return engine

    history = History()
    shop = catalogue(history, main=offer(Fake("main")), fast=Offer(make, idle_seconds=0.0))
    gc.disable()
    try:
        async with running(shop):
            await text_of(opened(shop, "fast"))
            await history.until("fast", "not loaded")

            assert [None] == [reference() for reference in references]
    finally:
        gc.enable()


async def test_a_model_that_could_not_be_loaded_is_gone_from_memory() -> None:
    models: list[weakref.ref[FakeModel]] = []

    def make() -> BatchingEngine:
        model = FakeModel(unusable=True)
        models.append(weakref.ref(model))
        return BatchingEngine(model)

    shop = catalogue(main=offer(Fake("main")), fast=Offer(make))
    gc.disable()
    try:
        async with running(shop):
            with pytest.raises(EngineError):
                await everything(opened(shop, "fast"))
            with suppress(UnusableModel):
                await shop.replace("main", Offer(make, eager=True))

            for thread in threading.enumerate():
                if thread.name == "transcribe":
                    await asyncio.to_thread(thread.join)
            await settled()  # until then this task itself holds the error that it was woken with

            assert [None, None] == [model() for model in models]
    finally:
        gc.enable()


async def test_a_model_with_an_open_turn_is_not_idle() -> None:
    history = History()
    shop = catalogue(history, main=offer(Fake("main")), fast=Offer(lambda: Fake("fast"), idle_seconds=0.0))
    async with running(shop):
        long, short = opened(shop, "fast"), opened(shop, "fast")
        await text_of(short)
        await settled()
        open_still = "fast" in shop.loaded
        long.abandon()
        await history.until("fast", "not loaded")

    assert open_still


async def test_a_turn_that_comes_while_its_model_is_unloaded_waits_for_the_next() -> None:
    leaving = asyncio.Event()

    class Slow(Fake):
        async def stop(self) -> None:
            await leaving.wait()

    history, engines = History(), iter([Slow("old"), Fake("new")])
    shop = catalogue(history, main=offer(Fake("main")), fast=Offer(lambda: next(engines), idle_seconds=0.0))
    async with running(shop):
        await text_of(opened(shop, "fast"))
        await history.until("fast", "unloading")
        turn = opened(shop, "fast")
        leaving.set()

        assert "new, finish 160" == await text_of(turn)


async def test_a_turn_that_comes_just_in_time_keeps_the_model() -> None:
    shop = catalogue(main=offer(Fake("main")), fast=offer(Fake("fast"), idle_seconds=0.0))
    async with running(shop):
        await text_of(opened(shop, "fast"))
        await shop._shelves["fast"]._lock.acquire()
        await settled()  # the timer has gone off, and its task waits
        turn = opened(shop, "fast")
        shop._shelves["fast"]._lock.release()
        await settled()

        assert "fast" in shop.loaded
        await text_of(turn)


# Swapping


@pytest.mark.parametrize("idle_seconds", [None, 60.0])
async def test_a_new_model_rests_by_its_own_time_and_not_by_that_of_the_old(
    idle_seconds: float | None,
) -> None:
    history = History()
    shop = catalogue(history, main=offer(Fake("old"), idle_seconds=0.0))
    async with running(shop):
        await shop.replace("main", offer(Fake("new"), idle_seconds=idle_seconds))
        await settled()

        assert "ready" == shop.progress["main"].state
        assert ("main", "unloading") not in history.states


async def test_a_model_that_was_to_rest_while_the_next_one_loads_does_not_take_that_one_along() -> None:
    new = Fake("new")
    new.let.clear()
    shop = catalogue(main=offer(Fake("old"), idle_seconds=0.0))
    async with running(shop):
        swapping = asyncio.create_task(shop.replace("main", offer(new)))
        await settled()  # the old one's timer has gone off, and its task waits
        new.let.set()
        await swapping
        await settled()

        assert new.running


async def test_a_swap_is_seen_while_the_new_model_loads_and_turns_go_on() -> None:
    new, further = Fake("new"), Fake("further")
    new.let.clear()
    further.let.clear()
    shop = catalogue(main=offer(Fake("old")))
    async with running(shop):
        swaps = [
            asyncio.create_task(shop.replace("main", offer(new))),
            asyncio.create_task(shop.replace("further", offer(further, eager=True))),
        ]
        await settled()
        during = {name: progress.state for name, progress in shop.progress.items()}
        said = await text_of(opened(shop, "main"))
        new.let.set()
        further.let.set()
        await asyncio.gather(*swaps)
        after = {name: progress.state for name, progress in shop.progress.items()}

    assert {"main": "loading", "further": "loading"} == during
    assert {"main": "ready", "further": "ready"} == after
    assert "old, finish 160" == said


async def test_new_turns_go_to_the_new_model_and_open_ones_finish_on_the_old() -> None:
    old, new = Fake("old"), Fake("new")
    shop = catalogue(main=offer(old))
    async with running(shop):
        before = opened(shop, "main")
        await shop.replace("main", offer(new))
        after = opened(shop, "main")
        both = old.running, new.running
        said = [await text_of(before), await text_of(after)]
        await until(lambda: not old.running)
        last = new.running

    assert ((True, True), ["old, finish 160", "new, finish 160"], True) == (both, said, last)


async def test_an_old_model_without_turns_goes_at_once() -> None:
    old = Fake("old")
    shop = catalogue(main=offer(old))
    async with running(shop):
        await shop.replace("main", offer(Fake("new")))
        await settled()

        assert not old.running


async def test_a_swap_whose_new_model_does_not_load_keeps_the_old() -> None:
    shop = catalogue(main=offer(Fake("old")))
    async with running(shop):
        with pytest.raises(UnusableModel, match="Too large"):
            await shop.replace("main", offer(Fake("new", error=UnusableModel("Too large."))))

        assert "ready" == shop.progress["main"].state
        assert "old, finish 160" == await text_of(opened(shop, "main"))


async def test_a_model_that_is_not_loaded_is_swapped_without_loading() -> None:
    old, new = Fake("old"), Fake("new")
    shop = catalogue(main=offer(Fake("main")), fast=offer(old))
    async with running(shop):
        await shop.replace("fast", offer(new))
        loaded = [old.running, new.running]

        assert "new, finish 160" == await text_of(opened(shop, "fast"))
    assert [False, False] == loaded


async def test_a_model_that_failed_may_be_swapped_for_one_that_loads() -> None:
    shop = catalogue(main=offer(Fake("main")), fast=offer(Fake("old", error=UnusableModel("No."))))
    async with running(shop):
        with pytest.raises(EngineError):
            await text_of(opened(shop, "fast"))
        await shop.replace("fast", offer(Fake("new"), eager=True))

        assert "new, finish 160" == await text_of(opened(shop, "fast"))


async def test_models_may_come() -> None:
    late, lazy = Fake("late"), Fake("lazy")
    shop = catalogue(main=offer(Fake("main")))
    async with running(shop):
        await shop.replace("late", offer(late, eager=True))
        await shop.replace("lazy", offer(lazy))
        shop.names = ModelNames("main", {"late": "late", "lazy": "lazy"})

        assert (True, False) == (late.running, lazy.running)
        assert "late, finish 160" == await text_of(opened(shop, "late"))


async def test_models_may_come_while_those_from_the_start_are_still_loaded() -> None:
    main, fast = Fake("main"), Fake("fast")
    main.let.clear()
    shop = catalogue(main=offer(main), fast=offer(fast, eager=True))
    starting = asyncio.create_task(shop.start())
    await settled()

    await shop.replace("lazy", offer(Fake("lazy")))
    main.let.set()
    await starting

    assert (True, True) == (main.running, fast.running)
    await shop.stop()


async def test_a_model_that_comes_and_cannot_be_loaded_is_not_there() -> None:
    shop = catalogue(main=offer(Fake("main")))
    async with running(shop):
        with pytest.raises(UnusableModel):
            await shop.replace("late", offer(Fake("late", error=UnusableModel("No.")), eager=True))

        assert ["main"] == list(shop.progress)


async def test_models_may_go_when_their_turns_have_ended() -> None:
    fast = Fake("fast")
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast))
    async with running(shop):
        turn = opened(shop, "fast")
        shop.remove("fast")
        said = await text_of(turn)
        await until(lambda: not fast.running)

        assert (["main"], "fast, finish 160") == (list(shop.progress), said)


async def test_models_that_went_are_forgotten() -> None:
    shop = catalogue(main=offer(Fake("main")))
    async with running(shop):
        for name in ("one", "two", "three"):
            await shop.replace(name, offer(Fake(name), eager=True))
            shop.remove(name)
            await settled()

        assert 1 == len(shop._cleared)


# Stopping


async def test_turns_that_still_wait_fail_when_everything_stops() -> None:
    fast = Fake("fast")
    fast.let.clear()
    shop = catalogue(main=offer(Fake("main")), fast=offer(fast))
    async with running(shop):
        turn = opened(shop, "fast")
        await settled()

    with pytest.raises(EngineError, match="was stopped"):
        await everything(turn)


async def test_every_model_is_stopped_those_that_were_replaced_too() -> None:
    old, new, gone = Fake("old"), Fake("new"), Fake("gone")
    shop = catalogue(main=offer(old), fast=offer(gone, eager=True))
    async with running(shop):
        turns = opened(shop, "main"), opened(shop, "fast")
        await shop.replace("main", offer(new))
        shop.remove("fast")

    assert [False] * 3 == [engine.running for engine in (old, new, gone)]
    for turn in turns:
        turn.abandon()


async def test_a_model_that_hangs_keeps_no_other_from_being_stopped() -> None:
    class Hung(Fake):
        async def stop(self) -> None:
            await self.leave.wait()

        leave = asyncio.Event()

    hung, other = Hung("hung"), Fake("other")
    shop = catalogue(main=offer(hung), other=offer(other, eager=True))
    await shop.start()

    stopping = asyncio.create_task(shop.stop())
    await settled()
    stopped = not other.running
    hung.leave.set()
    await stopping

    assert stopped


@pytest.mark.parametrize("leaves", ["replaced", "idle"])
async def test_an_engine_that_is_being_stopped_already_is_waited_for(leaves: str) -> None:
    class Slow(Fake):
        async def stop(self) -> None:
            await self.leave.wait()
            await super().stop()

        leave = asyncio.Event()

    old, history = Slow("old"), History()
    shop = catalogue(history, main=offer(old, idle_seconds=0.0 if leaves == "idle" else None))
    await shop.start()
    if leaves == "idle":
        await history.until("main", "unloading")
    else:
        await shop.replace("main", offer(Fake("new")))
    await settled()

    stopping = asyncio.create_task(shop.stop())
    await settled()
    waits = not stopping.done()
    old.leave.set()
    await stopping

    assert (True, False) == (waits, old.running)
