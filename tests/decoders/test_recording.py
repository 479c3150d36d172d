"""What files become: whole ones, odd ones, damaged ones, and those that mean harm."""

import io
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from realtime_asr.audio.formats import Encoding, decode, encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples
from realtime_asr.decoders import recording as module
from realtime_asr.decoders.recording import Recording, UnreadableRecording, open_recording
from tests.decoders.files import FLAC, M4A, MP3, OPUS, WAV, WEBM, Kind, encoded, film, wave
from tests.fakes import tone
from tests.speech.clips import clip

SPEECH = clip("window").samples


def opened(file: bytes) -> Recording:
    return open_recording(io.BytesIO(file))


def heard(recording: Recording) -> Samples:
    return decode(b"".join(recording.chunks()), Encoding.PCM16)


def likeness(one: Samples, other: Samples, rate: int) -> float:
    """Of their loudness in steps of 20 ms, which no codec changes but for a delay."""
    told, heard = _loudness(one, RATE), _loudness(other, rate)
    return max(_correlation(told, heard[delay:]) for delay in range(8))


def _loudness(samples: Samples, rate: int) -> Samples:
    loudness: Samples = np.add.reduceat(np.square(samples), np.arange(0, len(samples), rate // 50))
    return loudness


def _correlation(one: Samples, other: Samples) -> float:
    length = min(len(one), len(other))
    return float(np.corrcoef(one[:length], other[:length])[0, 1])


# What there is


@pytest.mark.parametrize(
    "kind",
    [
        MP3,
        M4A,
        OPUS,
        FLAC,
        WEBM,
        ("wav", "pcm_f32le", 44_100),
        ("wav", "pcm_s24le", 48_000),
        ("wav", "pcm_u8", 8_000),
        ("wav", "pcm_mulaw", 8_000),
        ("mp3", "libmp3lame", 22_050),
        ("ipod", "alac", 44_100),
        ("adts", "aac", 24_000),
        ("aiff", "pcm_s16be", 32_000),
        ("w64", "pcm_s16le", 16_000),
        ("mpeg", "mp2", 44_100),
    ],
    ids=str,
)
def test_files_of_all_usual_kinds_are_understood_at_their_own_rate(kind: Kind) -> None:
    recording = opened(encoded(SPEECH, kind))

    speech = heard(recording)

    assert (Encoding.PCM16, kind[2]) == (recording.format.encoding, recording.format.rate)
    assert len(SPEECH) / RATE == pytest.approx(recording.decoded_seconds, abs=0.1)
    assert likeness(SPEECH, speech, recording.format.rate) > 0.9


def test_what_is_in_our_format_already_comes_as_it_is() -> None:
    assert encode_pcm16(SPEECH) == b"".join(opened(encoded(SPEECH, WAV)).chunks())


@pytest.mark.parametrize("rate", [6_000, 44_101, 96_000])
def test_unusual_rates_become_a_usual_one(rate: int) -> None:
    recording = opened(encoded(SPEECH, ("wav", "pcm_s16le", rate)))

    speech = heard(recording)

    assert 48_000 == recording.format.rate
    assert likeness(SPEECH, speech, 48_000) > 0.95


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("channels", [2, 3, 6])
def test_channels_are_mixed_into_one(channels: int, extensible: bool) -> None:  # noqa: FBT001
    speech = heard(opened(wave(SPEECH, channels, extensible=extensible)))

    assert len(SPEECH) == len(speech)
    assert np.abs(SPEECH - speech).max() < 0.001


def test_of_a_film_the_sound_is_heard() -> None:
    assert likeness(SPEECH, heard(opened(film(SPEECH))), RATE) > 0.95


def test_chunks_last_a_second_at_the_most_and_come_as_they_are_asked_for() -> None:
    file = io.BytesIO(encoded(tone(60 * RATE), WAV))

    first, second = islice(open_recording(file).chunks(), 2)

    assert [2 * RATE, 2 * RATE] == [len(first), len(second)]
    assert file.tell() < len(file.getbuffer()) / 10


def test_the_length_is_told_beforehand_where_the_file_knows_it() -> None:
    assert len(SPEECH) / RATE == pytest.approx(opened(encoded(SPEECH, FLAC)).seconds)


def test_what_changes_its_kind_in_the_middle_is_heard_through() -> None:
    kinds: list[Kind] = [("mp3", "libmp3lame", 44_100), ("mp3", "libmp3lame", 32_000)]
    file = b"".join(encoded(SPEECH, kind) for kind in kinds)

    speech = heard(opened(file))

    assert 2 * len(SPEECH) / RATE == pytest.approx(len(speech) / 44_100, rel=0.05)


def test_titles_in_any_encoding_do_no_harm() -> None:
    title = "café".encode("latin-1")
    frame = b"TIT2" + bytes([0, 0, 0, len(title) + 1, 0, 0, 3]) + title
    tag = b"ID3\x03\x00\x00" + bytes([0, 0, 0, len(frame)]) + frame

    assert len(heard(opened(tag + encoded(SPEECH, MP3)))) > 0


# What is damaged


@pytest.mark.parametrize("kind", [WAV, MP3, OPUS, FLAC, WEBM], ids=str)
def test_of_a_file_that_was_cut_off_the_first_part_is_heard(kind: Kind) -> None:
    file = encoded(SPEECH, kind)

    recording = opened(file[: len(file) * 2 // 3])
    speech = heard(recording)

    assert 0.3 < recording.decoded_seconds * RATE / len(SPEECH) < 0.8
    assert likeness(SPEECH[: round(recording.decoded_seconds * RATE)], speech, recording.format.rate) > 0.95


@pytest.mark.parametrize("kind", [MP3, M4A, OPUS, FLAC], ids=str)
def test_after_damage_in_the_middle_it_goes_on(kind: Kind) -> None:
    file = bytearray(encoded(SPEECH, kind))
    middle = len(file) // 2
    file[middle : middle + 300] = b"\xaa" * 300

    recording = opened(bytes(file))
    heard(recording)

    assert recording.decoded_seconds * RATE / len(SPEECH) > 0.7


@pytest.mark.parametrize(
    "file",
    [
        b"Good morning, everybody. " * 100,
        bytes(4_000),
        encoded(SPEECH, WAV)[:20],
        # Where its sound lies, such a file says at its end.
        encoded(SPEECH, M4A)[:-2_000],
        # A sign that this might be MPEG, and nothing else.
        b"\xff\xfb\x90\x00" * 2,
    ],
    ids=["text", "zeros", "stub", "headless", "sign"],
)
def test_what_is_no_audio_is_told_in_a_sentence(file: bytes) -> None:
    with pytest.raises(UnreadableRecording, match=r"^Invalid file format\. Supported formats: flac, m4a"):
        heard(opened(file))


def test_an_empty_file_is_told_in_a_sentence() -> None:
    with pytest.raises(UnreadableRecording, match=r"^The file is empty\.$"):
        opened(b"")


def test_a_film_without_sound_is_told_in_a_sentence() -> None:
    with pytest.raises(UnreadableRecording, match=r"^The file has no audio in it\.$"):
        opened(film(None))


def test_a_file_with_nothing_but_a_header_is_told_in_a_sentence() -> None:
    header, _, _ = wave(SPEECH, 1, extensible=False).partition(b"data")

    with pytest.raises(UnreadableRecording, match=r"^The file holds no audio that can be decoded\.$"):
        heard(opened(header + b"data" + bytes(4)))


@pytest.mark.parametrize(("at", "claimed"), [(20, 0x1234), (22, 200)], ids=["codec", "channels"])
def test_claims_that_nobody_knows_what_to_do_with_are_told_in_a_sentence(at: int, claimed: int) -> None:
    file = bytearray(wave(SPEECH, 1, extensible=False))
    file[at : at + 2] = claimed.to_bytes(2, "little")

    with pytest.raises(UnreadableRecording):
        heard(opened(bytes(file)))


def test_nobody_is_kept_busy_by_endless_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = opened(encoded(np.zeros(3 * RATE, np.float32), FLAC))
    monkeypatch.setattr(module, "LONGEST_SECONDS", 2)

    with pytest.raises(UnreadableRecording, match="longer than"):
        heard(recording)


@pytest.mark.parametrize("rate", [1, 2_000_000_000])
def test_nobody_is_kept_busy_by_an_absurd_rate(rate: int) -> None:
    file = bytearray(wave(SPEECH, 1, extensible=False))
    file[24:28] = rate.to_bytes(4, "little")

    with pytest.raises(UnreadableRecording):
        heard(opened(bytes(file)))


# What means harm


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much was used as Linux tells it")
def test_no_title_takes_as_much_memory_as_it_claims() -> None:
    size = (1_900_000_000).to_bytes(4, "little")
    title = b"LIST" + size + b"INFOINAM" + size
    header, sound, audio = wave(SPEECH, 1, extensible=False).partition(b"data")

    import resource  # noqa: PLC0415  not everywhere

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableRecording):
        heard(opened(header + title + sound + audio))

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 * 1024


@pytest.mark.parametrize(
    "leading",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>{}</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\nc=IN IP4 127.0.0.1\na={}\n",
        "[playlist]\nFile1={}\n",
    ],
    ids=["hls", "concat", "dash", "sdp", "pls"],
)
def test_no_file_leads_to_another(leading: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encoded(SPEECH, WAV))

    with pytest.raises(UnreadableRecording, match=r"^Invalid file format"):
        heard(opened(leading.format(secret).encode()))


def test_ffmpeg_keeps_its_thoughts_to_itself(capfd: pytest.CaptureFixture[str]) -> None:
    file = bytearray(encoded(SPEECH, MP3))
    file[5_000:6_000] = b"\xaa" * 1_000

    heard(opened(bytes(file)))

    assert ("", "") == capfd.readouterr()
