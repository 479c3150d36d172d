"""Whisper's tokens: text as tokens and back, the words they spell, and the marks that go before them."""

from string import punctuation
from typing import Final

from tokenizers import Tokenizer

from realtime_asr.transcript.request import Task

Tokens = list[int]
Part = tuple[str, int]
"""A piece of text and the number of its tokens."""

_UNSPACED: Final = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
_BROKEN: Final = "\ufffd"
"""What a part of a character is shown as."""


class Vocabulary:
    def __init__(self, tokenizer: Tokenizer, *, is_multilingual: bool) -> None:
        # Else a prompt that spells marks could end itself, and put words into the transcript.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.is_multilingual = is_multilingual
        self.languages = frozenset(self._languages() if is_multilingual else ["en"])

    def tokens(self, text: str) -> Tokens:
        ids: Tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def text(self, tokens: Tokens) -> str:
        text: str = self._tokenizer.decode(tokens)
        return text

    def mark(self, *names: str) -> int:
        """The first of those that there are. Raises ValueError."""
        for name in names:
            token: int | None = self._tokenizer.token_to_id(f"<|{name}|>")
            if token is not None:
                return token
        raise ValueError(f"there is no token <|{names[0]}|>")

    def start(self, told: Tokens, language: str | None, task: Task = "transcribe") -> Tokens:
        """What comes before the text. Language and task do not matter where the model has one language only:
        it transcribes.
        """
        before = [self.mark("startofprev"), *told] if told else []
        asked = [self.mark(str(language)), self.mark(task)] if self.is_multilingual else []
        return [*before, self.mark("startoftranscript"), *asked, self.mark("notimestamps")]

    def words(self, tokens: Tokens, language: str | None) -> list[Part]:
        """Marks are words too, and so is each character in a language that does without spaces."""
        pieces = self._characters(tokens)
        if self.is_multilingual and language in _UNSPACED:
            return pieces
        words: list[Part] = []
        for text, count in pieces:
            if not words or text.startswith(" ") or text.strip() in punctuation:
                words.append((text, count))
            else:
                begun, before = words.pop()
                words.append((begun + text, before + count))
        return words

    def _characters(self, tokens: Tokens) -> list[Part]:
        """The shortest pieces that are whole characters, or stay broken ones."""
        whole, pieces, first, at = self.text(tokens), list[Part](), 0, 0
        for after in range(1, len(tokens) + 1):
            text = self.text(tokens[first:after])
            broken = text.find(_BROKEN)
            if broken < 0 or whole[at + broken : at + broken + 1] == _BROKEN:
                pieces.append((text, after - first))
                first, at = after, at + len(text)
        return pieces

    def _languages(self) -> list[str]:
        marks = range(self.mark("startoftranscript") + 1, self.mark("translate"))
        return [str(self._tokenizer.id_to_token(token)).strip("<|>") for token in marks]
