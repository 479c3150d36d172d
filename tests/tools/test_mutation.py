"""Wrong modules, and whether tests notice: every small change there is, and none that is none."""

from pathlib import Path

import pytest

from tools import mutate
from tools.mutation.mutants import Change, mutants
from tools.mutation.trial import Broken, Target, baseline, survivors, warm_up


def wrong(source: str) -> list[str]:
    return [mutant.change.after for mutant in mutants(source, "m.py")]


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("x = a < b", ["x = a <= b"]),
        ("x = a == b != c", ["x = a != b != c", "x = a == b == c"]),
        ("x = a and b", ["x = a or b"]),
        ("x = not a", ["x = a"]),
        ("x = a + b", ["x = a - b"]),
        ("x = -a", ["x = a"]),
        ("x = 1", ["x = 2"]),
        ("x = True", ["x = False"]),
        ("x = 'a'", ["x = 'ax'"]),
        ("x = min(a)", ["x = max(a)"]),
        ("x += a", ["x -= a", "pass"]),
        ("x |= a", ["x &= a", "pass"]),
        ("x.y = a", ["pass"]),
        ("f(a)", ["pass"]),
        ("raise a", ["pass"]),
        ("if a:\n  x", ["if not a:", "pass"]),
        ("while a():\n  break", ["while not a():", "pass"]),
        ("x = a if b else c", ["x = a if not b else c"]),
        ("def f():\n  return a", ["return None"]),
        ("def f(x=1):\n  ...", ["def f(x=2):"]),
        ("match a:\n  case 1 if b > c:\n    x", ["case 2 if b > c:", "case 1 if b >= c:", "pass"]),
        ("f'{a + b} {1}'", ["pass", "f'{a - b} {1}'", "f'{a + b} {2}'"]),
    ],
)
def test_whatever_can_be_wrong_is_made_wrong(source: str, after: list[str]) -> None:
    assert sorted(after) == sorted(wrong(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is: 1 < 2."""',
        "assert a < 1",
        "import a",
        "x: int | None",
        "def f(x: Literal['a']) -> int | None:\n  ...",
        "Kind = Literal['a']",
        "T = TypeVar('T')",
        "@dataclass(frozen=True)\nclass A(B):\n  ...",
        "message = 'Two words.'",
        "write(logging.INFO, 'started', a + b)",
        "def f():\n  return None",
        "x = f'abc{d}'",
    ],
)
def test_what_runs_all_the_same_is_left_alone(source: str) -> None:
    assert [] == wrong(source)


def test_a_mutant_is_told_by_where_it_is_and_not_by_its_line() -> None:
    (mutant,) = mutants("class A:\n  def f(self):\n    x = a < b\n", "m.py")

    assert (Change("A.f", "x = a < b", "x = a <= b"), 3) == (mutant.change, mutant.line)


def test_each_mutant_runs_as_it_is_shown() -> None:
    results = []
    for mutant in mutants("x = 2 + 3", "m.py"):
        names: dict[str, int] = {}
        exec(mutant.code, names)
        results.append((mutant.change.after, names["x"]))

    assert [("x = 2 - 3", -1), ("x = 3 + 3", 6), ("x = 2 + 4", 6)] == results


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    (tmp_path / "toy.py").write_text("def larger(a, b):\n  return a > b or a == b + 1 - 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    warm_up()
    return Target("toy", tmp_path / "toy.py", ["test_toy.py"])


def test_what_no_test_notices_survives(toy: Target) -> None:
    toy.path.with_name("test_toy.py").write_text("import toy\ndef test(): assert toy.larger(2, 1)\n")
    usual = baseline(toy)

    left = survivors(toy, list(mutants(toy.path.read_text(), "toy.py")), usual=usual, workers=2)

    assert {
        "return a >= b or a == b + 1 - 1",
        "return a > b or a != b + 1 - 1",
        "return a > b or a == b - 1 - 1",
        "return a > b or a == b + 1 + 1",
        "return a > b or a == b + 2 - 1",
        "return a > b or a == b + 1 - 2",
    } == {mutant.change.after for mutant in left}


@pytest.mark.parametrize(
    ("tests", "told"),
    [("def test(): assert False", "fail as they are"), ("", "has no tests")],
    ids=["tests that fail", "no tests"],
)
def test_without_tests_that_pass_nothing_is_judged(toy: Target, tests: str, told: str) -> None:
    toy.path.with_name("test_toy.py").write_text(tests)

    with pytest.raises(Broken, match=told):
        baseline(toy)


@pytest.mark.parametrize("name", mutate.equivalents())
def test_what_nobody_could_notice_is_still_there(name: str) -> None:
    there = {mutant.change for mutant in mutate.all_mutants(name)}

    assert [] == [change for change in mutate.equivalents()[name] if change not in there]


@pytest.mark.parametrize("name", mutate.equivalents())
def test_few_mutants_are_nobodys_fault(name: str) -> None:
    assert len(mutate.equivalents()[name]) <= len(mutate.all_mutants(name)) / 5
