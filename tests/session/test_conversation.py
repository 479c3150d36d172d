"""Items in the order they were committed, the newest of them kept."""

import numpy as np

from realtime_asr.audio.formats import Encoding, decode
from realtime_asr.audio.resample import convert
from realtime_asr.audio.timeline import RATE
from realtime_asr.session.conversation import Conversation
from tests.fakes import tone

SECOND = tone(RATE)


def test_each_item_follows_the_one_before() -> None:
    conversation = _conversation()

    assert [conversation.add(item_id, SECOND) for item_id in "abc"] == [None, "a", "b"]


def test_an_item_is_retrieved_with_its_audio_at_24_khz_and_its_transcript() -> None:
    conversation = _conversation()
    conversation.add("a", SECOND)
    conversation.transcribed("a", "hello")

    item = conversation.retrieve("a")

    assert item is not None
    assert item.transcript == "hello"
    heard = decode(item.audio() or b"", Encoding.PCM16)
    assert len(heard) == 24_000
    assert np.abs(heard - convert(SECOND, rate=24_000)).max() < 2 / 32768


def test_audio_too_long_for_a_frame_is_not_kept() -> None:
    conversation = _conversation(kept_audio=60 * RATE)
    conversation.add("short", tone(15 * RATE))
    conversation.add("long", tone(15 * RATE + 1))

    assert _recorded(conversation, "short", "long") == [True, False]


def test_only_the_newest_audio_is_kept() -> None:
    conversation = _conversation(kept_audio=2 * RATE)
    for item_id in "abc":
        conversation.add(item_id, SECOND)

    assert _recorded(conversation, *"abc") == [False, True, True]


def test_audio_that_is_no_longer_whole_is_not_kept() -> None:
    conversation = _conversation()
    conversation.add("a", None)

    assert _recorded(conversation, "a") == [False]


def test_audio_that_would_not_fit_drives_no_other_out() -> None:
    conversation = _conversation(kept_audio=2 * RATE)
    conversation.add("a", SECOND)
    conversation.add("b", tone(2 * RATE + 1))

    assert _recorded(conversation, *"ab") == [True, False]


def test_only_the_newest_items_are_kept() -> None:
    conversation = _conversation(kept_items=2)
    for item_id in "abc":
        conversation.add(item_id, SECOND)

    assert [conversation.retrieve(item_id) is not None for item_id in "abc"] == [False, True, True]


def test_after_a_deletion_the_next_item_follows_the_last_that_survives() -> None:
    conversation = _conversation()
    for item_id in "abc":
        conversation.add(item_id, SECOND)

    deleted = [conversation.delete(item_id) for item_id in "bcx"]

    assert deleted == [True, True, False]
    assert conversation.add("d", SECOND) == "a"


def test_after_the_last_deletion_an_item_is_the_first_again() -> None:
    conversation = _conversation()
    conversation.add("a", SECOND)
    conversation.delete("a")

    assert conversation.add("b", SECOND) is None


def test_an_item_that_is_only_no_longer_kept_survives_all_deletions() -> None:
    conversation = _conversation(kept_items=2)
    for item_id in "abcd":
        conversation.add(item_id, SECOND)
    for item_id in "dc":
        conversation.delete(item_id)

    assert conversation.add("e", SECOND) == "b"


def test_a_transcript_for_an_item_that_is_gone_is_nobodys() -> None:
    conversation = _conversation()
    conversation.add("a", SECOND)
    conversation.delete("a")

    conversation.transcribed("a", "hello")

    assert conversation.retrieve("a") is None


def _conversation(*, kept_items: int = 64, kept_audio: int = 30 * RATE) -> Conversation:
    return Conversation(kept_items=kept_items, kept_audio=kept_audio)


def _recorded(conversation: Conversation, *item_ids: str) -> list[bool]:
    items = [conversation.retrieve(item_id) for item_id in item_ids]
    return [item is not None and item.audio() is not None for item in items]
