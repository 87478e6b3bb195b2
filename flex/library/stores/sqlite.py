"""The store of a SQLite library: a million entries, many processes writing, every change on disk when it is made.

Its tables (tables.py) hold entries and changes as a JSON file does. Beside `x.db` are the files of database.py, and the
folder `x.db.index` that it is searched by: that may be deleted, and is made again when it does not match.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from flex.errors import LibraryError
from flex.library.entry import dump_entry
from flex.library.file import LibraryFile, check_version
from flex.library.history import changed_content, parse_change
from flex.library.stores import tables
from flex.library.stores.database import TIMEOUT, Database
from flex.library.stores.library_search import LibrarySearch
from flex.library.stores.memory import MemoryStore
from flex.library.stores.numbered import PAGE, NumberedEntries
from flex.library.stores.text_index import TextIndex
from flex.search.query import Filter, Match
from flex.types import ZONES, Change, Experience, Quarantined, Zone


class SqliteStore:
    """A library in a SQLite database, or in a view of one; `search` finds its entries."""

    def __init__(self, database: Database, search: LibrarySearch, about: Mapping[str, Any]) -> None:
        self.path, self.frozen = database.path, database.frozen
        self.created_at: str = about["created_at"]
        self.config: dict[str, Any] = about["config"]
        self.extra: dict[str, Any] = about["extra"]
        self._database, self._search = database, search
        self._kept = self._settings()

    @classmethod
    def open(cls, path: Path, timeout: float = TIMEOUT) -> "SqliteStore":
        """The library at `path`; LibraryError for what is none, or is held by another program for `timeout` seconds."""
        database = Database(path, timeout)
        about = _about(database)
        return cls(database, LibrarySearch(TextIndex(NumberedEntries(database), about["uid"]), about["config"]), about)

    @classmethod
    def create(cls, path: Path, file: LibraryFile) -> "SqliteStore":
        """Make a new database that holds what `file` holds; LibraryError when something is there already."""
        tables.make_database(path, file)
        return cls.open(path)

    def keep_settings(self) -> None:
        """Write `created_at`, `config` and `extra` where they were changed."""
        changed = [(key, value) for key, value in self._settings().items() if value != self._kept[key]]
        if changed:
            with self.transaction():
                for row in changed:
                    self._database.rows("REPLACE INTO meta VALUES (?, ?)", row)
        self._kept.update(changed)

    def transaction(self) -> AbstractContextManager[None]:
        return self._database.transaction()

    def get(self, experience_id: str) -> Experience | None:
        found = self._database.rows("SELECT entry FROM entries WHERE id = ?", (tables.key_of(experience_id),))
        return tables.read_experience(self.path, found[0][0]) if found else None

    def zone(self, zone: Zone) -> Iterator[Experience]:
        page = "SELECT position, entry FROM entries WHERE zone = ? AND position > ? ORDER BY position LIMIT ?"
        return (tables.read_experience(self.path, entry) for _, entry in self._pages(page, (zone,), after=-(2**62)))

    def counts(self) -> dict[Zone, int]:
        found: dict[str, int] = dict(self._database.rows("SELECT zone, entries FROM zones"))
        return {zone: found[zone] for zone in ZONES}

    def find_by_content(self, content: str) -> str | None:
        oldest = "SELECT entry FROM entries WHERE content = ? ORDER BY number, rowid LIMIT 1"
        found = self._database.rows(oldest, (content,))
        return tables.read_experience(self.path, found[0][0]).id if found else None

    def put(self, experience: Experience, position: int | None = None) -> None:
        old = self._database.rows("SELECT zone, position FROM entries WHERE id = ?", (tables.key_of(experience.id),))
        stays = old and old[0][0] == experience.zone
        place = old[0][1] if stays else self._free_position(experience.zone, position)
        self._database.rows(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET zone = excluded.zone, "
            "position = excluded.position, content = excluded.content, number = excluded.number, "
            "entry = excluded.entry",
            tables.entry_row(experience, place, self.last_change() + 1),
        )

    def remove(self, experience_id: str) -> None:
        self._database.rows("DELETE FROM entries WHERE id = ?", (tables.key_of(experience_id),))

    def position(self, experience_id: str) -> int:
        [(zone, position)] = self._database.rows(
            "SELECT zone, position FROM entries WHERE id = ?", (tables.key_of(experience_id),)
        )
        # Counted from the end, because what is undone is new.
        behind = "SELECT count(*) FROM entries WHERE zone = ? AND position > ?"
        return self.counts()[zone] - 1 - int(self._database.rows(behind, (zone, position))[0][0])

    def append(self, change: Change) -> None:
        revision = self._last_revision(change.entry)
        if changed_content(change):
            revision = (revision or int(change.before_hash is not None)) + 1
        self._database.rows("INSERT INTO changes VALUES (?, ?, ?, ?)", tables.change_row(change, revision))

    def changes(self, after: int = 0, entry: str | None = None) -> Iterator[Change]:
        of_entry, values = ("", ()) if entry is None else ("entry = ? AND", (tables.key_of(entry),))
        page = f"SELECT number, change FROM changes WHERE {of_entry} number > ? ORDER BY number LIMIT ?"
        return (tables.read_row(self.path, parse_change, change) for _, change in self._pages(page, values, after))

    def last_change(self) -> int:
        return int(self._database.rows("SELECT coalesce(max(number), 0) FROM changes")[0][0])

    def revision(self, experience_id: str) -> int:
        return self._last_revision(experience_id) or 1

    def quarantined(self) -> tuple[Quarantined, ...]:
        rows = self._database.rows("SELECT entry, reason FROM quarantine ORDER BY position")
        return tuple(
            Quarantined(tables.read_experience(self.path, entry), json.loads(reason)) for entry, reason in rows
        )

    def quarantine(self, held: Quarantined) -> None:
        entry = tables.as_json(dump_entry(held.experience))
        self._database.rows(
            "INSERT INTO quarantine (id, reason, entry) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, entry = excluded.entry",
            (tables.key_of(held.experience.id), tables.as_json(held.reason), entry),
        )

    def unquarantine(self, experience_id: str) -> None:
        self._database.rows("DELETE FROM quarantine WHERE id = ?", (tables.key_of(experience_id),))

    def search(self, query: str, top_k: int, wanted: Filter, text_only: bool = False) -> list[Match]:
        return self._search.search(query, top_k, wanted, text_only)

    def file(self) -> LibraryFile:
        if not self.frozen:  # others may write while it is read
            with closing(self._database.view()) as database:
                return self._over(database, self._search).file()
        entries = tuple(experience for zone in ZONES for experience in self.zone(zone))
        return LibraryFile(entries, self.created_at, self.config, self.extra, tuple(self.changes()), self.quarantined())

    def view(self) -> "SqliteStore":
        if self.frozen:
            return self
        search = self._search.view()
        return self._over(search.entries.database, search)

    def copy(self) -> MemoryStore | None:
        return self._search.copy()

    def close(self) -> None:
        self._search.close()
        self._database.close()

    def _over(self, database: Database, search: LibrarySearch) -> "SqliteStore":
        """This library, read in another way."""
        return SqliteStore(database, search, {key: getattr(self, key) for key in tables.SETTINGS})

    def _settings(self) -> dict[str, str]:
        return {key: tables.as_json(getattr(self, key)) for key in tables.SETTINGS}

    def _last_revision(self, experience_id: str) -> int:
        last = "SELECT revision FROM changes WHERE entry = ? ORDER BY number DESC LIMIT 1"
        found = self._database.rows(last, (tables.key_of(experience_id),))
        return int(found[0][0]) if found else 0

    def _free_position(self, zone: Zone, index: int | None) -> int:
        """A free `position` at the end of a zone, or before its entry number `index` (from 0): those behind move up."""
        if index is not None and index < self.counts()[zone]:
            at = "SELECT position FROM entries WHERE zone = ? ORDER BY position LIMIT 1 OFFSET ?"
            position = int(self._database.rows(at, (zone, index))[0][0])
            taken = "SELECT 1 FROM entries WHERE zone = ? AND position = ?"
            if not self._database.rows(taken, (zone, position - 1)):
                return position - 1
            move = "UPDATE entries SET position = position + 1 WHERE zone = ? AND position >= ?"
            self._database.rows(move, (zone, position))
            return position
        end = "SELECT coalesce(max(position) + 1, 0) FROM entries WHERE zone = ?"
        return int(self._database.rows(end, (zone,))[0][0])

    def _pages(self, page: str, values: tuple[Any, ...], after: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, a page at a time; the first column orders them."""
        while rows := self._database.rows(page, (*values, after, PAGE)):
            yield from rows
            after = rows[-1][0]


def _about(database: Database) -> dict[str, Any]:
    """What `meta` says. LibraryError, the database closed, when it is not that of a library."""
    try:
        about = {key: json.loads(value) for key, value in database.rows("SELECT key, value FROM meta")}
        complete = {"version", "uid", *tables.SETTINGS} <= set(about)
    except (LibraryError, ValueError) as error:
        database.close()
        if isinstance(error, LibraryError) and "no such" not in str(error):
            raise
        complete = False
    if not complete:
        raise LibraryError(f"{database.path} is a SQLite database, but no experience library")
    check_version(about["version"], database.path)
    return about
