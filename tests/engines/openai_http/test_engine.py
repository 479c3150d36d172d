"""An engine that lets somebody else listen: what it posts when, and what becomes of turns when that fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count, pairwise
from typing import Any, Final

import pytest

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.engine import Accountable, Engine, EngineError, Passed, TurnStream, UnusableModel
from realtime_asr.engines.openai_http.endpoint import Endpoint, RemoteSettings
from realtime_asr.engines.openai_http.engine import RETRIES, RemoteEngine, Retries
from realtime_asr.transcript.hypothesis import Word
from tests.engines.contract import PATIENCE, REQUEST, EngineContract, everything, final_of
from tests.engines.fakes import tone
from tests.engines.openai_http.remote import (
    Answer,
    Posted,
    Remote,
    Script,
    answers,
    loudness,
    remote,
    verbose,
)

HALF: Final = samples(500)
TAIL: Final = samples(140)
AT_ONCE: Final = Retries(waits=(0.0,), patience=PATIENCE)
KEY: Final = "sk-remote-0123456789"
ECHO: Final = "the quick brown fox jumps over the lazy dog"


class TestRemoteKeepsTheContract(EngineContract):
    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        async with stage() as there:
            yield there.engine


class TestOneWorkerOfARemoteKeepsTheContract(EngineContract):
    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        async with stage(workers=1) as there:
            yield there.engine


class Stage:
    """A running engine in front of a remote that can be told what to do."""

    def __init__(self, remote: Remote, settings: RemoteSettings, **options: Any) -> None:
        self.remote = remote
        self.passed: list[Passed] = []
        options = {"watch": self.passed.append, "retries": AT_ONCE, **options}
        self.engine = RemoteEngine(Endpoint(settings), **options)
        self.account = self.engine.account

    def turn(self, level: float = 0.5, length: int = HALF, **asked: Any) -> TurnStream:
        turn = self.engine.open(replace(REQUEST, **asked))
        turn.feed(tone(level, length))
        return turn

    def finished(self, level: float = 0.5, length: int = HALF, **asked: Any) -> TurnStream:
        turn = self.turn(level, length, **asked)
        turn.finish(length)
        return turn

    async def said(self, **asked: Any) -> str:
        """In one turn, that is too short for guesses."""
        return (await final_of(self.finished(length=HALF - 1, **asked))).text

    async def in_a_guess(self, level: float = 0.1) -> TurnStream:
        """The remote does not answer until it is let go."""
        self.remote.hold()
        turn = self.turn(level)
        await self.remote.until_posted(len(self.remote.posted) + 1)
        return turn

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not happened():  # noqa: ASYNC110  an engine tells nobody what it counts
                await asyncio.sleep(0)

    def levels(self) -> Sequence[float]:
        return [posted.level for posted in self.remote.posted]

    def lengths(self) -> Sequence[int]:
        """In milliseconds."""
        return [len(posted.samples) // 16 for posted in self.remote.posted]


@asynccontextmanager
async def stage(
    answer: Script = loudness, settings: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Stage]:
    async with remote(answer) as there:
        on = Stage(
            there, RemoteSettings(**{"url": there.url, "model": "large", **(settings or {})}), **options
        )
        await on.engine.start()
        try:
            yield on
        finally:
            there.let_go()
            await on.engine.stop()


# What is posted


async def test_the_words_of_a_turn_and_a_short_tail_are_posted_as_a_wave_file() -> None:
    async with stage() as there:
        turn = there.turn(0.5, 2 * HALF - 1)
        turn.finish(HALF)

        final = await final_of(turn)

    *_, posted = there.remote.posted
    assert ("/v1/audio/transcriptions", "turn.wav") == (posted.path, posted.file[0])
    assert (0.5, HALF + TAIL) == (posted.level, len(posted.samples))
    assert ("0.5 for 640", HALF + TAIL) == (final.text, final.heard)


async def test_it_is_asked_for_all_that_can_be_known() -> None:
    async with stage() as there:
        await there.said(language="de", temperature=0.4, word_times=True)

    [posted] = there.remote.posted
    assert {
        "model": ["large"],
        "language": ["de"],
        "temperature": ["0.4"],
        "response_format": ["verbose_json"],
        "timestamp_granularities[]": ["word", "segment"],
    } == posted.fields


async def test_what_nobody_asked_for_is_left_out() -> None:
    async with stage() as there:
        await there.said()

    [posted] = there.remote.posted
    assert {"model", "temperature", "response_format"} == posted.fields.keys()


async def test_a_guess_is_not_asked_when_its_words_are_said() -> None:
    async with stage() as there:
        turn = there.turn(word_times=True)
        await anext(turn.hypotheses())
        turn.finish(HALF)
        await final_of(turn)

    asked = ["timestamp_granularities[]" in posted.fields for posted in there.remote.posted]
    assert [False, True] == asked


@pytest.mark.parametrize(("candidates", "told"), [(("de",), ["de"]), (("de", "fr"), None)])
async def test_of_candidates_only_a_single_one_can_be_told(
    candidates: tuple[str, ...], told: list[str] | None
) -> None:
    async with stage() as there:
        await there.said(languages=candidates)

    assert told == there.remote.posted[0].fields.get("language")


async def test_translations_are_asked_for_where_they_are_made() -> None:
    async with stage() as there:
        await there.said(task="translate")

    assert "/v1/audio/translations" == there.remote.posted[0].path


async def test_keywords_come_first_then_the_prompt_then_what_was_said_before() -> None:
    async with stage() as there:
        await there.said(
            keywords=("Kalle", "Wirsch"), prompt=" On earth spirits. ", spoken_before=" and then"
        )

    assert "Kalle, Wirsch On earth spirits. and then" == there.remote.posted[0].field("prompt")


async def test_of_too_many_keywords_the_first_are_told_and_of_a_long_text_the_last() -> None:
    async with stage() as there:
        await there.said(keywords=("first", *["more"] * 200), prompt="older " * 200, spoken_before="the last")

    told = there.remote.posted[0].field("prompt")
    assert (True, True, 801) == (told.startswith("first, more"), told.endswith("older the last"), len(told))


async def test_the_key_is_shown() -> None:
    async with stage(settings={"key": KEY}) as there:
        await there.said()

    assert {f"Bearer {KEY}"} == {
        there.remote.posted[0].headers["authorization"],
        there.remote.looks[0]["authorization"],
    }
    assert KEY not in repr(RemoteSettings("http://a", "large", KEY))


async def test_without_a_key_none_is_shown() -> None:
    async with stage() as there:
        await there.said()

    assert "authorization" not in there.remote.posted[0].headers


async def test_in_what_nobody_spoke_nothing_is_posted() -> None:
    async with stage() as there:
        turn = there.turn(length=100)
        turn.finish(0)

        final = await final_of(turn)

    assert ((), 100, []) == (final.words, final.heard, there.remote.posted)


async def test_words_and_their_times_are_those_of_the_answer() -> None:
    words = [{"word": "Wait", "start": 0.1, "end": 0.4}]
    async with stage(lambda _: verbose("Wait.", language="german", words=words)) as there:
        final = await final_of(there.finished())

    assert ((Word(" Wait.", start=1_600, end=6_400),), "de") == (final.words, final.language)


# Finals longer than a window


def counting() -> Script:
    """Each answer is the number of its request, said after a second."""
    posts = count(1)

    def answer(_: Posted) -> Answer:
        number = f"number {next(posts)}"
        words = [{"word": word, "start": 1.0, "end": 1.5} for word in number.split()]
        return verbose(number, language="german", words=words)

    return answer


async def test_a_long_final_is_posted_in_pieces_and_each_is_told_what_was_said_before_it() -> None:
    async with stage(counting()) as there:
        turn = there.turn(length=samples(24_000), word_times=True)
        turn.feed(tone(0.0, samples(300)))
        turn.feed(tone(0.5, samples(26_000)))
        turn.finish(samples(50_300))

        *shown, final = await everything(turn)

    (first, last), told = there.lengths(), [posted.fields for posted in there.remote.posted]
    assert 24_000 < first < 24_300
    assert 50_300 == first + last
    assert (False, ["number 1"]) == ("prompt" in told[0], told[1]["prompt"])
    assert (False, ["de"]) == ("language" in told[0], told[1]["language"])
    assert ["number 1"] == [hypothesis.text for hypothesis in shown]
    assert ("number 1 number 2", "de", samples(50_300)) == (final.text, final.language, final.heard)
    second = samples(1_000)
    assert [second, second, *[16 * first + second] * 2] == [word.start for word in final.words]


async def test_each_piece_is_tried_again_as_if_it_were_the_only_one() -> None:
    good, bad = verbose("so"), Answer(503)
    retries = Retries(waits=(0.0, PATIENCE), patience=PATIENCE)
    async with stage(answers(bad, good, bad, good), retries=retries) as there:
        final = await final_of(there.finished(length=samples(40_000)))

    assert ("so so", 4) == (final.text, len(there.remote.posted))


async def test_a_piece_that_is_refused_fails_the_turn() -> None:
    async with stage(answers(verbose("so"), Answer(413))) as there:
        with pytest.raises(EngineError, match="status 413"):
            await everything(there.finished(length=samples(40_000)))

    assert 2 == len(there.remote.posted)


async def test_of_a_long_recording_only_the_final_is_shown() -> None:
    async with stage() as there:
        heard = await everything(there.finished(length=samples(40_000), recorded=True))

    assert [True] == [hypothesis.final for hypothesis in heard]
    assert 40_000 == sum(there.lengths())


async def test_turns_that_speak_come_before_the_next_piece_of_a_recording() -> None:
    async with stage(workers=1) as there:
        there.remote.hold()
        recording = there.finished(0.1, length=samples(40_000), recorded=True)
        live = there.finished(0.2)
        there.remote.let_go()
        for turn in (live, recording):
            await final_of(turn)

    assert [0.1, 0.2, 0.1] == there.levels()


# Answers it cannot give


@pytest.mark.parametrize("refusal", [400, 422])
async def test_a_remote_that_knows_no_times_is_asked_for_less_from_then_on(refusal: int) -> None:
    def plain(posted: Posted) -> Answer:
        form = posted.field("response_format")
        return Answer(body=b'{"text": "Hello."}') if form == "json" else Answer(refusal)

    async with stage(plain) as there:
        texts = [await there.said(word_times=True), await there.said(), await there.said(word_times=True)]

    forms = [posted.field("response_format") for posted in there.remote.posted]
    assert (["Hello."] * 3, ["verbose_json"] * 2 + ["json"] * 3) == (texts, forms)


async def test_a_remote_that_only_knows_no_words_still_tells_how_sure_it_is() -> None:
    def segments(posted: Posted) -> Answer:
        return Answer(400) if "timestamp_granularities[]" in posted.fields else loudness(posted)

    async with stage(segments) as there:
        await there.said(word_times=True)
        await there.said(word_times=True)

    forms = [posted.field("response_format") for posted in there.remote.posted]
    assert ["verbose_json"] * 3 == forms


async def test_what_it_does_not_know_of_translations_it_may_know_of_the_rest() -> None:
    def untranslated(posted: Posted) -> Answer:
        is_plain = posted.field("response_format") == "json"
        return loudness(posted) if is_plain or "transcriptions" in posted.path else Answer(400)

    async with stage(untranslated) as there:
        await there.said(task="translate")
        await there.said(word_times=True)

    assert 3 == len(there.remote.posted)
    assert "timestamp_granularities[]" in there.remote.posted[-1].fields


async def test_a_request_that_is_refused_whatever_it_asks_for_changes_nothing() -> None:
    def choosy(posted: Posted) -> Answer:
        return Answer(400) if "language" in posted.fields else loudness(posted)

    async with stage(choosy) as there:
        with pytest.raises(EngineError, match="status 400"):
            await there.said(language="xx", word_times=True)
        await there.said()

    assert (4, ["verbose_json"]) == (
        len(there.remote.posted),
        there.remote.posted[-1].fields["response_format"],
    )


async def test_a_prompt_that_comes_back_is_left_out() -> None:
    def echo(posted: Posted) -> Answer:
        return verbose(posted.fields.get("prompt", ["Wait here."])[0])

    async with stage(echo) as there:
        text = await there.said(prompt=ECHO)

    assert ("Wait here.", 2, {"prompt_echo": 1}) == (text, len(there.remote.posted), there.account.doubts)


# Guesses


async def test_the_growing_turn_is_posted_again_and_again() -> None:
    async with stage() as there:
        turn = there.turn()
        hypotheses = turn.hypotheses()
        first = await anext(hypotheses)
        turn.feed(tone(0.5, HALF))
        second = await anext(hypotheses)
        turn.abandon()

    assert ["0.5 for 500", "0.5 for 1000"] == [first.text, second.text]
    assert [False, False] == [first.final, second.final]


async def test_what_came_while_one_was_under_way_is_in_the_next() -> None:
    async with stage() as there:
        turn = await there.in_a_guess()
        for _ in range(4):
            turn.feed(tone(0.1, HALF))
        there.remote.let_go()
        await there.remote.until_posted(2)
        turn.abandon()

    assert [500, 2_500] == there.lengths()


async def test_a_turn_longer_than_a_window_is_posted_only_when_it_is_over() -> None:
    async with stage() as there:
        length = samples(28_100)
        turn = there.turn(length=length)
        turn.prepare(length)
        turn.feed(tone(0.5, HALF))
        quiet = not there.remote.posted
        turn.finish(length)
        await final_of(turn)

    assert (True, 28_240) == (quiet, sum(there.lengths()))


async def test_of_a_recording_only_the_whole_is_posted() -> None:
    async with stage() as there:
        turn = there.turn(length=4 * HALF, recorded=True)
        turn.prepare(4 * HALF)
        turn.finish(4 * HALF)
        await final_of(turn)

    assert [2_000] == there.lengths()


@pytest.mark.parametrize(
    "bad", [None, Answer(500), Answer(404), Answer(body=b"garbage"), verbose("so it is " * 20)]
)
async def test_a_guess_that_brings_nothing_is_skipped(bad: Answer | None) -> None:
    async with stage(answers(bad)) as there:
        turn = there.turn()
        await there.until(lambda: len(there.passed) == 1)
        turn.feed(tone(0.5, HALF - 160))
        turn.finish(2 * HALF - 160)

        heard = await everything(turn)

    assert ["0.5 for 990"] == [hypothesis.text for hypothesis in heard]


async def test_a_remote_that_has_trouble_is_spared_guesses() -> None:
    async with stage(answers(Answer(429)), retries=Retries(spare=PATIENCE)) as there:
        turn = there.turn()
        await there.until(lambda: len(there.passed) == 1)
        turn.feed(tone(0.5, HALF))
        turn.prepare(2 * HALF)
        turn.finish(2 * HALF)
        await final_of(turn)

    assert [500, 1_000] == there.lengths()


async def test_it_is_asked_for_guesses_again_after_a_while() -> None:
    async with stage(answers(Answer(429)), retries=Retries(spare=0.0)) as there:
        turn = there.turn()
        await there.until(lambda: len(there.passed) == 1)
        turn.feed(tone(0.5, HALF))

        guess = await anext(turn.hypotheses())
        turn.abandon()

    assert ("0.5 for 1000", False) == (guess.text, guess.final)


async def test_a_guess_that_nobody_waits_for_any_more_is_given_up() -> None:
    async with stage() as there:
        turn = await there.in_a_guess()
        turn.feed(tone(0.1, 160))
        turn.finish(HALF + 160)
        await there.remote.until(lambda: there.remote.hung_up == 1)
        there.remote.let_go()

        final = await final_of(turn)

    assert "0.1 for 510" == final.text


async def test_a_slow_remote_is_asked_less_often() -> None:
    async with stage(workers=1) as there:
        there.engine._load.passed(2.0, asyncio.get_running_loop().time(), guess=True)
        turn = there.turn()
        turn.feed(tone(0.5, 160))
        stretch = there.account.stretch
        turn.finish(HALF)
        await final_of(turn)

    assert (4.0, [640 - 130]) == (stretch, there.lengths())


# Who goes first


async def test_no_more_is_posted_at_once_than_there_are_workers() -> None:
    async with stage(workers=2) as there:
        there.remote.hold()
        turns = [there.finished(level) for level in (0.1, 0.2, 0.3)]
        await there.remote.until_posted(2)
        state = (there.engine.running, there.engine.waiting)
        there.remote.let_go()
        for turn in turns:
            await final_of(turn)

    assert ((2, 1), [0.1, 0.2, 0.3]) == (state, there.levels())


async def test_a_guess_gives_way_to_a_final() -> None:
    async with stage(workers=1) as there:
        talking = await there.in_a_guess(0.1)
        final = there.finished(0.2)
        await there.remote.until_posted(2)
        hung_up = there.remote.hung_up
        there.remote.let_go()

        assert "0.2 for 500" == (await final_of(final)).text
        talking.finish(HALF)
        assert "0.1 for 500" == (await final_of(talking)).text

    assert (1, [0.1, 0.2, 0.1]) == (hung_up, there.levels())


async def test_a_final_does_not_give_way() -> None:
    async with stage(workers=1) as there:
        there.remote.hold()
        first = there.finished(0.1)
        second = there.finished(0.2)
        there.remote.let_go()
        texts = [(await final_of(turn)).text for turn in (first, second)]

    assert (["0.1 for 500", "0.2 for 500"], 0) == (texts, there.remote.hung_up)


async def test_recordings_leave_a_place_to_those_who_speak() -> None:
    async with stage(workers=2) as there:
        there.remote.hold()
        files = [there.finished(level, recorded=True) for level in (0.1, 0.2)]
        live = there.finished(0.3)
        await there.remote.until_posted(2)
        there.remote.let_go()
        for turn in (live, *files):
            await final_of(turn)

    assert [0.1, 0.3, 0.2] == there.levels()


# Finals made ahead


async def test_a_final_made_ahead_is_there_when_the_turn_ends() -> None:
    async with stage() as there:
        turn = there.turn(length=HALF - 1)
        turn.prepare(1_000)
        hypotheses = turn.hypotheses()
        shown = await anext(hypotheses)
        turn.finish(1_000)
        final = await anext(hypotheses)

    assert (shown.words, True, 1) == (final.words, final.final, len(there.remote.posted))
    assert (1, 1, 0) == (there.account.prepared, there.account.used, there.account.wasted)


async def test_a_final_made_ahead_may_still_be_under_way_when_the_turn_ends() -> None:
    async with stage() as there:
        there.remote.hold()
        turn = there.turn(length=HALF - 1)
        turn.prepare(1_000)
        await there.remote.until_posted(1)
        turn.finish(1_000)
        there.remote.let_go()

        final = await final_of(turn)

    assert (True, 1) == (final.final, len(there.remote.posted))


async def test_one_that_fails_just_then_is_tried_again() -> None:
    async with stage(answers(Answer(503))) as there:
        there.remote.hold()
        turn = there.turn(length=HALF - 1)
        turn.prepare(1_000)
        await there.remote.until_posted(1)
        turn.finish(1_000)
        there.remote.let_go()

        final = await final_of(turn)

    assert ("0.5 for 202", 2) == (final.text, len(there.remote.posted))


async def test_one_that_fails_before_is_not() -> None:
    async with stage(answers(Answer(503))) as there:
        turn = there.turn(length=HALF - 1)
        turn.prepare(1_000)
        await there.remote.until_posted(1)
        await there.until(lambda: there.engine.running == 0)
        turn.finish(1_000)

        final = await final_of(turn)

    assert ("0.5 for 202", 2) == (final.text, len(there.remote.posted))


async def test_unless_they_are_wanted_no_finals_are_made_ahead() -> None:
    async with stage(prepares=False) as there:
        turn = there.turn(length=HALF - 1)
        turn.prepare(1_000)
        turn.finish(1_000)
        await final_of(turn)

    assert (1, 0) == (len(there.remote.posted), there.account.prepared)


# Faults


@pytest.mark.parametrize("bad", [None, *map(Answer, (408, 409, 429, 500, 502, 503, 504))])
async def test_a_final_is_tried_again_while_the_remote_may_recover(bad: Answer | None) -> None:
    async with stage(answers(bad, bad)) as there:
        text = await there.said()

    assert ("0.5 for 499", 3) == (text, len(there.remote.posted))


async def test_a_remote_that_comes_back_in_time_is_as_good_as_one_that_never_left() -> None:
    async with stage(retries=Retries(waits=(0.01,), patience=PATIENCE)) as there:
        await there.remote.leave()
        turn = there.finished()
        await there.until(lambda: len(there.passed) == 3)
        await there.remote.come_back()

        assert "0.5 for 500" == (await final_of(turn)).text


async def test_the_waits_grow_until_the_patience_is_used_up() -> None:
    async with stage(lambda _: Answer(503), retries=Retries((0.01, 0.02, 0.04), patience=0.13)) as there:
        with pytest.raises(
            EngineError, match=r"^The engine is not available: it answered with status 503\.$"
        ):
            await there.said()

    first, *_, last = there.passed
    waited = [later.began - earlier.began for earlier, later in pairwise(there.passed)]
    *whole, _ = zip(waited, [0.01, 0.02, 0.04, 0.04, 0.04], strict=False)
    assert all(waited > asked - 1e-6 for waited, asked in whole)
    assert last.began + last.took - first.began > 0.13 - 1e-6


def test_items_fail_within_ten_seconds_and_a_remote_that_is_back_is_noticed_within_two() -> None:
    assert RETRIES.patience < 10
    assert list(RETRIES.waits) == sorted(RETRIES.waits)
    assert max(*RETRIES.waits, RETRIES.look_every) < 2


@pytest.mark.parametrize(("after", "posts"), [("0.01", 2), ("3600", 1), ("soon", 2), ("-1", 2)])
async def test_a_remote_may_say_when_it_wants_to_be_asked_again(after: str, posts: int) -> None:
    busy = Answer(429, headers={"Retry-After": after})
    async with stage(answers(busy)) as there:
        began = asyncio.get_running_loop().time()
        try:
            await there.said()
        except EngineError:
            assert posts == 1
        took = asyncio.get_running_loop().time() - began

    assert posts == len(there.remote.posted)
    assert after != "0.01" or took >= 0.01


@pytest.mark.parametrize("status", [302, 401, 403, 404, 413, 418])
async def test_what_another_try_would_not_mend_fails_the_item_at_once(status: int) -> None:
    async with stage(answers(Answer(status, headers={"Location": "/elsewhere"}))) as there:
        with pytest.raises(EngineError, match=f"^The engine refused this turn with status {status}\\.$"):
            await there.said()

        assert "0.5 for 499" == await there.said()
    assert 2 == len(there.remote.posted)


async def test_while_one_final_waits_to_be_tried_again_others_have_its_place() -> None:
    def broken(posted: Posted) -> Answer:
        return Answer(503) if posted.level == 0.1 else loudness(posted)

    async with stage(broken, workers=1, retries=Retries((PATIENCE,), patience=PATIENCE)) as there:
        waiting = there.finished(0.1)
        await there.remote.until_posted(1)

        assert "0.2 for 500" == (await final_of(there.finished(0.2))).text
        waiting.abandon()


async def test_what_clients_are_told_names_no_address_and_no_key() -> None:
    async with stage(retries=Retries((0.0,), patience=0.0), settings={"key": KEY}) as there:
        await there.remote.leave()

        with pytest.raises(EngineError) as told:
            await there.said(prompt="a secret")

    assert "The engine cannot be reached." == str(told.value)


async def test_a_turn_that_is_abandoned_is_not_listened_to_any_longer() -> None:
    async with stage() as there:
        there.remote.hold()
        turn = there.finished()
        await there.remote.until_posted(1)

        turn.abandon()

        assert [] == await everything(turn)
        await there.remote.until(lambda: there.remote.hung_up == 1)
    assert 0 == there.engine.running


async def test_a_remote_that_takes_too_long_is_not_waited_for() -> None:
    async with stage(settings={"pass_seconds": 0.05}, retries=Retries((0.0,), patience=0.0)) as there:
        there.remote.hold()

        with pytest.raises(EngineError, match=r"^The engine took too long over this turn\.$"):
            await there.said()

    assert 1 == there.account.hung


@pytest.mark.parametrize("first", [Answer(400), verbose(ECHO)], ids=["another form", "an echo"])
async def test_nor_is_it_when_only_all_that_a_pass_asks_for_takes_too_long(first: Answer) -> None:
    """Each of two answers would have come in time."""
    patience = Retries((0.0,), patience=0.0)
    async with stage(answers(first), settings={"pass_seconds": 0.3}, retries=patience) as there:
        there.remote.takes = 0.2

        with pytest.raises(EngineError, match=r"^The engine took too long over this turn\.$"):
            await there.said(prompt=ECHO)


@pytest.mark.parametrize(
    ("garbage", "sentence"),
    [
        (b"<html>", "The engine's answer cannot be read."),
        (b"{}", "The engine's answer cannot be read."),
        (b'{"text": "' + b"a" * 10_000_000 + b'"}', "The engine wrote more than anybody can have said."),
    ],
)
async def test_garbage_fails_the_item_and_no_other(garbage: bytes, sentence: str) -> None:
    async with stage(answers(Answer(body=garbage))) as there:
        with pytest.raises(EngineError) as told:
            await there.said()

        assert (sentence, "0.5 for 499") == (str(told.value), await there.said())


async def test_a_fault_of_our_own_fails_the_item_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage() as there:
        with monkeypatch.context() as patched:
            patched.setattr("realtime_asr.engines.openai_http.endpoint.read", lambda *_: 1 / 0)
            with pytest.raises(EngineError, match=r"^The engine failed on this turn\.$"):
                await there.said()

        assert "0.5 for 499" == await there.said()


# Starting and stopping


async def unusable(url: str, key: str = "") -> str:
    engine = RemoteEngine(Endpoint(RemoteSettings(url, "large", key)))
    with pytest.raises(UnusableModel) as told:
        await engine.start()
    with pytest.raises(EngineError, match="not running"):
        engine.open(REQUEST)
    return str(told.value)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500, 503])
async def test_whoever_answers_is_there(status: int) -> None:
    async with remote() as there:
        there.looked_at = Answer(status)
        engine = RemoteEngine(Endpoint(RemoteSettings(there.url, "large")))

        await engine.start()
        await engine.stop()

    assert 1 == len(there.looks)


async def test_where_nobody_answers_the_operator_is_told_what_to_do() -> None:
    async with remote() as there:
        url = there.url

    assert (
        f"Nobody answers at {url}: start the remote engine first, or set remote_url to where it is."
        == await unusable(url)
    )


@pytest.mark.parametrize("status", [401, 403])
async def test_where_a_key_is_wanted_the_operator_is_told(status: int) -> None:
    async with remote() as there:
        there.looked_at = Answer(status)
        sentence = await unusable(there.url + "/", KEY)

    assert (
        f"The remote engine at {there.url} lets nobody in without a good key: set remote_key to one."
        == sentence
    )


@pytest.mark.parametrize("key", ["sk-kéy", "sk-remote\n", "sk-\0remote"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(UnusableModel) as refused:
        Endpoint(RemoteSettings("http://a/v1/", "large", key))

    assert (
        "The remote engine at http://a/v1 cannot be shown this remote_key: it has a line break in it, or "
        "something else that is not printable ASCII."
    ) == str(refused.value)


async def test_turns_that_are_open_when_it_stops_have_failed_but_for_finals_under_way() -> None:
    async with stage() as there:
        growing = await there.in_a_guess()
        final = there.finished(0.2)
        await there.remote.until_posted(2)
        stopping = asyncio.create_task(there.engine.stop())
        await there.remote.until(lambda: there.remote.hung_up == 1)
        there.remote.let_go()
        await stopping

        assert "0.2 for 500" == (await final_of(final)).text
        with pytest.raises(EngineError, match="stopped"):
            await everything(growing)


async def test_it_can_be_stopped_in_a_hurry() -> None:
    async with stage() as there:
        there.remote.hold()
        turn = there.finished()
        await there.remote.until_posted(1)
        stopping = asyncio.create_task(there.engine.stop())
        await asyncio.sleep(0)  # lets it begin

        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)

        with pytest.raises(EngineError, match="stopped"):
            await everything(turn)


# Being watched


async def test_who_watches_is_told_of_every_pass() -> None:
    async with stage(answers(Answer(503))) as there:
        turn = there.finished(source="sess_1/item_1")
        await final_of(turn)

    told = [(one.kind, one.sources, one.audio, one.failed) for one in there.passed]
    assert [
        ("final", ["sess_1/item_1"], HALF, True),
        ("final", ["sess_1/item_1"], HALF, False),
    ] == told
    assert all(one.took >= 0 and one.began > 0 for one in there.passed)


async def test_it_keeps_an_account() -> None:
    async with stage() as there:
        turn = there.turn()
        await anext(turn.hypotheses())
        turn.finish(HALF)
        final = await final_of(turn)

        assert isinstance(there.engine, Accountable)
    assert (1, 1) == (there.account.guesses, there.account.finals)
    assert there.account.guess_seconds > 0
    assert there.account.final_seconds > 0
    assert final.effort is not None
    assert 2 == final.effort.passes


async def test_it_hears_any_language() -> None:
    async with stage() as there:
        assert there.engine.capabilities.languages is None


async def test_a_remote_that_is_gone_for_long_stalls_the_engine_until_it_is_back() -> None:
    async with stage(retries=Retries((0.0,), patience=0.01, look_every=0.01)) as there:
        await there.remote.leave()
        with pytest.raises(EngineError):
            await there.said()
        await there.until(lambda: there.engine.stalled)
        await there.remote.come_back()
        await there.until(lambda: not there.engine.stalled)

        assert "0.5 for 499" == await there.said()


async def test_a_remote_that_answers_with_errors_stalls_nothing() -> None:
    async with stage(lambda _: Answer(503), retries=Retries((0.0,), patience=0.0)) as there:
        with pytest.raises(EngineError):
            await there.said()

        assert (False, None) == (there.engine.stalled, there.engine._lookout)
