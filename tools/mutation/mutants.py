"""Every small thing that can be wrong in a module, one at a time: what its tests have to notice."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final, NamedTuple


class Change(NamedTuple):
    """What tells a mutant from all others, wherever the lines of its module move."""

    where: str
    """The function or class it is in, and those around that."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutant:
    change: Change
    line: int
    code: CodeType


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Types, decorators, assertions, log lines and texts for people stay as they are."""
    tree = ast.parse(source)
    for spot in _spots(tree, _Place("", tree)):
        for wrong in _wrongs(spot.node):
            before = _shown(spot.place.statement)
            spot.put(ast.copy_location(wrong, spot.node))
            code = compile(ast.fix_missing_locations(tree), path, "exec")
            statement = wrong if isinstance(wrong, ast.stmt) else spot.place.statement
            yield Mutant(Change(spot.place.where, before, _shown(statement)), spot.node.lineno, code)
            spot.put(spot.node)


@dataclass(frozen=True, slots=True)
class _Place:
    where: str
    statement: ast.AST


@dataclass(frozen=True, slots=True)
class _Spot:
    """A node, and where its parent holds it."""

    node: Any
    place: _Place
    parent: ast.AST
    field: str
    index: int | None

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


_LEFT_ALONE: Final = {"annotation", "returns", "decorator_list", "bases", "type_params", "type_comment"}


def _spots(parent: ast.AST, place: _Place) -> Iterator[_Spot]:
    for field, value in ast.iter_fields(parent):
        nodes = value if isinstance(value, list) else [value]
        for at, node in enumerate(nodes):
            if field in _LEFT_ALONE or not isinstance(node, ast.AST) or _is_left_alone(node, parent):
                continue
            inside = _inside(node, place)
            yield _Spot(node, inside, parent, field, at if isinstance(value, list) else None)
            yield from _spots(node, inside)


def _inside(node: ast.AST, place: _Place) -> _Place:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return _Place(f"{place.where}.{node.name}".removeprefix("."), node)
    return _Place(place.where, node) if isinstance(node, ast.stmt | ast.match_case) else place


def _is_left_alone(node: ast.AST, parent: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()):
            return True
        case ast.Subscript(ast.Name("Literal" | "Annotated")) | ast.Call(ast.Name("TypeVar" | "write")):
            return True
        case ast.Constant(str(text)):
            return " " in text or isinstance(parent, ast.JoinedStr)
        case _:
            return False


def _wrongs(node: ast.AST) -> Iterator[ast.AST]:
    yield from _wrong_expressions(node)
    yield from _wrong_statements(node)


def _wrong_expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left, ops, comparators):
            for at, op in enumerate(ops):
                yield ast.Compare(left, [*ops[:at], _COMPARED[type(op)](), *ops[at + 1 :]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.BinOp(left, op, right) if type(op) in _CALCULATED:
            yield ast.BinOp(left, _CALCULATED[type(op)](), right)
        case ast.Constant(value) if (wrong := _another(value)) is not None:
            yield ast.Constant(wrong)
        case ast.Name(name, context) if name in _NAMED:
            yield ast.Name(_NAMED[name], context)
        case ast.IfExp(test, body, otherwise) if _is_plain(test):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, otherwise)
        case _:
            pass


def _wrong_statements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.If(test, body, orelse) if _is_plain(test):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.While(test, body, orelse) if _is_plain(test):
            yield ast.While(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.AugAssign(target, op, value):
            yield ast.AugAssign(target, {**_CALCULATED, ast.BitOr: ast.BitAnd}[type(op)](), value)
            yield ast.Pass()
        case ast.Return(value) if not _is_nothing(value):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value) if not _is_left_alone(value, node):
            yield ast.Pass()
        case ast.Raise() | ast.Delete() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign(targets) if not all(isinstance(target, ast.Name) for target in targets):
            yield ast.Pass()
        case _:
            pass


def _is_plain(test: ast.expr) -> bool:
    """Others are turned round by what is inside them."""
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)


def _is_nothing(value: ast.expr | None) -> bool:
    """None is no more wrong than what is as false."""
    return value is None or (isinstance(value, ast.Constant) and not value.value)


def _another(value: object) -> str | bytes | float | None:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case bytes():
            return value + b"x"
        case _:
            return None


_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
# Not `|`, which mostly joins types.
_CALCULATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Pow: ast.Mult,
}
_NAMED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


def _shown(statement: ast.AST) -> str:
    """Its first line, or all of what is no block."""
    if isinstance(statement, ast.match_case):
        return ast.unparse(ast.Match(ast.Name("_"), [statement])).splitlines()[1].strip()
    lines: Sequence[str] = ast.unparse(statement).splitlines()
    head = next((line for line in lines if not line.startswith("@")), "")
    return head if hasattr(statement, "body") else "\n".join(lines)
