"""Speech in files of every kind, written by FFmpeg's own encoders."""

import io
import struct
from typing import Final, cast

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples

Kind = tuple[str, str, int]
"""Container and codec, as FFmpeg calls them, and rate."""

WAV: Final[Kind] = ("wav", "pcm_s16le", RATE)
MP3: Final[Kind] = ("mp3", "libmp3lame", 44_100)
M4A: Final[Kind] = ("ipod", "aac", 44_100)
OPUS: Final[Kind] = ("ogg", "libopus", 48_000)
FLAC: Final[Kind] = ("flac", "flac", RATE)
WEBM: Final[Kind] = ("webm", "libopus", 48_000)


def encoded(samples: Samples, kind: Kind, *, layout: str = "mono") -> bytes:
    container, codec, rate = kind
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast(AudioStream, out.add_stream(codec, rate=rate, layout=layout))
        _write(out, stream, samples)
    return file.getvalue()


def film(samples: Samples | None) -> bytes:
    """A second of black pictures, with sound or without."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        pictures = out.add_stream("mpeg4", rate=25, width=64, height=64)
        sound = None if samples is None else out.add_stream("aac", rate=RATE, layout="mono")
        for picture in [*(av.VideoFrame(64, 64, "yuv420p") for _ in range(25)), None]:
            out.mux(pictures.encode(picture))
        if sound is not None and samples is not None:
            _write(out, sound, samples)
    return file.getvalue()


def wave(samples: Samples, channels: int, *, extensible: bool) -> bytes:
    """The same in each channel, the header written by hand."""
    audio = np.repeat(_pcm(samples)[:, None], channels, axis=1).tobytes()
    kind = 0xFFFE if extensible else 1
    header = struct.pack("<HHIIHH", kind, channels, RATE, 2 * channels * RATE, 2 * channels, 16)
    if extensible:
        header += struct.pack("<HHI", 22, 16, 0) + bytes.fromhex("0100000000001000800000aa00389b71")
    chunks = (
        b"fmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(audio)) + audio
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _write(out: OutputContainer, stream: AudioStream, samples: Samples) -> None:
    codec = stream.codec_context
    resampler = AudioResampler(codec.format, codec.layout, codec.sample_rate, codec.frame_size or None)
    for start in range(0, len(samples), RATE):
        # Piece by piece, as FFmpeg may ask for so much memory at once and no more.
        frame = av.AudioFrame.from_ndarray(
            _pcm(samples[start : start + RATE])[None], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        for piece in resampler.resample(frame):
            out.mux(stream.encode(piece))
    for last in [*resampler.resample(None), None]:
        out.mux(stream.encode(last))


def _pcm(samples: Samples) -> np.ndarray:
    return np.frombuffer(encode_pcm16(samples), "<i2")
