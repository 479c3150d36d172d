"""A session among a client, a wire, an engine and a clock that misbehave, and the same again for the same seed.

    python -m tests.session.simulation --seeds 10000
    python -m tests.session.simulation --seed 4711      # one of them, told step by step

Each sample of a word is the word's number, so that the engine here understands exactly what it is fed. Where
every fault can be recovered from, the text must be that of the same session without any.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import chain, count, groupby
from multiprocessing import get_context
from random import Random
from typing import Final

import numpy as np

from realtime_asr.audio.detection import SemanticVad, ServerVad, TurnDetection
from realtime_asr.audio.timeline import WINDOW, Samples
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    DeleteItem,
    Drain,
    EndSession,
    HangUp,
    HypothesisArrived,
    Refuse,
    RetrieveItem,
    TimePassed,
    TranscriptionBroke,
)
from realtime_asr.session.config import (
    Limits,
    Patch,
    SemanticVadPatch,
    ServerVadPatch,
    SessionConfig,
    TranscriptionPatch,
)
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import (
    AudioCommitted,
    AudioDropped,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    SessionExpiring,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.excerpt import PAUSE
from realtime_asr.session.listening import Listener
from realtime_asr.session.problem import Problem
from realtime_asr.session.session import Output, Session
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from tests.fakes import PCM16_16K, configured, counted_ids, limited

LIMITS: Final = limited(
    longest_turn=40 * WINDOW,
    longest_manual_turn=60 * WINDOW,
    kept_audio=64 * WINDOW,
    session_seconds=120.0,
    warning_seconds=60.0,
    drain_seconds=10.0,
)
_MANY: Final = 5_000
"""Steps: ten times what any session here takes."""
BROKEN: Final = Problem(None, "Out of order.", kind="server_error")

NewSession = Callable[[SessionConfig, Limits], Session]


class Loud:
    """Speech is what is no silence."""

    tells_voices = True

    def score(self, window: Samples) -> float:
        return float(window[0] != 0 or window[-1] != 0)


def new_session(config: SessionConfig, limits: Limits) -> Session:
    return Session(config, limits, Loud(), counted_ids("item"))


# What a client does


@dataclass(frozen=True, slots=True)
class Plan:
    detection: TurnDetection | None
    steps: Sequence[bytes | Command]
    """Audio and requests, in order."""
    ending: EndSession | Drain | HangUp | None
    """None to stay until it is thrown out."""

    @property
    def clears(self) -> bool:
        return any(isinstance(step, ClearAudio) for step in self.steps)

    @property
    def says_the_same_however_it_is_timed(self) -> bool:
        """When guesses come decides where semantic turns end, and what was said when the server goes away."""
        wordless = any(
            isinstance(step, Configure) and step.patch.transcription is None for step in self.steps
        )
        semantic = isinstance(self.detection, SemanticVad) or any(
            isinstance(step, Configure) and isinstance(step.patch.detection, SemanticVadPatch)
            for step in self.steps
        )
        return isinstance(self.ending, EndSession) and not semantic and not wordless


def planned(rng: Random) -> Plan:
    words = count(1_000)
    steps = [step for _ in range(rng.randint(2, 9)) for step in _doing(rng, words)]
    detection = rng.choices([None, _server_vad(rng), SemanticVad("high")], [4, 5, 1])[0]
    ending = rng.choices([EndSession(), Drain(1012, "Restarting."), HangUp(), None], [12, 1, 1, 2])[0]
    return Plan(detection, steps, ending)


def _server_vad(rng: Random) -> ServerVad:
    return ServerVad(
        prefix_padding_ms=rng.choice([0, 64, 300]),
        silence_duration_ms=rng.choice([64, 200, 320]),
        idle_timeout_ms=rng.choice([None, None, 700]),
    )


def _doing(rng: Random, words: Iterator[int]) -> list[bytes | Command]:
    match rng.choices(
        ["speak", "ramble", "pause", "commit", "clear", "ask", "configure"], [9, 1, 6, 3, 1, 1, 1]
    )[0]:
        case "speak":
            return [_spoken(rng, words, rng.randint(1, 8)), _silence(rng.randint(1, 14))]
        case "ramble":
            return [_spoken(rng, words, rng.randint(20, 40))]
        case "pause":
            return [_silence(rng.randint(1, 30))]
        case "commit":
            return [CommitAudio()]
        case "clear":
            return [ClearAudio()]
        case "ask":
            name = f"item_{rng.randint(1, 6)}"
            asked: list[Command] = [DeleteItem(name), RetrieveItem(name), Refuse(BROKEN)]
            return [rng.choice(asked)]
        case _:
            return [Configure(_patch(rng), "")]


def _patch(rng: Random) -> Patch:
    patches = [
        Patch(detection=None),
        Patch(detection=ServerVadPatch(silence_duration_ms=rng.choice([96, 200]))),
        Patch(detection=SemanticVadPatch("high")),
        Patch(transcription=TranscriptionPatch(delay=rng.choice(["minimal", "low", "high"]))),
        Patch(transcription=TranscriptionPatch(deltas="after_commit")),
        Patch(transcription=None),
    ]
    return rng.choices(patches, [2, 3, 1, 2, 2, 1])[0]


def _spoken(rng: Random, words: Iterator[int], number: int) -> bytes:
    return b"".join(_window(next(words)) * rng.choice([1, 1, 2, 3]) for _ in range(number))


def _silence(windows: int) -> bytes:
    return bytes(2 * WINDOW * windows)


def _window(word: int) -> bytes:
    return word.to_bytes(2, "little") * WINDOW


# What goes wrong


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each is, whenever it might happen."""

    stalled: float = 0.0
    """On the wire, for seconds."""
    recut: bool = False
    """Audio arrives in other pieces than it was sent in."""
    lost: float = 0.0
    swapped: float = 0.0
    doubled: float = 0.0
    """Pieces of audio."""
    repeated: float = 0.0
    overtaken: float = 0.0
    """Answers of the engine, by those that follow."""
    nonsense: float = 0.0
    """It says what nobody asked of it, or what cannot be."""
    lies: float = 0.0
    """It takes for settled what it never says again."""
    broken: float = 0.0
    mute: float = 0.0
    """Turns it never finishes."""
    jumps: float = 0.0
    """Of the clock: forward for good, back for a moment."""
    far: bool = False
    """The jumps go beyond the session's time."""
    gone: float = 0.0
    """The client, at any moment."""

    @property
    def recoverable(self) -> bool:
        return not (
            self.lost
            or self.swapped
            or self.doubled
            or self.lies
            or self.broken
            or self.mute
            or self.far
            or self.gone
        )


