"""The parts of the micro Whisper's training that need neither torch nor hours."""

import itertools
import random
import re
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from tokenizers import Tokenizer

import realtime_asr
from realtime_asr.audio.timeline import RATE, Samples, seconds
from tools.micro_whisper import grammar, trials, utterance
from tools.micro_whisper.alignment import Span, phone_spans, word_spans
from tools.micro_whisper.batches import Batch, Batches, Mixture
from tools.micro_whisper.corpus import SILENCE, Clip, Corpus
from tools.micro_whisper.espeak import Espeak, Manner, UnknownVoice
from tools.micro_whisper.evaluate import Row, table
from tools.micro_whisper.examples import NO_TARGET, Chance, Example, ExampleMaker, join
from tools.micro_whisper.features import BANDS, floor_of, log_mel, normalised
from tools.micro_whisper.scoring import Score, word_errors, words_of
from tools.micro_whisper.tokenizer import build, id_of
from tools.micro_whisper.utterance import Utterance

BUNDLED = Path(realtime_asr.__file__).parent / "models" / "bundled" / "tokenizer.json"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(BUNDLED))


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    try:
        return Espeak()
    except OSError as absent:
        pytest.skip(f"the espeak-ng library is not installed: {absent}")


def tone(length: float, frequency: float = 440.0) -> Samples:
    phase = np.arange(int(length * RATE)) * (2 * np.pi * frequency / RATE)
    samples: Samples = np.sin(phase).astype(np.float32)
    return samples


def spoken(length: float, text: str = "One dog. Two cats.") -> Utterance:
    """As if each word took an equal share of a tone."""
    samples, words = tone(length), text.split()
    share = length / len(words)
    spans = [Span(word, n * share, (n + 1) * share) for n, word in enumerate(words)]
    phones = [Span("a", 0.0, length / 2), Span("_:", length / 2, length)]
    wav = (samples * 32767).astype(np.int16)
    return Utterance(text, "en", spans, phones, log_mel(samples).astype(np.float16), wav)


