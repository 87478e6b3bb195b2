"""The fields of a configuration: what they take, the sentence below each of them, and the flags that say them."""

import ast
import inspect
import json
import math
import shlex
import textwrap
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from flex.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Range:
    """Which numbers a field takes, and the words for them."""

    words: str
    least: float
    inclusive: bool = True
    most: float = math.inf

    def accepts(self, value: float) -> bool:
        enough = value > self.least or (self.inclusive and value == self.least)
        return math.isfinite(value) and enough and value <= self.most


Positive = Annotated[int, Range("a whole number from 1", 1)]
Natural = Annotated[int, Range("a whole number from 0", 0)]
AboveZero = Annotated[float, Range("a number above 0", 0, inclusive=False)]
FromZero = Annotated[float, Range("a number from 0", 0)]
Temperature = Annotated[float, Range("a number from 0 to 2", 0, most=2)]


class Checked:
    """A configuration that refuses values it cannot be run with. Raises SettingsError naming field and value."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            value = getattr(self, name)
            if value is None or not (options := alternatives(hint)):
                continue
            if Path in options and isinstance(value, str):
                object.__setattr__(self, name, Path(value))
            elif tuple[str, ...] in options and isinstance(value, str):
                object.__setattr__(self, name, names_in(value))
            elif problem := next(filter(None, (_problem(option, value) for option in options)), None):
                raise SettingsError(f"{name} has to be {problem}, not {value!r}")


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a field takes, None left out: (int,) of `int | None`."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(option for option in options if option is not NoneType)


def names_in(text: str) -> tuple[str, ...]:
    """The names in a comma-separated list, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def range_of(hint: Any) -> Range | None:
    """The range of an annotated number, None where the type is no such number."""
    return next((mark for mark in get_args(hint)[1:] if isinstance(mark, Range)), None)


@cache
def field_docs(kind: type) -> dict[str, str]:
    """The sentence below each field of a configuration, those it inherits included."""
    docs: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        if is_dataclass(base):
            definition = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
            assert isinstance(definition, ast.ClassDef)
            for one, after in pairwise(definition.body):
                if isinstance(one, ast.AnnAssign) and isinstance(after, ast.Expr):
                    docs[one.target.id] = " ".join(ast.literal_eval(after.value).split())  # type: ignore[union-attr]
    return docs


def _problem(hint: Any, value: Any) -> str | None:
    """What a value has to be when it is not what the type says; only ranges and choices are checked."""
    if (allowed := range_of(hint)) is not None:
        whole = get_args(hint)[0] is int
        number = not isinstance(value, bool) and isinstance(value, int if whole else int | float)
        return None if number and allowed.accepts(value) else allowed.words
    if get_origin(hint) is Literal and value not in get_args(hint):
        return f"one of {', '.join(get_args(hint))}"
    return None


def as_command(command: str, run: Any, *, below: Path, leave_out: Collection[str] = ()) -> str:
    """The command that says this run; what is as by default is left out, paths are as seen from a folder."""
    return shlex.join([*command.split(), *_words(run, below, leave_out)])


def _words(run: Any, below: Path, leave_out: Collection[str]) -> list[str]:
    words: list[str] = []
    for one in fields(run):
        value = getattr(run, one.name)
        default = one.default if one.default_factory is MISSING else one.default_factory()
        if one.name in leave_out or value == default:
            continue
        if is_dataclass(value):
            words += _words(value, below, leave_out)
        elif isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{one.name}")
        else:
            words += [f"--{one.name}", _word(value, below)]
    return words


def _word(value: Any, below: Path) -> str:
    if isinstance(value, Path):
        return str(value.relative_to(below) if value.is_relative_to(below) else value)
    if isinstance(value, Mapping):
        return json.dumps(value)
    return ",".join(value) if isinstance(value, tuple) else str(value)