CALM: Final = Faults()


def faulty(rng: Random) -> Faults:
    """Half of them can be recovered from."""
    some = partial(rng.choice, [0.0, 0.0, 0.1, 0.3])
    rare = partial(rng.choice, [0.0, 0.0, 0.05])
    mild = Faults(
        stalled=some(),
        recut=rng.random() < 0.5,
        repeated=some(),
        overtaken=some(),
        nonsense=some(),
        jumps=some() / 10,
    )
    if rng.random() < 0.5:
        return mild
    return replace(
        mild,
        lost=rare(),
        swapped=rare(),
        doubled=rare(),
        lies=some(),
        broken=some(),
        mute=rare(),
        far=rng.random() < 0.1,
        gone=rare() / 10,
    )


# What must hold


class Ledger(Listener):
    """Lets be seen which audio became which item."""

    def __init__(self, listener: Listener) -> None:
        self.__dict__.update(listener.__dict__)
        self.spans: dict[str, tuple[int, int]] = {}
        self.wordless: set[str] = set()
        self.splits = 0

    @property
    def heard(self) -> int:
        return self._buffer.end

    def _commit(self, turn: Turn, stop: int) -> None:
        self.spans[turn.item_id] = turn.start, stop
        if turn.request is None:
            self.wordless.add(turn.item_id)
        super()._commit(turn, stop)

    def _split_when_too_long(self, turn: Turn) -> None:
        super()._split_when_too_long(turn)
        self.splits += self.open is not turn


