"""Formulas over the columns of a table: read, checked and calculated with numpy; nothing is ever run as Python.

    rank("ESM-IF1") + 0.5 * z(TranceptEVE_L) - abs(hydropathy) / 10

The text is cut into tokens first, and every name is looked up there: what reaches `ast` holds only numbers, operators,
our own functions and numbered columns.
"""

import ast
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from flex.errors import ParseError
from flex.proteins.ranks import Floats, average_ranks

LONGEST = 4000
"""Characters of a formula."""
DEEPEST = 30
"""Brackets within brackets."""
MOST_NODES, MOST_CALLS = 800, 120
MOST_WORK = 50_000_000
"""Parts of a formula times rows: some seconds at most, on a table of half a million rows, too."""
LARGEST_EXPONENT = 8
TRIMMED = 0.1
"""The share that `trimmed_mean` of one column leaves out at either end."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?!["'`\w])
    |(?P<quoted>"[^"]*"|'[^']*'|`[^`]*`)(?!["'`\w])
    |(?P<operator>\*\*|[-+*/(),]))""",
    re.VERBOSE | re.ASCII,
)
_TYPOGRAPHY = str.maketrans("−–×·÷“”‘’", "--**/\"\"''")
_OPERATORS: Mapping[type[ast.operator], Callable[[Floats, Floats], Floats]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
}
_COLUMN = re.compile(r"_(\d+)\b")


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was checked: it can be calculated on any table that has its columns."""

    tree: ast.expr
    columns: tuple[str, ...]
    """By number, as they stand in the tree."""

    def values(self, table: Mapping[str, Floats]) -> Floats:
        """One finite number per row. Raises ParseError, to be shown to whoever wrote the formula."""
        rows = len(next(iter(table.values())))
        if (parts := self.parts()) * rows > MOST_WORK:
            raise ParseError(
                f"the formula is too large for {rows} rows: it has {parts} parts (a call of a function counts as ten), "
                f"at most {MOST_WORK // rows} are calculated"
            )
        with np.errstate(all="ignore"):  # what is not finite is refused below, in words
            found = np.broadcast_to(np.asarray(self._value(self.tree, table, rows), dtype=np.float64), rows)
        if bad := int((~np.isfinite(found)).sum()):
            raise ParseError(
                f"the formula gives no finite number for {bad} of {rows} rows: a number is too large, or a power of a "
                "negative number is not real; use rank() or z() to keep values small"
            )
        return found

    def parts(self) -> int:
        """How much there is to calculate for a row; a call of a function counts as ten, it may have to sort."""
        return sum(10 if isinstance(node, ast.Call) else 1 for node in ast.walk(self.tree))

    def _value(self, node: ast.expr, table: Mapping[str, Floats], rows: int) -> Floats:
        match node:
            case ast.Constant(value=float(number)):
                return np.float64(number)  # type: ignore[return-value]
            case ast.Name(id=name):
                return table[self.columns[int(name[1:])]]
            case ast.UnaryOp(op=sign, operand=operand):
                value = self._value(operand, table, rows)
                return -value if isinstance(sign, ast.USub) else value
            case ast.BinOp(left=left, right=right):
                return self._combined(node, self._value(left, table, rows), self._value(right, table, rows))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                given = [self._value(argument, table, rows) for argument in arguments]
                return _called(name, [np.broadcast_to(value, rows) for value in given])
        raise ParseError(f"'{self._source(node)}' has no meaning in a formula")

    def _combined(self, operation: ast.BinOp, left: Floats, right: Floats) -> Floats:
        if combine := _OPERATORS.get(type(operation.op)):
            return combine(left, right)
        if zeros := int((np.asarray(right) == 0).sum()):
            where = f"for {zeros} of {np.size(right)} rows" if np.size(right) > 1 else "everywhere"
            raise ParseError(f"division by zero: the divisor {self._source(operation.right)} is 0 {where}")
        return left / right

    def _source(self, node: ast.expr) -> str:
        return _COLUMN.sub(lambda number: f'"{self.columns[int(number[1])]}"', ast.unparse(node))[:80]


def parse_formula(text: str, columns: Collection[str]) -> Formula:
    """The formula in a text. Raises ParseError saying what to change."""
    if len(text) > LONGEST:
        raise ParseError(f"the formula has {len(text):,} characters; {LONGEST:,} is the most")
    used: dict[str, int] = {}
    source = " ".join(_translated(text.translate(_TYPOGRAPHY), columns, used))
    if not source:
        raise ParseError("the formula is empty")
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParseError("this is no formula: an operator, a bracket or a comma is missing or too many") from error
    _check(tree)
    return Formula(tree, tuple(used))


def _translated(text: str, columns: Collection[str], used: dict[str, int]) -> Iterator[str]:
    """The tokens, columns numbered in order of first use, numbers as they are written in Python."""
    place, depth, signs = 0, 0, 0
    text = text.rstrip()
    while place < len(text):
        if (token := _TOKEN.match(text, place)) is None:
            raise ParseError(_meaningless(text[place:].lstrip()))
        place = token.end()
        kind, word = str(token.lastgroup), str(token[token.lastgroup or 0])
        depth += {"(": 1, ")": -1}.get(word, 0)
        signs = signs + 1 if word in "+-" else 0
        if depth > DEEPEST or signs > DEEPEST:
            raise ParseError(
                f"the formula is nested too deeply; {DEEPEST} brackets or signs within one another is most"
            )
        if kind == "number":
            if not np.isfinite(number := float(word)):
                raise ParseError(f"the number {word[:20]} is too large")
            yield repr(number)
        elif kind == "operator":
            yield word
        elif kind == "name" and (bare := _bare(text, token.start(kind), word, columns)):
            place = token.start(kind) + len(bare)
            yield f"_{used.setdefault(bare, len(used))}"
        elif kind == "name" and text[place:].lstrip().startswith("("):
            if word not in FUNCTIONS:
                raise ParseError(f"unknown function '{word[:40]}'; there are {', '.join(FUNCTIONS)}")
            yield word
        else:
            name = _column(word if kind == "name" else word[1:-1], columns)
            yield f"_{used.setdefault(name, len(used))}"


def _bare(text: str, start: int, word: str, columns: Collection[str]) -> str | None:
    """The column that begins with a word that means nothing else: ESM-IF1 without quotes, where there is no ESM."""
    if word in columns or word in FUNCTIONS:
        return None
    ends = {start + len(name): name for name in columns if text.startswith(name, start)}
    return next((ends[end] for end in sorted(ends, reverse=True) if not re.match(r"\w", text[end : end + 1])), None)


def _meaningless(rest: str) -> str:
    word = rest[:12] if rest[0].isprintable() else repr(rest[0])
    return (
        f"'{word}' has no meaning in a formula, which consists of numbers, column names (in double quotes unless they "
        f"are plain words), + - * / **, brackets, commas and the functions {', '.join(FUNCTIONS)}"
    )


def _column(word: str, columns: Collection[str]) -> str:
    if word in columns:
        return word
    near = [name for name in columns if word and word.casefold() in name.casefold()]
    near = (near or get_close_matches(word[:80], columns, 3, 0.5) or list(columns))[:8]
    names = ", ".join(f'"{name}"' for name in near)
    raise ParseError(f"unknown column '{word[:80]}'; there is {names}{' and so on' if len(near) == 8 else ''}")


def _check(tree: ast.expr) -> None:
    """Raises ParseError for anything but arithmetic and calls of our functions, and for too much of it."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if len(nodes) > MOST_NODES or len(calls) > MOST_CALLS:
        raise ParseError(
            f"the formula is too large: {MOST_CALLS} calls of functions and {MOST_NODES} parts is the most"
        )
    for node in nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            _check_exponent(node.right)
        if not isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call | ast.Name | ast.Constant):
            raise ParseError("a comma has a meaning only between the arguments of a function")
    for call in calls:
        if call.keywords or not call.args or not isinstance(call.func, ast.Name):
            raise ParseError("a function takes one or more columns or terms in brackets, with commas between them")
        if call.func.id not in FUNCTIONS:  # a column, by its number
            raise ParseError(
                "a column stands right before a bracket, as if it were a function: an operator is missing, "
                f"or the column's name goes on; the functions are {', '.join(FUNCTIONS)}"
            )


