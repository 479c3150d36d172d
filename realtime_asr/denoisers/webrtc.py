"""WebRTC's noise suppression, with its automatic gain for voices far away."""

from typing import Final

from webrtc_noise_gain import AudioProcessor

from realtime_asr.audio.formats import Encoding, decode, encode_pcm16
from realtime_asr.audio.noise import Denoiser, FramedDenoiser
from realtime_asr.audio.timeline import Samples
from realtime_asr.session.config import NoiseReduction

_DELAY = 96  # samples: its overlapping windows of 256 advance by 160

# Of 1 to 4, which take 6 to 21 dB off a steady noise. The levels above cost more words than they saved.
_LEVEL = 2

# Decides only whether there is gain: 3 dB for loud voices to 12 for faint ones, whatever the number asks for.
# Far voices need it more than a higher level: it is what made them noticed, and understood.
_GAIN: Final = {"near_field": 0, "far_field": 1}


def webrtc_denoiser(reduction: NoiseReduction) -> Denoiser:
    """At full strength unless told otherwise."""
    processor = AudioProcessor(_GAIN[reduction.kind], _LEVEL)

    def clean_frame(frame: Samples) -> Samples:
        return decode(processor.Process10ms(encode_pcm16(frame)).audio, Encoding.PCM16)

    strength = 1.0 if reduction.strength is None else reduction.strength
    return FramedDenoiser(clean_frame, delay=_DELAY, strength=strength)
