"""Who cleans the audio, and that it stays where it was."""

import pytest

from realtime_asr.audio.formats import PCM16_24K
from realtime_asr.audio.timeline import WINDOW
from realtime_asr.session.commands import ClearAudio, CommitAudio, Configure, RetrieveItem
from realtime_asr.session.config import Limits, NoiseReduction, NoiseReductionPatch, Patch
from realtime_asr.session.events import ItemRetrieved, SessionCreated, SessionUpdated
from realtime_asr.session.session import Output
from tests.fakes import PCM16_16K, configured, limited
from tests.session.call import Call, Denoisers, loud, only, quiet, told

NEAR, FAR = NoiseReduction("near_field"), NoiseReduction("far_field", 0.5)
REDUCING = limited(noise_reduction=True)


def call_with(denoisers: Denoisers, noise_reduction: NoiseReduction | None) -> Call:
    return Call(REDUCING, new_denoiser=denoisers, noise_reduction=noise_reduction)


def reduce(call: Call, patch: NoiseReductionPatch | None) -> list[NoiseReduction | None]:
    updates = only(SessionUpdated, call.do(Configure(Patch(noise_reduction=patch), "")))
    return [update.config.noise_reduction for update in updates]


def test_a_denoiser_is_asked_for_when_a_session_starts_with_one() -> None:
    denoisers = Denoisers()

    call_with(denoisers, NEAR)
    call_with(denoisers, None)

    assert [NEAR] == denoisers.asked


def test_a_denoiser_is_asked_for_with_every_change_and_let_go_when_turned_off() -> None:
    denoisers = Denoisers()
    call = call_with(denoisers, None)

    told_of = [
        *reduce(call, NoiseReductionPatch("far_field", 0.5)),
        *reduce(call, NoiseReductionPatch("far_field", 0.5)),
        *reduce(call, NoiseReductionPatch("near_field", None)),
        *reduce(call, None),
    ]
    call.hear(loud(10))

    assert [FAR, FAR, NEAR, None] == told_of
    assert [FAR, NEAR] == denoisers.asked
    assert [1, 1] == [denoiser.flushes for denoiser in denoisers.made]


def test_what_a_denoiser_holds_back_belongs_to_the_audio_before_a_commit() -> None:
    plain, reduced = Call(REDUCING), call_with(Denoisers(), NEAR)

    for call in (plain, reduced):
        call.hear(quiet(3), loud(10.3))
        call.do(CommitAudio())
        call.hear(loud(5), quiet(7))

    stories = [
        only(ItemRetrieved, call.do(RetrieveItem("item_1"), RetrieveItem("item_2")))
        for call in (plain, reduced)
    ]
    assert stories[0] == stories[1]


def test_positions_stay_where_they_are_whoever_cleans_the_audio() -> None:
    plain, reduced = Call(REDUCING), call_with(Denoisers(), NEAR)

    def story(call: Call, *patches: NoiseReductionPatch | None) -> list[Output]:
        outputs = list[Output]()
        for patch in patches:
            outputs += call.hear(quiet(9.3), loud(10.1), quiet(9))
            reduce(call, patch)
        return told([*outputs, *call.do(CommitAudio())])

    off = story(plain, None, None, None)
    on = story(reduced, NoiseReductionPatch("far_field"), None, NoiseReductionPatch("near_field"))

    assert off == on


def test_a_change_of_format_and_a_clear_keep_what_the_denoiser_knows() -> None:
    denoisers = Denoisers()
    call = call_with(denoisers, NEAR)
    call.hear(loud(1))

    call.do(Configure(Patch(format=PCM16_24K), ""), ClearAudio())
    call.hear(loud(10))
    call.do(CommitAudio())

    assert [NEAR] == denoisers.asked
    assert [3] == [denoiser.flushes for denoiser in denoisers.made]


def test_format_and_noise_reduction_may_change_together() -> None:
    denoisers = Denoisers()
    call = call_with(denoisers, NEAR)
    call.hear(loud(10))

    call.do(Configure(Patch(format=PCM16_24K, noise_reduction=NoiseReductionPatch("far_field")), ""))
    call.do(CommitAudio())

    assert [NEAR, NoiseReduction("far_field")] == denoisers.asked
    [item] = only(ItemRetrieved, call.do(RetrieveItem("item_1")))
    assert len(item.audio or b"") == 2 * 10 * WINDOW * 3 // 2


@pytest.mark.parametrize("limits", [limited(noise_reduction=False), REDUCING])
def test_without_anybody_to_clean_it_audio_is_heard_as_it_is(limits: Limits) -> None:
    call = Call(limits)
    reduce(call, NoiseReductionPatch("near_field"))

    assert len(told(call.hear(loud(10), quiet(7)))) == 4


def test_a_server_without_a_denoiser_says_that_it_is_off() -> None:
    denoisers = Denoisers()
    call = Call(limited(noise_reduction=False), new_denoiser=denoisers)

    assert [None] == reduce(call, NoiseReductionPatch("near_field"))
    assert [SessionCreated(configured(format=PCM16_16K))] == call.greeting
    assert denoisers.asked == []
