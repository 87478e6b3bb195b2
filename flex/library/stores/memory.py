"""The store of a JSON library: everything in memory, written by `ExpLib.save`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from flex.library.entry import content_hash
from flex.library.file import LibraryFile
from flex.library.history import count_revision, count_revisions
from flex.search.query import Filter, Match
from flex.types import ZONES, Change, Experience, Quarantined, Zone

if TYPE_CHECKING:
    from flex.search.finder import CombinedIndex


class MemoryStore:
    """A library file in memory.

    A copy brings along what is known of its entries: the numbers of their `revisions`, and an `index` that holds them.
    """

    def __init__(
        self,
        file: LibraryFile,
        *,
        revisions: Mapping[str, int] | None = None,
        index: "CombinedIndex | None" = None,
        frozen: bool = False,
    ) -> None:
        self.frozen = frozen
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
        self._history = list(file.history)
        self._revisions = count_revisions(file.history) if revisions is None else dict(revisions)
        self._quarantine = {held.experience.id: held for held in file.quarantine}
        self._contents: dict[str, dict[str, None]] | None = None
        self._index = index
        self._unindexed = {} if index else dict.fromkeys(experience.id for experience in file.experiences)
        self._changing, self._searching = RLock(), Lock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
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
        if self._contents is None:
            self._contents = {}
            for experience in (e for entries in self._zones.values() for e in entries.values()):
                self._contents.setdefault(content_hash(experience), {})[experience.id] = None
        return next(iter(self._contents.get(content, ())), None)

    def put(self, experience: Experience, position: int | None = None) -> None:
        old = self.get(experience.id)
        self._forget_content(old)
        if old is not None and old.zone != experience.zone:
            del self._zones[old.zone][old.id]
        entries = self._zones[experience.zone]
        if position is None or experience.id in entries:
            entries[experience.id] = experience
        else:
            kept = list(entries.values())
            kept.insert(position, experience)
            self._zones[experience.zone] = {e.id: e for e in kept}
        if self._contents is not None:
            self._contents.setdefault(content_hash(experience), {})[experience.id] = None
        self._unindexed[experience.id] = None

    def remove(self, experience_id: str) -> None:
        old = self.get(experience_id)
        self._forget_content(old)
        for entries in self._zones.values():
            entries.pop(experience_id, None)
        self._unindexed[experience_id] = None

    def position(self, experience_id: str) -> int:
        entries = next(entries for entries in self._zones.values() if experience_id in entries)
        if next(reversed(entries)) == experience_id:
            return len(entries) - 1
        return list(entries).index(experience_id)

    def append(self, change: Change) -> None:
        self._history.append(change)
        count_revision(self._revisions, change)

    def changes(self, after: int = 0, entry: str | None = None) -> Iterator[Change]:
        return (change for change in self._history[after:] if entry is None or change.entry == entry)

    def last_change(self) -> int:
        return len(self._history)

    def revision(self, experience_id: str) -> int:
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
                index.embed(self.config, self.vectors, (e for zone in ZONES for e in self.zone(zone)))
            return index.search(query, top_k, wanted, text_only)

    def file(self) -> LibraryFile:
        entries = tuple(experience for zone in ZONES for experience in self.zone(zone))
        return LibraryFile(entries, self.created_at, self.config, self.extra, tuple(self._history), self.quarantined())

    def view(self) -> "MemoryStore":
        return self if self.frozen else self._copied(frozen=True)

    def copy(self) -> "MemoryStore":
        return self._copied(frozen=False)

    def _copied(self, *, frozen: bool) -> "MemoryStore":
        with self._searching:
            index = self._refreshed_index().copy()
        copy = MemoryStore(self.file(), revisions=self._revisions, index=index, frozen=frozen)
        copy.read_from, copy.vectors = self.read_from, self.vectors
        return copy

    def close(self) -> None:
        """Nothing is open."""

    def _forget_content(self, old: Experience | None) -> None:
        if old is not None and self._contents is not None:
            self._contents[content_hash(old)].pop(old.id)

    def _refreshed_index(self) -> "CombinedIndex":
        if self._index is None:
            from flex.search.finder import CombinedIndex  # here, because numpy takes 0.1 s to import

            self._index = CombinedIndex()
        entries = [(experience_id, self.get(experience_id)) for experience_id in self._unindexed]
        self._index.remove([experience_id for experience_id, experience in entries if experience is None])
        self._index.put([experience for _, experience in entries if experience is not None])
        self._unindexed = {}
        return self._index
