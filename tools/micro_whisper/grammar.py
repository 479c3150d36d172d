"""Random English sentences over a lexicon of about 600 words.

What is said and how often is data; a seed always gives the same sentences. The order of the draws is part of
that: changing it changes every data set, and the tokenizer, which is trained on these sentences too.
"""

import random
import re
from collections.abc import Callable
from typing import Final

LEXICON: Final = {
    kind: words.split()
    for kind, words in {
        "name": """
            Anna Peter Maria David Sarah Thomas Laura Michael Emma Daniel Julia Robert Helen Martin Alice
            Simon Oliver Rachel Victor Diana George Sophie Henry Clara Jack Lucy""",
        "city": """
            London Paris Berlin Madrid Rome Vienna Boston Chicago Dublin Tokyo Sydney Moscow Oslo Lisbon
            Prague Denver Toronto Athens""",
        "month": """
            January February March April May June July August September October November December""",
        "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "color": """
            red blue green yellow black white brown orange purple pink grey golden silver dark bright""",
        "animal": """
            dog cat horse cow bird fish mouse rabbit lion tiger bear wolf elephant monkey duck chicken sheep
            fox""",
        "noun": """
            house car table chair window door garden river mountain street market school office kitchen
            bottle letter book paper pencil phone camera computer screen keyboard machine engine train
            station airport bridge island forest beach ocean lake village city country hospital doctor
            teacher student farmer driver lawyer artist singer soldier king queen brother sister mother
            father friend child baby woman man people family apple banana bread butter cheese coffee sugar
            water milk dinner breakfast lunch cake potato tomato lemon soup rice garden hat coat shirt shoe
            jacket pocket money bank ticket map key lamp clock mirror box bag basket knife spoon plate glass
            cup music song story picture movie game ball team player question answer problem idea plan
            project report meeting message number name word language voice sound noise signal network server
            client stream session model buffer microphone speaker channel record system program button
            switch light battery power test result error value morning evening night summer winter spring
            weather rain snow wind storm cloud sky sun moon star world""",
        "adj": """
            big small old new young long short tall happy sad angry tired hungry hot cold warm fast slow
            quick heavy clean dirty empty full open quiet loud strong weak rich poor cheap simple difficult
            beautiful ugly clever careful famous friendly strange special important dangerous perfect modern
            wooden broken early late ready busy""",
        "verb3": """
            takes finds sees keeps brings loves opens closes builds breaks carries watches follows checks
            moves cleans sells pushes pulls throws catches draws paints fixes holds leaves drops changes
            needs wants likes hates uses""",
        "verbp": """
            took found saw kept brought loved opened closed built broke carried watched followed checked
            moved cleaned sold pushed pulled threw caught drew painted fixed held left dropped changed
            needed wanted liked hated used""",
        "verb": """
            take find keep bring open close build break carry watch follow check move clean sell push pull
            throw catch draw paint fix hold leave drop change use start stop play save send delete show call
            help remember forget explain describe""",
        "adv": """
            slowly quickly quietly always never often usually again together outside upstairs carefully
            suddenly finally almost maybe really today tomorrow yesterday tonight soon now later
            everywhere""",
        "prep": """
            under behind near beside above below inside across around between before after without against
            toward""",
        "num": "one two three four five six seven eight nine",
        "teen": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
        "tens": "twenty thirty forty fifty sixty seventy eighty ninety",
        "letter": "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
        "nato": """
            alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike oscar papa quebec
            romeo sierra tango uniform whiskey yankee zulu""",
        "subj": "he she it they we you somebody everybody nobody",
        "misc": """
            yes please thank hello goodbye sorry welcome because while although every another both many few
            more most enough something anything nothing here where when who what how which could should
            would must might will also only still even just very too much about into over with from through
            until during""",
        "unit": "seconds minutes hours days weeks months years meters miles dollars percent degrees",
    }.items()
}

# Homophones of other words stand only where the sentence tells which one is meant.
_HOMOPHONES = {"one", "two", "four", "eight", "I", "you", "too", "it", "A"}
_SALAD = sorted({w for kind, ws in LEXICON.items() if kind != "letter" for w in ws} - _HOMOPHONES)

_CHOICES: Final = {
    **LEXICON,
    "salad": _SALAD,
    "digit": [*LEXICON["num"], "zero"],
    "determiner": [*["the"] * 3, "a", "this", "that", "my", "your", "his", "her", "our", "their", "every"],
    "preposition": [*LEXICON["prep"], "in", "on", "at", "with", "from", "for", "to"],
    "quality": LEXICON["adj"] + LEXICON["color"],
    "being": LEXICON["noun"] + LEXICON["animal"],
    "did": LEXICON["verb3"] + LEXICON["verbp"],
    "be": ["is", "was"],
    "modal": ["will", "can", "must", "should", "could", "would", "might"],
    "degree": ["", "very ", "not ", "really "],
    "hedge": ["", "", "not ", "always ", "never "],
    "courtesy": ["please ", "", "", "now "],
    "link": [", and ", ", but ", " because ", " while ", " when "],
    "spelling": ["the code is ", "spell "],
    "question": [
        *("where is", "what is", "who is", "how is", "did you see", "do you like", "can you find"),
        *("will you bring", "have you seen", "is this", "why is"),
    ],
    "fact": [
        "I have {number} {unit}.",
        "the {noun} number is {number}.",
        "wait {number} {unit}, then {verb} {thing}.",
        "channel {number} is {adj}.",
        "it costs {number} dollars.",
        "{number} plus {number} equals {number}.",
        "we leave {city} on {day}, {month} {pair}.",
        "{name} lives in {city}.",
        "from {city} to {city} in {number} {unit}.",
    ],
}
"""What may stand in a slot, all equally likely. A choice may have slots of its own."""

_SET_PHRASES: Final = [
    "hello, how are you today?",
    "thank you very much.",
    "good morning, everybody.",
    "yes, of course.",
    "no, thank you.",
    "I do not know.",
    "hello world.",
    "this is a test.",
    "see you tomorrow.",
    "what time is it?",
    "my name is {name}.",
    "good evening, {name}.",
    "thank you, {name}.",
    "start the stream now.",
    "stop the session, please.",
    "the quick brown fox jumps over the lazy dog.",
    "can you hear me?",
    "one two three testing.",
]
_IMPERATIVE_ENDS: Final = ["", " {place}", " {adv}"]

Shares = list[tuple[float, str]]
"""Templates, each with the share of draws up to and including it."""

_NUMBERS: Shares = [
    (0.25, "{num}"),
    (0.4, "{teen}"),
    (0.55, "{tens}"),
    (0.75, "{tens} {num}"),
    (1, "{large}"),
]
_THINGS: Shares = [(0.12, "{name}"), (0.5, "{noun}"), (0.85, "{quality} {being}"), (1, "{animal}")]
_CLAUSES: Shares = [(0.55, "deed"), (0.75, "state"), (1, "intent")]
_SENTENCES: Shares = [
    (0.27, "{clause}."),
    (0.35, "{clause}{link}{clause}."),
    (0.45, "{courtesy}{verb} {thing}{imperative_end}."),
    (0.52, "{question} {thing}{question_end}?"),
    (0.62, "{fact}"),
    (0.66, "number {digits}."),
    (0.69, "{spelling}{letters}."),
    (0.72, "{natos}."),
    (0.75, "{set_phrase}"),
    (1, "{salads}."),
]
_PLURAL = ("they", "we", "you")


def utterance(rng: random.Random, max_words: int = 22) -> str:
    """One to three sentences, capitalised like ordinary text."""
    said: list[str] = []
    length = 0
    for _ in range(rng.choice([1, 1, 1, 1, 2, 2, 3])):
        sentence = _expand(rng, _draw(rng, _SENTENCES))
        words = len(sentence.split())
        if said and length + words > max_words:
            break
        said.append(sentence[0].upper() + sentence[1:])
        length += words
    return " ".join(said)


def vocabulary() -> frozenset[str]:
    """Every word the grammar knows, in lower case."""
    sentences = [template for _, template in _SENTENCES]
    choices = [choice for choices in _CHOICES.values() for choice in choices]
    templates = [*sentences, *choices, *_SET_PHRASES, "hundred thousand and were"]
    return frozenset(re.findall(r"[a-z']+", re.sub(r"\{\w+\}", "", " ".join(templates)).lower()))


def _expand(rng: random.Random, template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda slot: _fill(rng, slot[1]), template)


def _fill(rng: random.Random, slot: str) -> str:
    return _expand(rng, rng.choice(_CHOICES[slot])) if slot in _CHOICES else _PARTS[slot](rng)


def _draw(rng: random.Random, shares: Shares) -> str:
    at = rng.random()
    return next(template for share, template in shares if at < share)


def _perhaps(rng: random.Random, share: float, template: str) -> str:
    return _expand(rng, template) if rng.random() < share else ""


def _several(rng: random.Random, slot: str, count: int) -> str:
    return " ".join(rng.choice(_CHOICES[slot]) for _ in range(count))


def _one_spelled_out(rng: random.Random, templates: list[str]) -> str:
    """Unlike other choices, all are spelled out before one is taken."""
    return rng.choice([_expand(rng, template) for template in templates])


def _clause(rng: random.Random) -> str:
    shape = _draw(rng, _CLAUSES)
    subject = _thing(rng) if rng.random() < 0.6 else rng.choice(LEXICON["subj"])
    plural = subject in _PLURAL
    did = _fill(rng, "verbp" if plural else "did")
    return f"{subject} {_predicate(rng, shape, plural=plural, did=did)}"


def _predicate(rng: random.Random, shape: str, *, plural: bool, did: str) -> str:
    if shape == "deed":
        return did + _expand(rng, " {thing}") + _perhaps(rng, 0.5, " {place}") + _perhaps(rng, 0.3, " {adv}")
    if shape == "state":
        be = "were" if plural else _fill(rng, "be")
        return be + _expand(rng, " {degree}{adj}") + _perhaps(rng, 0.5, " {place}")
    return _expand(rng, "{modal} {hedge}{verb} {thing}") + _perhaps(rng, 0.4, " {place}")


def _thing(rng: random.Random) -> str:
    template = _draw(rng, _THINGS)
    determiner = _fill(rng, "determiner")
    noun = _expand(rng, template)
    if template == "{name}":
        return noun
    article = "the" if determiner == "a" and noun[0] in "aeiou" else determiner
    return f"{article} {noun}"


def _large(rng: random.Random) -> str:
    digit = _fill(rng, "num")
    if rng.random() < 0.6:
        return f"{digit} hundred" + _perhaps(rng, 0.5, " and {pair}")
    return f"{digit} thousand" + _perhaps(rng, 0.5, " {pair}")


def _pair(rng: random.Random) -> str:
    return _expand(rng, "{tens} {num}" if rng.random() < 0.6 else "{teen}")


_PARTS: Final[dict[str, Callable[[random.Random], str]]] = {
    "clause": _clause,
    "thing": _thing,
    "place": lambda rng: _expand(rng, "{preposition} {thing}"),
    "number": lambda rng: _expand(rng, _draw(rng, _NUMBERS)),
    "large": _large,
    "pair": _pair,
    "digits": lambda rng: _several(rng, "digit", rng.randint(2, 7)),
    "letters": lambda rng: _several(rng, "letter", rng.randint(2, 5)),
    "natos": lambda rng: _several(rng, "nato", rng.randint(2, 5)),
    "salads": lambda rng: _several(rng, "salad", rng.choice([1, 1, 2, 3, 4, 5, 6, 7, 8, 9])),
    "imperative_end": lambda rng: _one_spelled_out(rng, _IMPERATIVE_ENDS),
    "question_end": lambda rng: "" if rng.random() < 0.6 else _expand(rng, " {place}"),
    "set_phrase": lambda rng: _one_spelled_out(rng, _SET_PHRASES),
}
"""What a slot is filled with where a plain choice is not enough."""


def main() -> None:
    rng = random.Random(0)  # noqa: S311 - sentences, not secrets
    for _ in range(20):
        print(utterance(rng))
    print(len(vocabulary()), "words")


if __name__ == "__main__":
    main()
