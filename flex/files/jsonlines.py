"""A file of one JSON object per line, and the values of flex/types.py as JSON."""

import functools
import json
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from flex.errors import RunError
from flex.files.atomic import json_bytes
from flex.files.locks import beside

T = TypeVar("T")


def to_jsonable(value: Any) -> Any:
    """The value as JSON knows it: dataclasses become objects, tuples and sets lists, anything unknown its text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_jsonable(inner) for inner in value]
    return str(value)


def decode(kind: type[T], value: Any) -> T:
    """The value of flex/types.py that `to_jsonable` made this of. Raises RunError when it is none."""
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_python(value)  # type: ignore[no-any-return, arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "value"
        raise RunError(f"a logged {kind.__name__} cannot be read back: {where}: {first['msg']}") from error


@functools.cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def strict_json(content: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError also for what Python alone would let pass, and nobody can mean.

    That is NaN, Infinity, a number too large to hold, a key that comes twice, brackets without end.
    """
    try:
        return json.loads(content, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_key_once)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is too large a number")
    return number


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key '{next(name for name in names if names.count(name) > 1)}' comes twice")
    return found


class JsonLines:
    """A file of one JSON object per line: appended to by one process (any of its threads), read by everyone.

    Every row is handed to the operating system at once, so a killed process loses none; `sync` brings them to disk.
    A last line torn by a crash is dropped, by readers and before the first row is appended.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = beside(self.path)
        self._appending = threading.Lock()
        self._file: BinaryIO | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows; none if there is no file. Raises RunError naming the line that is not a JSON object."""
        return (row for _, row in self._numbered())

    def read(self, kind: Callable[[dict[str, Any]], T]) -> list[T]:
        """What `kind` makes of every row. Raises RunError naming the line of which it makes nothing."""
        found: list[T] = []
        for number, row in self._numbered():
            try:
                found.append(kind(row))
            except (RunError, KeyError, TypeError, AttributeError) as error:  # a damaged row may lack anything
                problem = f"it has no {error}" if isinstance(error, KeyError) else str(error)
                raise RunError(f"{self.path}, line {number}: {problem}") from error
        return found

    def _numbered(self) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise RunError(f"cannot read {self.path}: {error}") from error
        complete = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(complete.split(b"\n"), 1):
            if line.strip():
                try:
                    row = strict_json(line)
                except ValueError as error:
                    raise RunError(f"{self.path}, line {number}: not valid JSON ({error})") from error
                if not isinstance(row, dict):
                    raise RunError(f"{self.path}, line {number}: not an object")
                yield number, row

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row. Raises RunError when another process is writing this file."""
        line = json_bytes(to_jsonable(row)) + b"\n"
        with self._appending:
            if self._file is None:
                self._file = self._opened()
            self._file.write(line)
            self._file.flush()

    def sync(self) -> None:
        """Bring what was appended to the disk; once per batch, since it may take tens of milliseconds."""
        with self._appending:
            if self._file is not None:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync, and let go of the file; a later append opens it again."""
        self.sync()
        with self._appending:
            if self._file is not None:
                self._file.close()
                self._file = None
                self._lock.free(remove=True)

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _opened(self) -> BinaryIO:
        if not self._lock.take():
            raise RunError(f"{self.path} is being written by another process")
        try:
            with open(self.path, "a+b") as file:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            return open(self.path, "ab")
        except BaseException:
            self._lock.free(remove=True)
            raise
