"""Searching a SQLite library: a small one in memory, as a JSON library; the text of a large one by an index on disk."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from flex.library.file import LibraryFile
from flex.library.stores.memory import MemoryStore
from flex.library.stores.numbered import NumberedEntries
from flex.library.stores.text_index import TextIndex
from flex.search.fusion import search_together
from flex.search.query import Filter, Match
from flex.search.structure import StructureIndex
from flex.search.vectors import VectorIndex, library_embedder
from flex.types import Experience

SMALL = 10_000
"""A library of at most so many entries is searched like a JSON library, which costs seconds at the first search. (An
index on disk of fewer is rewritten by every eighth insert that is searched; see bench/README.md.)"""
IN_MEMORY = 20_000
"""In a library of more entries structure only re-ranks what text has found."""


class LibrarySearch:
    """The entries of a database, searched as they are now; of a view with what `view_of`, its origin, knows already."""

    def __init__(self, text: TextIndex, config: Mapping[str, Any], view_of: "LibrarySearch | None" = None) -> None:
        self.entries = text.entries
        self._text = text
        self._config = config
        self._view_of = view_of
        self._vectors: SyncedIndex[VectorIndex] | None = None

    def search(self, query: str, top_k: int, wanted: Filter, text_only: bool) -> list[Match]:
        """The best of the wanted entries, at most `top_k`, best first."""
        if self.entries.count() <= SMALL:
            return self._memory.search(query, top_k, wanted, text_only)
        if text_only:
            return self._text.search(query, top_k, wanted)
        return search_together(query, top_k, wanted, self._text, self._vector_index(), self._structures)

    def view(self) -> "LibrarySearch":
        """The search of a view of the database, made now."""
        return LibrarySearch(self._text.view(), self._config, self)

    def copy(self) -> MemoryStore | None:
        """A copy in memory of what there is now; None when there is too much."""
        return self._memory.now().copy() if self.entries.count() <= SMALL else None

    def close(self) -> None:
        """Let go of the files."""
        self._text.close()

    def _structures(self, found: Sequence[Match]) -> "SyncedIndex[StructureIndex] | StructureIndex":
        """The structures of all entries; in a large library only those of what was found."""
        if self.entries.count() <= IN_MEMORY:
            return self._structure
        index = StructureIndex()
        index.put(self.entries.get([one.id for one in found]))
        return index

    @cached_property
    def _memory(self) -> "SyncedIndex[MemoryStore]":
        if self._view_of:
            return self._view_of._memory.view(self.entries)
        store = MemoryStore(LibraryFile((), config=self._config))
        store.vectors = self._cache
        return SyncedIndex(self.entries, store)

    @cached_property
    def _structure(self) -> "SyncedIndex[StructureIndex]":
        if self._view_of:
            return self._view_of._structure.view(self.entries)
        return SyncedIndex(self.entries, StructureIndex())

    def _vector_index(self) -> "SyncedIndex[VectorIndex] | None":
        """The index of vectors, if the library asks for one. Raises LibraryError for a config that is wrong."""
        if self._vectors is None:
            source = self._view_of and self._view_of._vector_index()
            embedder = None if source else library_embedder(self._config, cache=self._cache)
            made = SyncedIndex(self.entries, VectorIndex(embedder)) if embedder else None
            self._vectors = source.view(self.entries) if source else made
        return self._vectors

    @property
    def _cache(self) -> Path:
        path = self.entries.database.path
        return path.with_name(f".{path.name}.vectors")


Index = TypeVar("Index", MemoryStore, StructureIndex, VectorIndex)


class SyncedIndex(Generic[Index]):
    """An index in memory, brought up to date with its database before every search; in a transaction it stays as is."""

    def __init__(self, entries: NumberedEntries, index: Index, upto: int = 0) -> None:
        self._entries, self._upto = entries, upto
        self._index: Index = index
        self._lock = Lock()

    def now(self) -> Index:
        """The index of the entries of now."""
        with self._lock:
            self._update()
            return self._index

    def search(self, query: str, top_k: int, wanted: Filter, *options: bool) -> list[Match]:
        """What the index finds among the entries of now."""
        with self._lock:
            self._update()
            return self._index.search(query, top_k, wanted, *options)

    def view(self, entries: NumberedEntries) -> "SyncedIndex[Index]":
        """An index for a view, equal to this one but for what has changed since the view was made."""
        with self._lock:
            self._update()
            view = SyncedIndex(entries, self._index.copy(), entries.last_number())
        touched = self._entries.touched(since=view._upto)
        view._replace(touched, entries.get(touched))
        return view

    def _update(self) -> None:
        latest = self._entries.last_number()
        if self._upto == latest or self._entries.database.changing:
            return
        if self._upto:
            touched = self._entries.touched(self._upto)
            self._replace(touched, self._entries.get(touched))
        else:
            self._replace((), (experience for _, experience in self._entries.changed(0)))
        self._upto = latest

    def _replace(self, ids: Collection[str], experiences: Iterable[Experience]) -> None:
        """Have these experiences where those with these ids were."""
        if isinstance(self._index, MemoryStore):
            for experience_id in ids:
                self._index.remove(experience_id)
            for experience in experiences:
                self._index.put(experience)
        else:
            self._index.remove(ids)
            self._index.put(experiences)