def clip(length: float) -> Clip:
    made = spoken(length)
    return Clip(made.mel, np.ones(made.mel.shape[1] // 2 + 1, np.int16), made.words)


# The grammar


def test_the_same_seed_says_the_same_sentences() -> None:
    once, again = random.Random(7), random.Random(7)

    said = [grammar.utterance(once) for _ in range(200)]

    assert said == [grammar.utterance(again) for _ in range(200)]


def test_a_seed_says_today_what_it_said_when_the_model_was_trained() -> None:
    rng = random.Random(0)

    said = [grammar.utterance(rng) for _ in range(3)]

    assert said == [
        "Now keep his voice carefully. Toward changed lamp. Nobody pulls their pencil.",
        "Fifty plus eight hundred equals nine.",
        "He might not push their happy king.",
    ]


def test_every_word_said_is_in_the_vocabulary() -> None:
    rng = random.Random(1)

    said = " ".join(grammar.utterance(rng) for _ in range(5_000))

    assert set(re.findall(r"[a-z']+", said.lower())) - grammar.vocabulary() == set()


def test_utterances_begin_with_a_capital_end_with_a_stop_and_fill_every_slot() -> None:
    rng = random.Random(2)

    said = [grammar.utterance(rng) for _ in range(5_000)]

    assert [text for text in said if not re.fullmatch(r"[A-Z][A-Za-z', .?]*[.?]", text)] == []


# The tokenizer


def test_the_grammar_yields_the_bundled_tokenizer(tmp_path: Path) -> None:
    built = build(tmp_path / "tokenizer.json")

    assert built.get_vocab() == Tokenizer.from_file(str(BUNDLED)).get_vocab()


def test_tokens_of_an_utterance_spell_the_utterance(tokenizer: Tokenizer) -> None:
    rng = random.Random(3)

    for text in (f" {grammar.utterance(rng)}" for _ in range(500)):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_text_comes_before_the_end_token_and_stamps_after_all_others(tokenizer: Tokenizer) -> None:
    end, no_stamps = id_of(tokenizer, "<|endoftext|>"), id_of(tokenizer, "<|notimestamps|>")

    assert max(tokenizer.encode(" Any text, at all.").ids) < end
    assert id_of(tokenizer, "<|0.00|>") == no_stamps + 1
    assert id_of(tokenizer, "<|30.00|>") == tokenizer.get_vocab_size() - 1


def test_a_token_that_does_not_exist_has_no_id(tokenizer: Tokenizer) -> None:
    with pytest.raises(KeyError):
        id_of(tokenizer, "<|nonsense|>")


# The features


def test_features_are_those_that_faster_whisper_computes() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, RATE).astype(np.float32)
    samples = np.concatenate([noise + 0.3 * tone(1.0), np.zeros(RATE // 2, np.float32)])

    ours = normalised(log_mel(samples))

    np.testing.assert_allclose(ours, FeatureExtractor()(samples, padding=0), atol=1e-4)


def test_the_floor_is_what_silence_beside_the_clip_normalises_to() -> None:
    mel = log_mel(np.concatenate([tone(0.5), np.zeros(RATE // 2, np.float32)]))

    assert normalised(mel)[:, -1].max() == pytest.approx(floor_of(mel))


# Who said what when


def test_words_end_at_the_pause_that_follows_them() -> None:
    phones = [Span("a", 0.0, 0.3), Span("_:", 0.3, 0.5), Span("b", 0.5, 1.0)]

    words = word_spans("one, two", [(0, 0.0), (5, 0.5)], phones, tone(1.0), RATE)

    assert words[0] == Span("one,", 0.0, 0.3)
    assert words[1].start == 0.5


def test_words_spoken_as_one_share_their_time_evenly() -> None:
    words = word_spans("in the house", [(0, 0.0), (7, 0.6)], [], tone(1.0), RATE)

    assert [word.start for word in words] == [0.0, 0.3, 0.6]


def test_the_last_word_ends_with_the_last_sound() -> None:
    samples = np.concatenate([tone(0.5), np.zeros(RATE // 2, np.float32)])

    [word] = word_spans("hello", [(0, 0.0)], [], samples, RATE)

    assert word.end == pytest.approx(0.5, abs=0.001)


def test_a_first_word_that_is_not_reported_begins_at_once() -> None:
    words = word_spans("oh well", [(3, 0.4)], [], tone(1.0), RATE)

    assert words[0] == Span("oh", 0.0, 0.4)


def test_a_phoneme_lasts_until_the_next() -> None:
    assert phone_spans([("a", 0.0), ("b", 0.2)], 0.5) == [Span("a", 0.0, 0.2), Span("b", 0.2, 0.5)]


def test_espeak_tells_when_each_word_is_heard(espeak: Espeak) -> None:
    text = "Hello world, this is a test."

    speech = espeak.say(text, Manner("en-us"))
    duration = len(speech.samples) / speech.rate
    phones = phone_spans(speech.phones, duration)
    words = word_spans(text, speech.words, phones, speech.samples, speech.rate)

    assert text.split() == [word.label for word in words]
    assert all(word.start < word.end <= duration for word in words)
    assert all(before.end <= after.start + 1e-9 for before, after in itertools.pairwise(words))


def test_espeak_refuses_a_voice_it_does_not_know(espeak: Espeak) -> None:
    with pytest.raises(UnknownVoice):
        espeak.say("Hello.", Manner("xx-nobody"))


# Data sets


def test_utterances_come_back_from_a_file_as_they_were(tmp_path: Path) -> None:
    made = spoken(1.0)

    utterance.save(tmp_path / "some.pkl", [made])
    [loaded] = utterance.load(tmp_path / "some.pkl")

    assert (made.text, made.voice, made.words, made.phones) == (
        loaded.text,
        loaded.voice,
        loaded.words,
        loaded.phones,
    )
    np.testing.assert_array_equal(made.mel, loaded.mel)
    assert [path.name for path in tmp_path.iterdir()] == ["some.pkl"]


def test_a_corpus_picks_up_shards_made_after_it(tmp_path: Path) -> None:
    utterance.save(tmp_path / "train0001.pkl", [spoken(1.0)])
    corpus = Corpus(tmp_path)

    utterance.save(tmp_path / "train0002.pkl", [spoken(2.0)])
    corpus.look()
    corpus.look()

    assert [clip.mel.shape[1] for clip in corpus.clips] == [100, 200]


def test_each_encoder_token_is_labelled_with_the_phoneme_heard(tmp_path: Path) -> None:
    utterance.save(tmp_path / "train0001.pkl", [spoken(1.0)])

    [made] = Corpus(tmp_path).clips

    sound, pause = made.labels[:25], made.labels[25:50]
    assert len(set(sound)) == 1
    assert set(sound) != {SILENCE}
    assert set(sound) != set(pause)


# Examples and batches


def examples(tokenizer: Tokenizer, seed: int, count: int) -> list[Example]:
    maker = ExampleMaker(tokenizer, Chance.seeded(seed))
    heard = clip(2.0)
    return [maker.make(heard) for _ in range(count)]


def test_the_same_seed_makes_the_same_examples(tokenizer: Tokenizer) -> None:
    for one, other in zip(examples(tokenizer, 1, 20), examples(tokenizer, 1, 20), strict=True):
        assert one.row == other.row
        np.testing.assert_array_equal(one.mel, other.mel)


def test_each_target_is_the_token_read_next(tokenizer: Tokenizer) -> None:
    for row in (example.row for example in examples(tokenizer, 2, 200)):
        follows = [*row.ids[1:], id_of(tokenizer, "<|endoftext|>")]
        special = (NO_TARGET, id_of(tokenizer, "<|nospeech|>"))

        assert len(row.ids) == len(row.targets) == len(row.spans)
        assert [t for t, n in zip(row.targets, follows, strict=True) if t != n and t not in special] == []


def test_an_example_without_words_is_no_speech_and_ends_at_once(tokenizer: Tokenizer) -> None:
    start, nothing = id_of(tokenizer, "<|startoftranscript|>"), id_of(tokenizer, "<|nospeech|>")
    rows = [example.row for example in examples(tokenizer, 3, 300)]

    silent = [row for row in rows if row.targets[row.ids.index(start)] == nothing]

    assert silent
    assert {row.targets[-1] for row in silent} == {id_of(tokenizer, "<|endoftext|>")}


def test_joined_clips_say_their_words_one_after_the_other() -> None:
    joined = join([clip(1.0), clip(2.0)], random.Random(0))

    starts = [word.start for word in joined.words]
    assert [word.label for word in joined.words] == 2 * ["One", "dog.", "Two", "cats."]
    assert starts == sorted(starts)
    assert joined.mel.shape[1] == 2 * len(joined.labels)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    utterance.save(tmp_path / "train0001.pkl", [spoken(3.5 + n / 100) for n in range(24)])
    return Corpus(tmp_path)


def batches(corpus: Corpus, tokenizer: Tokenizer, seed: int, mixture: Mixture, count: int) -> list[Batch]:
    made = Batches(corpus, tokenizer, Chance.seeded(seed), mixture, look_every=1e9)
    return list(itertools.islice(made, count))


def test_the_longest_turn_leaves_room_for_what_stands_for_the_rest_of_the_window(
    tokenizer: Tokenizer,
) -> None:
    longest, maker = join([clip(0.5)] * 60, random.Random(0)), ExampleMaker(tokenizer, Chance.seeded(4))

    frames = [maker.make(longest).mel.shape[1] for _ in range(200)]

    assert 2_700 < max(frames) < 2 * (1_500 - 20) - 8


def test_no_place_in_a_window_is_taken_twice(corpus: Corpus, tokenizer: Tokenizer) -> None:
    made = batches(corpus, tokenizer, 4, Mixture(seconds=30, joined=0.5), 20)

    for batch in made:
        rest = batch.fillers.positions if batch.fillers else np.zeros((len(batch.positions), 0))
        taken = np.concatenate([batch.positions, rest], axis=1)
        assert taken.max() < 1_500
        assert all(len(set(row)) == len(row) for row in taken)


def test_a_full_window_needs_nothing_to_stand_for_its_rest(corpus: Corpus, tokenizer: Tokenizer) -> None:
    [batch] = batches(corpus, tokenizer, 5, Mixture(seconds=20, full_windows=1.0), 1)

    assert batch.mel.shape[1:] == (BANDS, 3_000)
    assert batch.fillers is None


# Trials and scores


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("", "", 0),
        ("one two three", "one two three", 0),
        ("one two three", "one three", 1),
        ("one three", "one two three", 1),
        ("one two three", "one too three", 1),
        ("one two", "", 2),
        ("", "one two", 2),
        ("a b c d", "b c d e", 2),
    ],
)
def test_word_errors_are_the_fewest_changes(said: str, heard: str, errors: int) -> None:
    assert word_errors(said.split(), heard.split()) == errors


def test_case_and_punctuation_are_no_words() -> None:
    assert words_of("Hello, world! It's 5.") == ["hello", "world", "it's", "5"]


def test_a_score_counts_words_and_keeps_what_was_missed() -> None:
    score = Score()

    score.add("Hello world.", " hello world")
    score.add("One two three.", " One three.")

    assert (score.words, score.wrong) == (5, 1)
    assert score.missed == [("One two three.", "One three.")]


def test_a_prefix_ends_with_its_last_word() -> None:
    [whole] = trials.short_turns([spoken(4.0)], 1)

    [prefix] = trials.prefixes([whole], random.Random(1))

    assert whole.text.startswith(prefix.text)
    assert seconds(len(prefix.samples)) == pytest.approx(prefix.words[-1].end, abs=0.001)


def test_noise_and_silence_keep_the_text() -> None:
    clips = trials.short_turns([spoken(2.0)], 1)

    noisy, late = trials.in_noise(clips, np.random.default_rng(0)), trials.in_silence(clips)

    assert noisy[0].text == late[0].text == clips[0].text
    assert np.std(noisy[0].samples - clips[0].samples) == pytest.approx(
        0.1 * np.std(clips[0].samples), rel=0.05
    )
    assert len(late[0].samples) - len(clips[0].samples) == 3 * RATE


def test_long_turns_last_12_to_28_seconds() -> None:
    turns = trials.long_turns([spoken(5.0) for _ in range(40)], 5, random.Random(0))

    assert len(turns) == 5
    assert all(12 <= seconds(len(turn.samples)) <= 28 for turn in turns)
    assert all(len(turn.text.split()) >= 8 for turn in turns)


def test_a_trial_needs_audio() -> None:
    made = spoken(1.0)
    without = Utterance(made.text, made.voice, made.words, made.phones, made.mel, None)

    with pytest.raises(ValueError, match="holds no audio"):
        trials.short_turns([without], 1)


def test_sounds_without_speech_are_as_loud_as_their_name_says() -> None:
    sounds = trials.nothings(3, np.random.default_rng(0))

    for name, level in (("noise, -40 dB", 0.01), ("hum, -20 dB", 0.1), ("silence", 0.0)):
        assert [np.sqrt(np.mean(sound**2)) for sound in sounds[name]] == pytest.approx([level] * 3, rel=1e-3)


def test_the_table_is_markdown_with_a_column_for_each_way_of_asking() -> None:
    rows = [
        Row("seen voices", 5, "words wrong", {"30 s window": 0.06, "with stamps": 0.1, "speech + 0.5 s": 0}),
        Row("seen voices", 5, "word start off", {"with stamps": 0.125}),
    ]

    assert table(rows).splitlines() == [
        "| clips | n | measure | 30 s window | with stamps | speech + 0.5 s |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
        "| seen voices | 5 | words wrong | 6.0 % | 10.0 % | 0.0 % |",
        "| seen voices | 5 | word start off |  | 0.125 s |  |",
    ]


# With torch


def test_a_fresh_model_knows_nothing_yet_and_learns_from_every_part(
    corpus: Corpus, tokenizer: Tokenizer
) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: only training needs it")
    from tools.micro_whisper.model import MicroWhisper  # noqa: PLC0415
    from tools.micro_whisper.objective import Objective  # noqa: PLC0415

    torch.manual_seed(0)
    model = MicroWhisper(tokenizer.get_vocab_size(), 160)
    [batch] = batches(corpus, tokenizer, 6, Mixture(seconds=20), 1)

    losses = Objective(model, [id_of(tokenizer, ".")], torch.device("cpu"))(batch)
    losses.total(0.0).backward()

    assert losses.token.item() == pytest.approx(np.log(tokenizer.get_vocab_size()), abs=2)
    silent = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert silent == []
