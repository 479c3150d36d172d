"""Which of the server's items answer which of our turns.

A server may cut one turn in two items, make one of two turns, answer late, or hear speech in silence. So
turns and items are matched by where they lie in the audio, and what overlaps is measured as one exchange.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from realtime_asr.bench.facts import Heard, Recording
from realtime_asr.bench.speech import Spoken


@dataclass(frozen=True, slots=True)
class Item:
    """What the server told about one item. Absent facts were not told."""

    deltas: tuple[Heard, ...] = ()
    started: Heard | None = None
    stopped: Heard | None = None
    committed: Heard | None = None
    completed: Heard | None = None
    failed: Heard | None = None
    commit_sent: float | None = None
    """When the client committed it, if it did."""

    @property
    def committed_at(self) -> float | None:
        if self.commit_sent is not None:
            return self.commit_sent
        return self.committed.at if self.committed else None

    @property
    def text(self) -> str:
        return self.completed.text if self.completed else ""

    @property
    def shown(self) -> str:
        """The text as it grew."""
        return "".join(delta.text for delta in self.deltas)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Turns and the items that answer them: one of each, mostly."""

    turns: tuple[Spoken, ...]
    """None where the server heard speech that nobody spoke."""
    items: tuple[Item, ...]
    first: int = 0
    """Which turn of the stream the first is."""

    @property
    def is_answered(self) -> bool:
        return bool(self.items) and all(item.completed for item in self.items)

    @property
    def text(self) -> str:
        return " ".join(item.text for item in self.items)


def exchanges(recording: Recording) -> list[Exchange]:
    """All turns that were said, in order, then what answers none."""
    said = [turn for turn in recording.turns if turn.start < recording.sent]
    answers = [(_answered(item, said, recording), item) for item in _items(recording)]
    groups = _groups(len(said), [turns for turns, _ in answers])
    phantoms = [Exchange((), (item,)) for turns, item in answers if not turns]
    return [_exchange(group, said, answers) for group in groups] + phantoms


def _exchange(group: range, said: Sequence[Spoken], answers: Sequence[tuple[range, Item]]) -> Exchange:
    items = tuple(item for turns, item in answers if turns and turns[0] in group)
    return Exchange(tuple(said[group.start : group.stop]), items, group.start)


def _groups(turns: int, answered: Sequence[range]) -> list[range]:
    """Neighbours that an item answers together belong together."""
    joined = {turn for each in answered for turn in each[1:]}
    starts = [turn for turn in range(turns) if turn not in joined]
    return [range(start, end) for start, end in pairwise([*starts, turns])]


def _answered(item: Item, said: Sequence[Spoken], recording: Recording) -> range:
    """The turns whose speech the item's audio holds; always neighbours."""
    if item.commit_sent is not None:
        return _last_begun(item.commit_sent - recording.began, said)
    start = item.started.audio if item.started else None
    end = item.stopped.audio if item.stopped else None
    if start is not None and end is not None:
        held = [n for n, turn in enumerate(said) if turn.start < end and turn.end > start]
        return range(held[0], held[-1] + 1) if held else range(0)
    told = [fact.at for fact in (item.started, item.committed, item.completed, item.failed) if fact]
    return _last_begun(min(told) - recording.began, said) if told else range(0)


def _last_begun(moment: float, said: Sequence[Spoken]) -> range:
    begun = sum(turn.start <= moment for turn in said)
    return range(begun - 1, begun) if begun else range(0)


def _items(recording: Recording) -> list[Item]:
    """In the order the server first told of them."""
    told: Mapping[str, list[Heard]] = defaultdict(list)
    for heard in recording.heard:
        if heard.kind not in ("error", "closed"):
            told[heard.item].append(heard)
    sent = _commits(recording)
    return [_item(facts, sent.get(item)) for item, facts in told.items()]


def _item(facts: Sequence[Heard], commit_sent: float | None) -> Item:
    last = {heard.kind: heard for heard in facts}
    return Item(
        tuple(heard for heard in facts if heard.kind == "delta"),
        last.get("speech_started"),
        last.get("speech_stopped"),
        last.get("committed"),
        last.get("completed"),
        last.get("failed"),
        commit_sent,
    )


def _commits(recording: Recording) -> dict[str, float]:
    """When the client committed each item: commits are answered in order, but for those refused."""
    refused = {heard.item for heard in recording.heard if heard.kind == "error"}
    accepted = [commit.at for commit in recording.commits if commit.ref not in refused]
    items = [heard.item for heard in recording.heard if heard.kind == "committed"]
    return dict(zip(items, accepted, strict=False))
