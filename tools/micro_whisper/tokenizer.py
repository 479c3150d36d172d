"""A small byte-level BPE with Whisper's special tokens, as one tokenizer.json."""

import argparse
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from tools.micro_whisper import grammar

# The engines count on it: text ids lie below <|endoftext|>, stamps directly after <|notimestamps|>.
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *("<|en|>", "<|de|>", "<|es|>", "<|fr|>", "<|it|>"),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
STAMPS = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
SPACE = "\u0120"
"""How byte-level BPE writes a space."""

_PIECES = 960
_DECODER = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_AFTER_A_SPACE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-'\u00e2"

Merge = tuple[str, str]


def build(path: Path) -> Tokenizer:
    """Train on the grammar's sentences and write the file."""
    corpus = _corpus()
    state = json.loads(_trained(corpus).to_str())
    merges = _with_spaced_letters(state["model"]["merges"])
    pieces = list(dict.fromkeys([*_alphabet(), *(left + right for left, right in merges)]))
    state["model"]["vocab"] = {piece: index for index, piece in enumerate(pieces)}
    state["model"]["merges"] = merges
    state["decoder"] = _DECODER
    state["added_tokens"] = _added_tokens(len(pieces))
    path.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(path))
    _check(tokenizer, len(pieces))
    return tokenizer


def id_of(tokenizer: Tokenizer, token: str) -> int:
    known: int | None = tokenizer.token_to_id(token)
    if known is None:
        raise KeyError(token)
    return known


def _corpus() -> list[str]:
    rng = random.Random(5)  # noqa: S311 - sentences, not secrets
    sentences = [f" {grammar.utterance(rng)}" for _ in range(20_000)]
    return sentences + [f" {w}" for words in grammar.LEXICON.values() for w in words for _ in range(60)]


def _trained(corpus: Iterable[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=_PIECES, initial_alphabet=_alphabet(), show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def _alphabet() -> list[str]:
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _with_spaced_letters(trained: Iterable[Iterable[str]]) -> list[Merge]:
    """Give each letter after a space a piece of its own.

    faster-whisper suppresses the first piece of " -", " '" and of a note sign. Were that the bare space, no
    word spelled with a separate space could be written.
    """
    spaced = [(SPACE, letter) for letter in _AFTER_A_SPACE]
    return list(dict.fromkeys([*((left, right) for left, right in trained), *spaced]))


def _added_tokens(first: int) -> list[dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": first + index, "content": token, **plain, "special": token in SPECIAL}
        for index, token in enumerate(SPECIAL + STAMPS)
    ]


def _check(tokenizer: Tokenizer, pieces: int) -> None:
    assert id_of(tokenizer, "<|endoftext|>") == pieces
    assert id_of(tokenizer, "<|30.00|>") == pieces + len(SPECIAL) + len(STAMPS) - 1
    for suppressed in (" -", " '", " \u266a"):
        assert tokenizer.encode(suppressed).ids[0] != id_of(tokenizer, SPACE), suppressed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    tokenizer = build(parser.parse_args().path)
    print(f"{tokenizer.get_vocab_size()} tokens, {id_of(tokenizer, '<|endoftext|>')} of them text")
    print(tokenizer.encode(" The quick brown fox, twenty one dollars.").tokens)


if __name__ == "__main__":
    main()
