"""The store of a JSON library: everything in memory, written by `ExpLib.save`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from flex.library.entry import content_hash
from flex.library.file import LibraryFile
from flex.library.history import count_revision
from flex.search.query import Filter, Match
from flex.types import ZONES, Change, Experience, Quarantined, Zone

if TYPE_CHECKING:
    from flex.search.finder import CombinedIndex


class MemoryStore:
    """A library file in memory; `index`, if given, holds its entries. SqliteStore has the same methods.

    A store checks nothing: `ExpLib` hands it, in a transaction, entries that have ids and zones, and changes that fit.
    """

    def __init__(self, file: LibraryFile, *, index: "CombinedIndex | None" = None, frozen: bool = False) -> None:
        self.frozen = frozen
        """Whether this is a view, which never changes."""
        self.created_at = file.created_at
        self.config: dict[str, Any] = dict(file.config)
        self.extra: dict[str, Any] = dict(file.extra)
        self.read_from: tuple[Path, tuple[int, ...]] | None = None
        """The file this is known to equal, and what it looked like."""
        self.vectors: Path | None = None
        """Where vectors are kept, for a library that asks for them."""
        self._zones: dict[Zone, dict[str, Experience]] = {zone: {} for zone in ZONES}
        for experience in file.experiences:
            self._zones[experience.zone][experience.id] = experience
        self._history: list[Change] = []
        self._revisions: dict[str, int] = {}
        for change in file.history:
            self.append(change)
        self._quarantine = {held.experience.id: held for held in file.quarantine}
        self._contents: dict[str, str] | None = None
        self._index = index
        self._unindexed = {} if index else dict.fromkeys(experience.id for experience in file.experiences)
        self._changing, self._searching = RLock(), Lock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in it happens, on disk if the store is on disk, or nothing; one at a time."""
        with self._changing:
            yield

    def get(self, experience_id: str) -> Experience | None:
        found = (entries.get(experience_id) for entries in self._zones.values())
        return next((experience for experience in found if experience is not None), None)

    def zone(self, zone: Zone) -> Iterator[Experience]:
        return iter(tuple(self._zones[zone].values()))

    def counts(self) -> dict[Zone, int]:
        return {zone: len(entries) for zone, entries in self._zones.items()}

    def find_by_content(self, content: str) -> str | None:
        """The id of an entry whose `content_hash` this is."""
        if self._contents is None:
            self._contents = {experience.id: content_hash(experience) for experience in self._all()}
        return next((experience_id for experience_id, known in self._contents.items() if known == content), None)

    def put(self, experience: Experience, position: int | None = None) -> None:
        """Add an entry or replace the one with its id; one that is new to its zone stands at `position`, or last."""
        for zone, entries in self._zones.items():
            if zone != experience.zone:
                entries.pop(experience.id, None)
        entries = self._zones[experience.zone]
        if position is None or experience.id in entries:
            entries[experience.id] = experience
        else:
            kept = list(entries.values())
            kept.insert(position, experience)
            self._zones[experience.zone] = {e.id: e for e in kept}
        if self._contents is not None:
            self._contents.pop(experience.id, None)
            self._contents[experience.id] = content_hash(experience)
        self._unindexed[experience.id] = None

    def remove(self, experience_id: str) -> None:
        for entries in self._zones.values():
            entries.pop(experience_id, None)
        (self._contents or {}).pop(experience_id, None)
        self._unindexed[experience_id] = None

    def position(self, experience_id: str) -> int:
        """How many entries of its zone come before this one."""
        entries = next(entries for entries in self._zones.values() if experience_id in entries)
        if next(reversed(entries)) == experience_id:
            return len(entries) - 1
        return list(entries).index(experience_id)

    def append(self, change: Change) -> None:
        self._history.append(change)
        count_revision(self._revisions, change)

    def changes(self, after: int = 0, entry: str | None = None) -> Iterator[Change]:
        """The history behind change number `after`, in order; only that of one entry if it is named."""
        return (change for change in self._history[after:] if entry is None or change.entry == entry)

    def last_change(self) -> int:
        """The number of the last change; 0 before the first."""
        return len(self._history)

    def revision(self, experience_id: str) -> int:
        """How many revisions an entry has had; 1 for one that has no history."""
        return self._revisions.get(experience_id, 1)

    def quarantined(self) -> tuple[Quarantined, ...]:
        return tuple(self._quarantine.values())

    def quarantine(self, held: Quarantined) -> None:
        self._quarantine[held.experience.id] = held

    def unquarantine(self, experience_id: str) -> None:
        del self._quarantine[experience_id]

    def search(self, query: str, top_k: int, wanted: Filter, text_only: bool = False) -> list[Match]:
        with self._searching:  # a library may be searched from several threads
            index = self._refreshed_index()
            if not text_only:
                index.embed(self.config, self.vectors, self._all())
            return index.search(query, top_k, wanted, text_only)

    def file(self) -> LibraryFile:
        """All of it at one moment, as a file would hold it."""
        entries, history = tuple(self._all()), tuple(self._history)
        return LibraryFile(entries, self.created_at, self.config, self.extra, history, self.quarantined())

    def view(self) -> "MemoryStore":
        """The store as it is now, to read and search, whatever happens to this one; it never changes."""
        return self if self.frozen else self._copied(frozen=True)

    def copy(self) -> "MemoryStore":
        """A copy in memory that can be changed; None of a SqliteStore that is too large for that."""
        return self._copied(frozen=False)

    def close(self) -> None:
        """Nothing is open."""

    def _all(self) -> Iterator[Experience]:
        return (experience for zone in ZONES for experience in self.zone(zone))

    def _copied(self, *, frozen: bool) -> "MemoryStore":
        with self._searching:
            index = self._refreshed_index().copy()
        copy = MemoryStore(self.file(), index=index, frozen=frozen)
        copy.read_from, copy.vectors = self.read_from, self.vectors
        return copy

    def _refreshed_index(self) -> "CombinedIndex":
        if self._index is None:
            from flex.search.finder import CombinedIndex  # here, because numpy takes 0.1 s to import

            self._index = CombinedIndex()
        entries = [(experience_id, self.get(experience_id)) for experience_id in self._unindexed]
        self._index.remove([experience_id for experience_id, experience in entries if experience is None])
        self._index.put([experience for _, experience in entries if experience is not None])
        self._unindexed = {}
        return self._index