class Judge:
    """Sees all that a session does, and objects to what it must not."""

    def __init__(self, session: Session) -> None:
        session._listener = self.ledger = Ledger(session._listener)
        self.reached: Counter[str] = Counter()
        self.transcripts: dict[str, str] = {}
        self._committed: list[str] = []
        self._ended: set[str] = set()
        self._kept: list[str] = []
        self._said: dict[str, str] = {}
        self._talking = 0
        """The newest item of which something was said."""
        self._speaking: str | None = None
        self._dropped: list[tuple[int, int]] = []
        self._engine: dict[str, str] = {}
        self._latest = 0.0
        """That the clock said so far: it may go back."""
        self._closed = False
        self._warned: set[type[Command]] = set()
        """Upon what."""

    def see(self, command: Command, outputs: Sequence[Output], now: float) -> None:
        self._latest = max(self._latest, now)
        for output in outputs:
            assert not self._closed, "something follows the close"
            match output:
                case OpenTurn() | FeedTurn() | PrepareTurn() | FinishTurn() | AbandonTurn():
                    self._see_effect(output)
                case TranscriptGrew() | TranscriptCompleted() | TranscriptFailed():
                    self._see_text(output)
                case SpeechStarted() | SpeechStopped() | IdleTimedOut():
                    self._see_speech(output)
                case AudioCommitted() | ItemAdded() | ItemDeleted():
                    self._see_item(output)
                case AudioDropped(start, stop, reason):
                    self._dropped.append((start, stop))
                    self.reached[reason] += 1
                    self._speaking = None if reason == "cleared" else self._speaking
                case SessionExpiring(left):
                    self._see_warning(type(command), left)
                case Close(code, _):
                    assert code != 1001 or self._latest >= LIMITS.session_seconds, "thrown out early"
                    self._closed = True
                    self.reached[f"closed {code}"] += 1
                case _:
                    self.reached[type(output).__name__] += 1

    def see_the_end(self, *, gone: bool) -> None:
        self.reached["split"] += self.ledger.splits
        for before, after in zip([(0, 0), *self._accounts()], [*self._accounts(), None], strict=True):
            assert before[1] == (self.ledger.heard if after is None else after[0]), (
                "audio is lost, or counted twice"
            )
        assert gone or self._closed, "it never closed"
        owed = set(self._committed) - self.ledger.wordless
        assert self._ended <= owed, "an item ended that was not committed"
        assert gone or self._ended == owed, "an item never ended"

    @property
    def text(self) -> list[str]:
        """A word that a split went through is heard in both turns."""
        return [word for word, _ in groupby(" ".join(self.transcripts.values()).split())]

    def _accounts(self) -> list[tuple[int, int]]:
        return sorted([*self._dropped, *self.ledger.spans.values()])

    def _see_warning(self, upon: type[Command], left: float) -> None:
        assert upon not in self._warned, "warned twice"
        self._warned.add(upon)
        if upon is Drain:
            assert left == LIMITS.drain_seconds, "warned of another end"
        else:
            assert self._latest >= LIMITS.session_seconds - (LIMITS.warning_seconds or 0), "warned early"
        self.reached["told to leave" if upon is Drain else "warned"] += 1

    def _see_speech(self, event: SpeechStarted | SpeechStopped | IdleTimedOut) -> None:
        match event:
            case SpeechStopped(item_id):
                assert self._speaking == item_id, "a stop without a start"
            case _:
                assert self._speaking is None, "a start within a turn"
        self._speaking = event.item_id if isinstance(event, SpeechStarted) else None
        self.reached[type(event).__name__] += 1

    def _see_item(self, event: AudioCommitted | ItemAdded | ItemDeleted) -> None:
        match event:
            case AudioCommitted(item_id, previous_id):
                assert item_id not in self._committed, "committed twice"
                assert previous_id == self._newest, "the chain is broken"
                assert self._speaking in (None, item_id), "another turn is open"
                self._speaking = None
                self._committed.append(item_id)
            case ItemAdded(item_id, previous_id):
                assert item_id == self._committed[-1], "added before it was committed"
                assert previous_id == self._newest, "the chain is broken"
                self._kept.append(item_id)
            case ItemDeleted(item_id):
                self._kept.remove(item_id)
                self.reached["deleted"] += 1

    @property
    def _newest(self) -> str | None:
        return self._kept[-1] if self._kept else None

    def _see_text(self, event: TranscriptGrew | TranscriptCompleted | TranscriptFailed) -> None:
        item_id = event.item_id
        number = int(item_id.removeprefix("item_"))
        assert item_id not in self._ended, "something was said of an item that had ended"
        assert self._talking <= number, "items are told out of order"
        self._talking = number
        said = self._said.get(item_id, "")
        if isinstance(event, TranscriptGrew):
            self._said[item_id] = said + event.text
            self.reached["live delta"] += item_id not in self._committed
            return
        assert item_id in self._committed, "an item ended before it was committed"
        self._ended.add(item_id)
        if isinstance(event, TranscriptFailed):
            self.reached["failed"] += 1
            return
        assert event.corrected == (said != event.transcript), "the deltas are not the transcript"
        start, stop = self.ledger.spans[item_id]
        assert event.length == stop - start, "an item of another length"
        self.transcripts[item_id] = event.transcript
        self.reached["corrected" if event.corrected else "completed" if said else "empty"] += 1

    def _see_effect(self, effect: OpenTurn | FeedTurn | PrepareTurn | FinishTurn | AbandonTurn) -> None:
        before = self._engine.get(effect.item_id)
        match effect:
            case OpenTurn():
                assert before is None, "opened twice"
            case AbandonTurn():
                assert before in ("open", "finished"), "nothing to abandon"
            case _:
                assert before == "open", "an engine is told more than it can know"
        after = {OpenTurn: "open", FinishTurn: "finished", AbandonTurn: "abandoned"}
        self._engine[effect.item_id] = after.get(type(effect), "open")
        self.reached[type(effect).__name__] += 1


