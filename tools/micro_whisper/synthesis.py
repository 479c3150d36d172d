"""Make data sets: random sentences in random voices, as features with word and phoneme times."""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from scipy.signal import resample_poly

from realtime_asr.audio.timeline import RATE, Samples, seconds
from tools.micro_whisper import grammar, utterance
from tools.micro_whisper.alignment import phone_spans, word_spans
from tools.micro_whisper.espeak import Espeak, Manner, Speech, UnknownVoice
from tools.micro_whisper.features import log_mel
from tools.micro_whisper.utterance import Utterance

_BASES: Final = [
    *["en-us"] * 6,
    *["en"] * 3,
    *("en-us-nyc", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan"),
]
# One name per line would take eighty lines.
_VARIANTS: Final = [
    *"""
    m1 m2 m3 m4 m5 m7 m8 f1 f2 f3 f5 klatt klatt2 klatt4 Andy Annie Alex adam belinda benjamin linda
    steph steph2 robert paul pablo miguel sandro shelby anika announcer boris caleb david ed zac travis
    john quincy rob edward iven max victor kaukovalta Gene Lee Mike Denis Diogo Alicia Andrea
    AnxiousAndy Henrique Hugo Jacky Mario Nguyen RicishayMax RicishayMax2 RicishayMax3 antonio edward2
    grandma grandpa gustave iven2 iven3 iven4 klatt3 klatt5 marcelo michel norbert pedro steph3 Gene2
    Tweaky
    """.split(),  # noqa: SIM905
    *[""] * 6,
]
_HELD_OUT: Final = ["en-us+f4", "en-us+m6", "en+Michael", "en-gb-x-gbcwmd+f4", "en-us+aunty", "en-us+Marco"]

_ESPEAK_RATE = 22_050
_SHORTEST, _LONGEST = 0.2, 12.0

Voice = Callable[[random.Random], str]


def seen_voice(rng: random.Random) -> str:
    variant = rng.choice(_VARIANTS)
    base = rng.choice(_BASES)
    return f"{base}+{variant}" if variant else base


def held_out_voice(rng: random.Random) -> str:
    """Of these, nothing is in the training data."""
    return rng.choice(_HELD_OUT)


def synthesise(espeak: Espeak, seed: int, count: int, voice: Voice, *, keep_audio: bool) -> list[Utterance]:
    """The same for the same seed, wherever the same voices are installed."""
    rng = random.Random(seed)  # noqa: S311 - sentences, not secrets
    made: list[Utterance] = []
    while len(made) < count:
        text = grammar.utterance(rng)
        manner = _manner(rng, voice)
        try:
            speech = espeak.say(text, manner)
        except UnknownVoice:
            print(f"espeak-ng here has no voice {manner.voice}")
            continue
        samples = _at_our_rate(speech)
        if _SHORTEST <= seconds(len(samples)) <= _LONGEST:
            made.append(_utterance(text, manner.voice, speech, samples, keep_audio=keep_audio))
    return made


def _manner(rng: random.Random, voice: Voice) -> Manner:
    return Manner(voice(rng), rng.randint(120, 220), rng.randint(20, 80), rng.randint(20, 80))


def _at_our_rate(speech: Speech) -> Samples:
    if speech.rate != _ESPEAK_RATE:
        raise ValueError(f"espeak-ng speaks at {speech.rate} Hz here; only {_ESPEAK_RATE} Hz is provided for")
    resampled: Samples = resample_poly(speech.samples, 320, 441).astype(np.float32)
    return resampled


def _utterance(text: str, voice: str, speech: Speech, samples: Samples, *, keep_audio: bool) -> Utterance:
    phones = phone_spans(speech.phones, seconds(len(samples)))
    return Utterance(
        text=text,
        voice=voice,
        words=word_spans(text, speech.words, phones, samples, RATE),
        phones=phones,
        mel=log_mel(samples).astype(np.float16),
        wav=(samples * 32767).astype(np.int16) if keep_audio else None,
    )


def _write(path: Path, espeak: Espeak, seed: int, count: int, voice: Voice, *, keep_audio: bool) -> None:
    began = time.monotonic()
    made = synthesise(espeak, seed, count, voice, keep_audio=keep_audio)
    path.parent.mkdir(parents=True, exist_ok=True)
    utterance.save(path, made)
    spoken, took = sum(u.mel.shape[1] for u in made) / 100, time.monotonic() - began
    print(f"{path}: {count} utterances, {spoken / 3600:.2f} h, {took:.0f} s, {spoken / took:.0f}x real time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    training = kinds.add_parser("training", help="shards train<seed>.pkl in a folder, without audio")
    training.add_argument("folder", type=Path)
    training.add_argument("--shards", type=int, default=1)
    test = kinds.add_parser("test", help="one file, with audio")
    test.add_argument("path", type=Path)
    test.add_argument("--held-out", action="store_true", help="voices that training never hears")
    for kind in (training, test):
        kind.add_argument("--seed", type=int, default=0, help="of the first shard")
        kind.add_argument("-n", type=int, default=2000, help="utterances per file")
    chosen = parser.parse_args()
    if chosen.kind == "test":
        voice = held_out_voice if chosen.held_out else seen_voice
        _write(chosen.path, Espeak(), chosen.seed, chosen.n, voice, keep_audio=True)
        return
    espeak = Espeak()
    for seed in range(chosen.seed, chosen.seed + chosen.shards):
        _write(chosen.folder / f"train{seed:04d}.pkl", espeak, seed, chosen.n, seen_voice, keep_audio=False)


if __name__ == "__main__":
    main()