def _check_exponent(node: ast.expr) -> None:
    while isinstance(node, ast.UnaryOp):
        node = node.operand
    if not (isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value <= LARGEST_EXPONENT):
        raise ParseError(f"an exponent has to be a plain number from -{LARGEST_EXPONENT} to {LARGEST_EXPONENT}")


def _called(name: str, given: list[Floats]) -> Floats:
    if name in _OF_ONE and len(given) != 1:
        raise ParseError(f"{name}() takes one column or term, not {len(given)}")
    if name not in _OF_ANY_VALUE and not all(np.isfinite(values).all() for values in given):
        raise ParseError(f"{name}() is given numbers that are too large, or a root of a negative number")
    if name in _OF_ONE:
        return _OF_ONE[name](given[0])
    if name == "trimmed_mean":
        return _trimmed_mean(given)
    return _ACROSS[name](given[0]) if len(given) == 1 else _ACROSS[name](np.stack(given), axis=0)


def _rank(values: Floats) -> Floats:
    return (average_ranks(values) - 1) / max(1, len(values) - 1)


def _z(values: Floats) -> Floats:
    if (spread := float(values.std())) < 1e-12 * max(1.0, float(np.abs(values).max())):
        raise ParseError("z() of something that is the same for all rows: it has no spread")
    return np.asarray((values - values.mean()) / spread)


def _log(values: Floats) -> Floats:
    if (low := float(values.min())) <= 0:
        raise ParseError(f"log() needs numbers above 0, but the smallest is {low:.4g}; shift it, or use rank()")
    return np.log(values)


def _trimmed_mean(given: list[Floats]) -> Floats:
    if len(given) == 2:
        raise ParseError("trimmed_mean() takes one column, or three and more terms to compare row by row")
    values = np.sort(given[0] if len(given) == 1 else np.stack(given), axis=0)
    cut = int(TRIMMED * len(values)) if len(given) == 1 else 1
    return np.asarray(values[cut : len(values) - cut].mean(axis=0))


_OF_ONE: Mapping[str, Callable[[Floats], Floats]] = {"rank": _rank, "z": _z, "log": _log, "abs": np.abs}
_ACROSS: Mapping[str, Callable[..., Floats]] = {"min": np.min, "max": np.max, "mean": np.mean, "median": np.median}
"""Of one column a single number; of several row by row."""
_OF_ANY_VALUE = ("log", "abs", "trimmed_mean")
"""What is not finite they pass on, to be found in the result."""
FUNCTIONS = (*_OF_ONE, *_ACROSS, "trimmed_mean")
