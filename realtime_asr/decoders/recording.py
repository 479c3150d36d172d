"""Files of any usual kind as PCM16, a second at a time.

What comes from strangers is handed to FFmpeg here, so it may do little: parse the containers and run the
decoders named below, and read the one file it is given. Playlists, and files that lead to other files or to
the network, are none of these.
"""

import ctypes
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import BinaryIO, Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet

from realtime_asr.audio.formats import AudioFormat, Encoding

LONGEST_SECONDS: Final = 24 * 3600
"""A few bytes of FLAC can be hours of silence."""

_CONTAINERS: Final = "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,matroska,mov,mp3,mpeg,ogg,w64,wav"
_CODECS: Final = re.compile(
    r"pcm_\w+|aac|aac_latm|ac3|adpcm_ima_wav|adpcm_ms|alac|amrnb|amrwb|eac3|flac|gsm|gsm_ms|libopus|mp[23]|"
    r"mp[23]float|opus|speex|vorbis|wmav[12]"
)
_RESTRAINTS: Final = {
    "format_whitelist": _CONTAINERS,
    "codec_whitelist": ",".join(sorted(filter(_CODECS.fullmatch, av.codecs_available))),
    "protocol_whitelist": "none",
}

_USUAL_RATES: Final = frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000})
_OTHERWISE: Final = 48_000
_BEARABLE: Final = range(4_000, 192_001)
"""Rates. Others take much memory to change into ours, and nobody records in them."""
_MOST_BYTES: Final = 128 * 1024 * 1024
"""That FFmpeg may ask for at once: the index of a day of MP4 takes 100 MB."""


class UnreadableRecording(Exception):
    """The message is fit for the client."""


def open_recording(file: BinaryIO) -> "Recording":
    """The file is one that can seek, and stays open until the last chunk. Raises UnreadableRecording."""
    if not file.read(1):
        raise UnreadableRecording("The file is empty.")
    file.seek(0)
    _restrain()
    try:
        # Titles in other encodings than UTF-8 are common, and of no interest.
        container = av.open(file, "r", metadata_errors="replace", options=_RESTRAINTS)
        stream = container.streams.best("audio")
    except FFmpegError as error:
        raise UnreadableRecording(_UNKNOWN) from error
    if not isinstance(stream, AudioStream):
        raise UnreadableRecording("The file has no audio in it.")
    # The stubs do not know of files that claim to hold what FFmpeg has no decoder for.
    if getattr(stream, "codec_context", None) is None:
        raise UnreadableRecording(_UNKNOWN)
    return Recording(container, stream)


class Recording:
    """To be read once."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        own = stream.codec_context.sample_rate
        # A session's resampler keeps a table for each rate, which is huge for an odd one.
        self.format = AudioFormat(Encoding.PCM16, own if own in _USUAL_RATES else _OTHERWISE)
        self.seconds = None if container.duration is None else container.duration / av.time_base
        """As the file claims or FFmpeg guesses: good for a progress bar. None where there is no telling."""
        self._container, self._stream = container, stream
        self._decoded = 0

    @property
    def decoded_seconds(self) -> float:
        """How long it was so far: the true length after the last chunk."""
        return self._decoded / self.format.rate

    def chunks(self) -> Iterator[bytes]:
        """Mono PCM16, at most a second each. Of a damaged file whatever can be decoded.

        Raises UnreadableRecording where that is nothing at all, or more than anybody can have said.
        """
        held = bytearray()
        second = self.format.rate * self.format.sample_bytes
        with self._container:
            for frame in self._frames():
                held += bytes(frame.planes[0])[: frame.samples * self.format.sample_bytes]
                self._count(frame)
                while len(held) >= second:
                    yield bytes(held[:second])
                    del held[:second]
        if held:
            yield bytes(held)
        if not self._decoded:
            raise UnreadableRecording("The file holds no audio that can be decoded.")

    def _count(self, frame: AudioFrame) -> None:
        self._decoded += frame.samples
        if self.decoded_seconds > LONGEST_SECONDS:
            raise UnreadableRecording(f"The recording is longer than {LONGEST_SECONDS // 3600} hours.")

    def _frames(self) -> Iterator[AudioFrame]:
        """In our format. What they are in themselves may change on the way, as where streams are chained."""
        resampler, kind = self._resampler(), None
        for frame in self._own_frames():
            before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
            if before not in (None, kind):
                yield from resampler.resample(None)
                resampler = self._resampler()
            # Gaps in the file's own clock are none in what is heard.
            frame.pts = None
            try:
                yield from resampler.resample(frame)
            except FFmpegError:
                resampler, kind = self._resampler(), None
        if kind is not None:
            yield from resampler.resample(None)

    def _own_frames(self) -> Iterator[AudioFrame]:
        for packet in self._packets():
            # One that is damaged says nothing of those after it.
            with suppress(FFmpegError):
                yield from (frame for frame in self._stream.decode(packet) if frame.sample_rate in _BEARABLE)

    def _packets(self) -> Iterator["Packet[AudioStream]"]:
        # Cut short: the words up to there are worth having. PyAV itself stumbles over streams that turn up
        # in the middle of a file.
        with suppress(FFmpegError, IndexError):
            yield from self._container.demux(self._stream)

    def _resampler(self) -> AudioResampler:
        return AudioResampler("s16", "mono", self.format.rate)


@cache
def _restrain() -> None:
    """Thirty bytes of WAV may claim a title of two gigabytes. FFmpeg has a bound for it, which PyAV hides."""
    # Windows does not look for functions in what a library leans on.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(av.packet.__file__).av_max_alloc(ctypes.c_size_t(_MOST_BYTES))


_UNKNOWN: Final = (
    "Invalid file format. Supported formats: flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm."
)
