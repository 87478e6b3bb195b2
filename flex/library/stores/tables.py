"""The tables of a SQLite library, and a new library filled from a file."""

import json
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from flex.errors import LibraryError
from flex.files.atomic import json_bytes, sync_folder
from flex.files.locks import held
from flex.library.entry import content_hash, dump_entry, restored_entry
from flex.library.file import VERSION, LibraryFile
from flex.library.history import changed_content, count_revision, dump_change
from flex.library.stores.mounts import refuse_network
from flex.types import ZONES, Change, Experience, Quarantined

Parsed = TypeVar("Parsed")
SETTINGS = ("created_at", "config", "extra")
"""What `meta` says of a library, beside its `version` and its `uid`, by which its index knows it."""
BESIDE = ("-wal", "-shm", "-lock")
"""What SQLite, and we, put beside a database; see flex/library/stores/database.py."""
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    zone TEXT NOT NULL,
    position INTEGER NOT NULL, -- grows along the zone, with gaps
    content TEXT NOT NULL, -- content_hash
    number INTEGER NOT NULL, -- of the change that made this revision; 0 before the history begins
    entry TEXT NOT NULL
);
CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,
    revision INTEGER NOT NULL, -- of the entry, after it; 0 before the first
    change TEXT NOT NULL
);
CREATE TABLE quarantine (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, reason TEXT NOT NULL, entry TEXT NOT NULL
);
CREATE TABLE zones (zone TEXT PRIMARY KEY, entries INTEGER NOT NULL) WITHOUT ROWID;
"""
INDEXES = """
CREATE INDEX entry_places ON entries (zone, position);
CREATE INDEX entry_numbers ON entries (number);
CREATE INDEX entry_contents ON entries (content);
CREATE INDEX entry_changes ON changes (entry, number, revision);
REPLACE INTO zones SELECT zone, count(*) FROM entries GROUP BY zone;
CREATE TRIGGER entry_came AFTER INSERT ON entries BEGIN
    UPDATE zones SET entries = entries + 1 WHERE zone = new.zone;
END;
CREATE TRIGGER entry_went AFTER DELETE ON entries BEGIN
    UPDATE zones SET entries = entries - 1 WHERE zone = old.zone;
END;
CREATE TRIGGER entry_moved AFTER UPDATE OF zone ON entries WHEN old.zone <> new.zone BEGIN
    UPDATE zones SET entries = entries - 1 WHERE zone = old.zone;
    UPDATE zones SET entries = entries + 1 WHERE zone = new.zone;
END;
"""
"""Made after the rows, which is quicker."""


def make_database(path: Path, file: LibraryFile) -> None:
    """Put a new SQLite library at `path`, all of it or nothing. Raises LibraryError, also when something is there."""
    refuse_network(path)
    with held(path):
        if path.exists() and path.stat().st_size:
            raise LibraryError(f"{path} exists already; save to another path, or join the two: flex lib merge")
        temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.tmp")
        try:
            _fill(temporary, file)
            for ending in BESIDE:  # the log of a database that was deleted would be taken for one of this
                Path(f"{path}{ending}").unlink(missing_ok=True)
            os.replace(temporary, path)
            sync_folder(path.parent)
        except (OSError, sqlite3.Error) as error:
            raise LibraryError(f"cannot write the library {path}: {error}; nothing was changed") from error
        finally:
            for ending in ("", "-journal", *BESIDE):
                with suppress(OSError):
                    Path(f"{temporary}{ending}").unlink()


def key_of(experience_id: str) -> str:
    """An id as a table has it; the id itself, but for a lone surrogate, which SQLite cannot hold."""
    return experience_id.encode("utf-8", "backslashreplace").decode()


def as_json(value: Any) -> str:
    """The text of a value in a table."""
    return json_bytes(value).decode()


def entry_row(experience: Experience, position: int, number: int) -> tuple[Any, ...]:
    """A row of `entries`."""
    key, entry = key_of(experience.id), as_json(dump_entry(experience))
    return (key, experience.zone, position, content_hash(experience), number, entry)


def change_row(change: Change, revision: int) -> tuple[Any, ...]:
    """A row of `changes`."""
    return (change.number, key_of(change.entry), revision, as_json(dump_change(change)))


def read_experience(path: Path, entry: str) -> Experience:
    """The experience in a column `entry`. Raises LibraryError naming the database."""
    return read_row(path, restored_entry, entry)


def read_row(path: Path, parse: Callable[[Any], Parsed], text: str) -> Parsed:
    """What a row holds. Raises LibraryError naming the database."""
    try:
        return parse(json.loads(text))
    except (LibraryError, ValueError, KeyError, TypeError) as error:
        raise LibraryError(f"{path} is damaged: {text[:60]!r} is no entry and no change: {error}") from None


def _fill(path: Path, file: LibraryFile) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + TABLES)
        connection.execute("BEGIN")
        about = {"version": VERSION, "uid": uuid.uuid4().hex, **{key: getattr(file, key) for key in SETTINGS}}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", ((k, as_json(v)) for k, v in about.items()))
        connection.executemany("INSERT INTO changes VALUES (?, ?, ?, ?)", _changes(file.history))
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", _entries(file))
        connection.executemany("INSERT INTO quarantine VALUES (?, ?, ?, ?)", _quarantine(file.quarantine))
        connection.executemany("INSERT INTO zones VALUES (?, 0)", ((zone,) for zone in ZONES))
        connection.execute("COMMIT")
        connection.executescript(INDEXES + "PRAGMA journal_mode = WAL")
    with open(path, "rb+") as database:
        os.fsync(database.fileno())


def _changes(history: Iterable[Change]) -> Iterator[tuple[Any, ...]]:
    revisions: dict[str, int] = {}
    for change in history:
        count_revision(revisions, change)
        yield change_row(change, revisions.get(change.entry, 0))


def _entries(file: LibraryFile) -> Iterator[tuple[Any, ...]]:
    numbers = {change.entry: change.number for change in file.history if changed_content(change)}
    for position, experience in enumerate(file.experiences):
        yield entry_row(experience, position, numbers.get(experience.id, 0))


def _quarantine(quarantine: Iterable[Quarantined]) -> Iterator[tuple[Any, ...]]:
    by_id = {held.experience.id: held for held in quarantine}
    for position, held_back in enumerate(by_id.values(), start=1):
        experience = held_back.experience
        yield (position, key_of(experience.id), as_json(held_back.reason), as_json(dump_entry(experience)))
