"""Every reply that was paid for, kept in the run's folder from the moment it arrives: asked again, it costs nothing.

A reply is found by what was asked: model, messages, parameters, and which sample it is. `sample(...)` tells samples of
equal questions apart: those of another task, rollout or repeat, and within it the first, the second and so on.
"""

import hashlib
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from flex.errors import EndpointError, RunError, TaskRefused, machine_fails
from flex.files.atomic import json_bytes
from flex.files.jsonlines import decode, to_jsonable
from flex.types import Message, Reply

VERSION = 1
FILE = "replies.db"
"""Its name in a run's folder."""
PASSING = ("error", "empty")
"""Replies that end so are asked for again by a run that goes on, and so is what failed; a replay repeats them."""


class _Sample:
    """What tells equal questions apart: a label, and how often each was asked under it."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._asked = Counter[bytes]()
        self._lock = threading.Lock()

    def number(self, question: bytes) -> int:
        """How often the question was asked before."""
        with self._lock:
            self._asked[question] += 1
            return self._asked[question] - 1


_sample: ContextVar[_Sample | None] = ContextVar("flex_sample", default=None)


@contextmanager
def sample(*labels: object) -> Iterator[None]:
    """Within it, questions belong to this sample of the enclosing one; contexts carry it into tasks and threads."""
    outer = _sample.get()
    token = _sample.set(_Sample("/".join([*([outer.label] if outer else []), *map(str, labels)])))
    try:
        yield
    finally:
        _sample.reset(token)


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why there is no reply."""

    failure: str
    reason: str
    refused: bool
    filtered: bool

    @classmethod
    def of(cls, error: EndpointError) -> Self:
        refused = isinstance(error, TaskRefused)
        return cls(str(error), error.reason, refused, isinstance(error, TaskRefused) and error.filtered)

    def error(self) -> EndpointError:
        if self.refused:
            return TaskRefused(self.failure, self.reason, filtered=self.filtered)
        return EndpointError(self.failure, self.reason)


def _read(content: str) -> Reply | _Failed:
    """What was kept. Raises ValueError, and RunError for what is neither."""
    found = json.loads(content)
    return decode(_Failed, found) if isinstance(found, dict) and "failure" in found else decode(Reply, found)


class KeptReplies:
    """A SQLite file of replies. With `replay` it answers everything, and nobody else is asked.

    Raises RunError for a file that is none, of another version, or that cannot be written.
    """

    def __init__(self, path: str | Path, *, replay: bool = False) -> None:
        self.path, self.replay = Path(path), replay
        self._elsewhere = _Sample("")
        self._lock = threading.Lock()
        self._unused = not self.path.exists()
        with self._in_words():
            self._database = self._read_only() if replay else self._opened(self.path)
            self._prepare()

    def _opened(self, path: str | Path, *, uri: bool = False) -> sqlite3.Connection:
        return sqlite3.connect(path, uri=uri, check_same_thread=False, isolation_level=None)

    def _read_only(self) -> sqlite3.Connection:
        """The file of a run that is over. It is not locked, since that would leave files beside it."""
        if not self.path.is_file():
            raise RunError(f"{self.path.parent} cannot be replayed: it holds no {self.path.name}")
        log = self.path.with_name(f"{self.path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise RunError(f"{self.path.parent} cannot be replayed: it is under way, or was killed; finish it first")
        return self._opened(f"{self.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)

    def _prepare(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise RunError(f"{self.path} was written by another version of flex ({version}, this reads {VERSION})")
        if not self.replay:
            # A killed process loses nothing so; a power cut may lose the last replies, not the file.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS replies (question BLOB PRIMARY KEY, role TEXT, model TEXT, reply TEXT)"
            )
            self._database.execute(f"PRAGMA user_version = {VERSION}")

    def question(self, model: str, messages: Sequence[Message], options: Mapping[str, Any]) -> bytes:
        """What finds the reply to a question that is being asked now; asked again, it is another sample's."""
        asked_in = _sample.get() or self._elsewhere
        content = {"sample": asked_in.label, "model": model, "options": to_jsonable(options), "messages": [*messages]}
        digest = hashlib.sha256(json_bytes(content)).digest()
        return digest + asked_in.number(digest).to_bytes(4, "big")

    def find(self, question: bytes) -> Reply | None:
        """The reply to it. Raises RunError when there is none and nobody else may be asked, and what failed there."""
        with self._lock, self._in_words():
            found = self._database.execute("SELECT reply FROM replies WHERE question = ?", (question,)).fetchone()
            known = None if found is None else _read(found[0])
        if not self.replay:
            return known if isinstance(known, Reply) and known.finish_reason not in PASSING else None
        if isinstance(known, _Failed):
            raise known.error()
        if known is None:
            raise RunError(f"{self.path.parent} holds no reply to one of the questions: something else was asked there")
        return known

    def keep(self, question: bytes, role: str, model: str, outcome: Reply | EndpointError) -> None:
        """Keep a reply, or for a replay why there is none."""
        content = outcome if isinstance(outcome, Reply) else _Failed.of(outcome)
        row = (question, role, model, json_bytes(to_jsonable(content)).decode())
        with self._lock, self._in_words():
            self._unused = False
            self._database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", row)

    def close(self) -> None:
        """A file that was made for nothing goes."""
        self._database.close()
        if self._unused:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> "KeptReplies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            way_out = "" if self.replay or machine_fails(error) else "; move the file away, or add --no-cache"
            raise RunError(f"the replies kept in {self.path} cannot be used ({error}){way_out}") from error