# Who takes part


@dataclass(slots=True)
class Hearing:
    """One turn, as the engine hears it."""

    pieces: list[Samples] = field(default_factory=list)

    @property
    def length(self) -> int:
        return sum(map(len, self.pieces))

    def understood(self, voiced: int) -> list[str]:
        # Like any engine it listens a little further than told: a turn that was split goes on there.
        heard = np.concatenate(self.pieces or [np.zeros(0, np.float32)])[: voiced + PAUSE]
        numbers = np.rint(heard[:: WINDOW // 4] * 32768).astype(int).tolist()
        return [str(number) for number, _ in groupby(numbers) if number]


class World:
    """Everything that happens, in the order of its time."""

    def __init__(
        self, seed: int, faults: Faults, new: NewSession = new_session, *, tells: bool = False
    ) -> None:
        self.plan = planned(Random(seed))
        self.faults = faults
        self.rng = Random(seed + 1_000_003)
        config = configured(format=PCM16_16K, chosen_detection=self.plan.detection)
        self.session = new(config, LIMITS)
        self.judge = Judge(self.session)
        self.reached = self.judge.reached
        self.now = 0.0
        self._tells = tells
        self._events: list[tuple[float, int, Command]] = []
        self._number = count()
        self._turns: dict[str, Hearing] = {}
        self._steps = 0
        self._over = self._gone = False

    def happens(self, chance: float) -> bool:
        return chance > 0 and self.rng.random() < chance

    def run(self) -> None:
        self._take(Begin())
        for at, command in self._arriving():
            self._plan(at, command)
        while not self._over:
            if self._events:
                at, _, command = heappop(self._events)
                self._wait_until(at)
                self._take(command)
            else:
                self._wait_until(self.session.wake_at or self.now)
        # Whatever comes now comes too late.
        for _, _, command in self._events:
            assert self.session.receive(command, self.now) == [], "a session that is over speaks"
            self.reached["too late"] += 1
        assert self.session.wake_at is None
        self.judge.see_the_end(gone=self._gone)

    def _wait_until(self, at: float) -> None:
        if self.happens(self.faults.jumps):
            self.now += self.rng.uniform(200, 5_000) if self.faults.far else self.rng.uniform(0, 2)
            self.reached["jump"] += 1
        while (wake_at := self.session.wake_at) is not None and wake_at <= max(at, self.now):
            self.now = max(self.now, wake_at)
            self._take(TimePassed())
        self.now = max(self.now, at)

    def _take(self, command: Command) -> None:
        if self.happens(self.faults.gone) and not isinstance(command, Begin):
            self.reached["gone"] += 1
            command = HangUp()
        self._steps += 1
        assert self._steps < _MANY, "it goes round in circles"
        now = self._shown(command)
        outputs = self.session.receive(command, now)
        if self._tells:
            _tell(now, command, outputs)
        self._gone |= isinstance(command, HangUp) and not self._over
        self.judge.see(command, outputs, now)
        self._over |= isinstance(command, HangUp) or any(isinstance(output, Close) for output in outputs)
        for output in outputs:
            self._answer(output)

    def _shown(self, command: Command) -> float:
        """What the clock says: zero when the session begins."""
        if isinstance(command, Begin) or not self.happens(self.faults.jumps):
            return self.now
        self.reached["jump back"] += 1
        return self.now - (self.rng.uniform(200, 5_000) if self.faults.far else self.rng.uniform(0, 2))

    def _plan(self, at: float, command: Command) -> None:
        heappush(self._events, (at, next(self._number), command))

    # The wire: what arrives when, of what the client sends

    def _arriving(self) -> Iterator[tuple[float, Command]]:
        at = 0.0
        for command in self._sent():
            at += 0.001
            if isinstance(command, AppendAudio):
                at += len(command.payload) / 32_000
            if self.happens(self.faults.stalled):
                at += self.rng.uniform(0, 3)
                self.reached["stalled"] += 1
            yield at, command

    def _sent(self) -> Iterator[Command]:
        pieces = list(chain.from_iterable(self._in_pieces(step) for step in self.plan.steps))
        for number, piece in enumerate(pieces):
            if not isinstance(piece, AppendAudio):
                continue
            if number + 1 < len(pieces) and self.happens(self.faults.swapped):
                pieces[number], pieces[number + 1] = pieces[number + 1], piece
                self.reached["swapped"] += 1
        for piece in pieces:
            is_audio = isinstance(piece, AppendAudio)
            if is_audio and self.happens(self.faults.lost):
                self.reached["lost"] += 1
                continue
            yield piece
            if is_audio and self.happens(self.faults.doubled):
                self.reached["doubled"] += 1
                yield piece
        if self.plan.ending is not None:
            yield self.plan.ending

    def _in_pieces(self, step: bytes | Command) -> Iterator[Command]:
        if not isinstance(step, bytes):
            yield step
            return
        while step:
            size = self.rng.randint(1, 40 * WINDOW) if self.faults.recut else 20 * WINDOW
            yield AppendAudio(step[:size])
            step = step[size:]

    # The engine

    def _answer(self, output: Output) -> None:
        match output:
            case OpenTurn(item_id):
                self._turns[item_id] = Hearing()
                if self.happens(self.faults.broken / 4):
                    self._say(TranscriptionBroke(item_id, BROKEN))
            case FeedTurn(item_id, samples):
                self._turns[item_id].pieces.append(samples)
                self._guess(item_id)
            case PrepareTurn(item_id, voiced):
                self._say(HypothesisArrived(item_id, self._hypothesis(item_id, voiced)))
            case FinishTurn(item_id, voiced):
                self._finish(item_id, voiced)
            case _:
                pass

    def _guess(self, item_id: str) -> None:
        hearing = self._turns[item_id]
        if self.rng.random() < 0.6:
            guess = self._hypothesis(item_id, hearing.length)
            self._say(HypothesisArrived(item_id, guess))
        if self.happens(self.faults.nonsense):
            self.reached["nonsense"] += 1
            self._say(self._nonsense(item_id))
        if self.happens(self.faults.lies):
            self.reached["lies"] += 1
            self._say(HypothesisArrived(item_id, Hypothesis(self._babble(), settled=self.rng.randint(1, 99))))

    def _finish(self, item_id: str, voiced: int) -> None:
        if self.happens(self.faults.mute):
            self.reached["mute"] += 1
        elif self.happens(self.faults.broken):
            self._say(TranscriptionBroke(item_id, BROKEN))
            self._say(HypothesisArrived(item_id, self._hypothesis(item_id, voiced, final=True)))
        else:
            took = self._say(HypothesisArrived(item_id, self._hypothesis(item_id, voiced, final=True)))
            if self.happens(self.faults.repeated):
                # It is not done yet, and then has another opinion.
                self._plan(took + 0.1, HypothesisArrived(item_id, Hypothesis((Word(" other"),), final=True)))
                self._plan(took + 0.2, TranscriptionBroke(item_id, BROKEN))

    def _say(self, command: HypothesisArrived | TranscriptionBroke) -> float:
        at = self.now + 0.05
        if self.happens(self.faults.overtaken):
            self.reached["overtaken"] += 1
            at += self.rng.uniform(0, 3)
        self._plan(at, command)
        if self.happens(self.faults.repeated):
            self.reached["repeated"] += 1
            self._plan(at + self.rng.uniform(0, 1), command)
        return at

    def _hypothesis(self, item_id: str, voiced: int, *, final: bool = False) -> Hypothesis:
        hearing = self._turns[item_id]
        words = tuple(Word(f" {word}") for word in hearing.understood(voiced))
        return Hypothesis(words, final, "en", heard=hearing.length)

    def _nonsense(self, item_id: str) -> HypothesisArrived:
        """Never a final of an item that waits for one: that would be its text."""
        if self.rng.random() < 0.5:
            return HypothesisArrived("item_999", Hypothesis(self._babble(), final=True))
        return HypothesisArrived(item_id, Hypothesis(self._babble(), heard=self.rng.choice([-1, 10**9])))

    def _babble(self) -> tuple[Word, ...]:
        nowhere = partial(Word, logprob=float("nan"), start=-7, end=10**9)
        return tuple(nowhere(f" {self.rng.choice('abc') * 40}") for _ in range(self.rng.randint(0, 5)))


# Running them


def simulate(seed: int, new: NewSession = new_session, *, tells: bool = False) -> Counter[str]:
    """What was reached. Raises AssertionError where something must not be."""
    world = World(seed, faulty(Random(seed + 2_000_003)), new, tells=tells)
    with _named(seed):
        world.run()
        if world.faults.recoverable and world.plan.says_the_same_however_it_is_timed:
            _compare(world, seed)
    return world.reached


def _compare(world: World, seed: int) -> None:
    calm = World(seed, CALM)
    calm.run()
    if world.plan.clears and calm.judge.ledger.splits:
        # What is cleared of a long turn depends on where it was split, and that on when guesses came.
        return
    was, is_ = calm.judge.text, world.judge.text
    assert was == is_, "faults that can be recovered from changed the text"
    world.reached["same text"] += bool(was)


@contextmanager
def _named(seed: int) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"Again: python -m tests.session.simulation --seed {seed}")
        raise


def reached_by(seeds: Sequence[int]) -> Counter[str]:
    return sum((simulate(seed) for seed in seeds), Counter[str]())


def simulate_all(seeds: Sequence[int], processes: int = os.cpu_count() or 1) -> Counter[str]:
    """Raises AssertionError with a note that names the seed."""
    shares = [seeds[start :: 8 * processes] for start in range(8 * processes)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return sum(pool.map(reached_by, shares), Counter[str]())


def _tell(now: float, command: Command, outputs: Sequence[Output]) -> None:
    sys.stdout.write(f"{now:9.3f} {_short(command)}\n")
    for output in outputs:
        sys.stdout.write(f"          {_short(output)}\n")


def _short(thing: object) -> str:
    match thing:
        case AppendAudio(payload):
            return f"AppendAudio of {len(payload) / 2 / WINDOW:g} windows"
        case FeedTurn(item_id, samples):
            return f"FeedTurn {item_id} of {len(samples) / WINDOW:g} windows"
        case _:
            return str(thing)[:200]


def main() -> int:
    program = argparse.ArgumentParser(description="Simulate sessions among those who misbehave.")
    which = program.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, help="only this one, told step by step")
    which.add_argument("--seeds", type=int, default=10_000, help="so many, from 0 on; 10,000 unless said")
    asked = program.parse_args()
    if asked.seed is not None:
        sys.stdout.write(f"{dict(simulate(asked.seed, tells=True))}\n")
        return 0
    began = time.perf_counter()
    reached = simulate_all(range(asked.seeds))
    for name, times in sorted(reached.items()):
        sys.stdout.write(f"{times:8} {name}\n")
    sys.stdout.write(f"{asked.seeds} seeds in {time.perf_counter() - began:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
