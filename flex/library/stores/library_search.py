"""Searching a SQLite library: a small one in memory as beside a JSON file, the text of a large one by an index on disk.

Structure and vectors are searched in memory; see flex/search/finder.py.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from flex.chemistry.smiles import products_in
from flex.library.file import LibraryFile
from flex.library.stores.memory import MemoryStore
from flex.library.stores.numbered import NumberedEntries
from flex.library.stores.text_index import TextIndex
from flex.search.finder import POOL, reranked
from flex.search.fusion import fused, reciprocal
from flex.search.query import Found, Wanted
from flex.search.structure import StructureIndex
from flex.search.vectors import VectorIndex, library_embedder
from flex.types import Experience

SMALL = 10_000
"""A library of at most so many entries is searched like a JSON library, which costs seconds at the first search. (An
index on disk of fewer is rewritten by every eighth insert that is searched; see bench/README.md.)"""
IN_MEMORY = 20_000
"""In a library of more entries structure only re-ranks what text has found."""


class LibrarySearch:
    """The entries of a database, searched as they are now; `library` is its own id, `config` that of the library."""

    def __init__(self, entries: NumberedEntries, library: str, config: Mapping[str, Any]) -> None:
        self.entries = entries
        self._config = config
        self._text = TextIndex(entries, library)
        self._mirror: Following[Mirror] | None = None
        self._structure: Following[StructureIndex] | None = None
        self._vectors: Following[VectorIndex] | None = None
        self._view_of: LibrarySearch | None = None

    def search(self, query: str, top_k: int, wanted: Wanted, text_only: bool) -> list[Found]:
        """The best of the wanted entries, at most `top_k`, best first."""
        if self.entries.count() <= SMALL:
            return self.mirror().search(query, top_k, wanted, text_only)
        names_molecules = not text_only and bool(products_in(query))
        vectors = None if text_only else self.vectors()
        if not names_molecules and vectors is None:
            return self._text.search(query, top_k, wanted)
        pool = max(top_k, POOL)
        text = self._text.search(query, pool, wanted)
        if vectors is not None:
            text = reciprocal([(text, 1.0), (vectors.search(query, pool, wanted), 1.0)], pool)
        if not names_molecules:
            return text[: max(top_k, 0)]
        if self.entries.count() <= IN_MEMORY:
            return fused(text, self.structure().search(query, pool, wanted), top_k)
        return reranked(text, self.entries.get([one.id for one in text]), query, top_k)

    def view(self) -> "LibrarySearch":
        """The search of a view of the database, made now."""
        view = object.__new__(LibrarySearch)
        view.__dict__.update(self.__dict__)
        view._text, view._view_of = self._text.view(self.entries.view), self
        view.entries = view._text.entries
        view._mirror = view._structure = view._vectors = None
        return view

    def draft(self) -> MemoryStore | None:
        """A copy in memory of what there is now; None when there is too much."""
        return self.mirror().now().copy().store if self.entries.count() <= SMALL else None

    def mirror(self) -> "Following[Mirror]":
        """The library in memory; a view takes over what is known already."""
        if self._mirror is None:
            source = self._view_of and self._view_of.mirror()
            made = source.view(self.entries) if source else Following(self.entries, Mirror(self._config, self._cache))
            self._mirror = made
        return self._mirror

    def structure(self) -> "Following[StructureIndex]":
        """The index of structures; a view takes over what is known already."""
        if self._structure is None:
            source = self._view_of and self._view_of.structure()
            self._structure = source.view(self.entries) if source else Following(self.entries, StructureIndex())
        return self._structure

    def vectors(self) -> "Following[VectorIndex] | None":
        """The index of vectors, if the library asks for one. Raises LibraryError for a config that is wrong."""
        if self._vectors is None:
            source = self._view_of and self._view_of.vectors()
            if source:
                self._vectors = source.view(self.entries)
                return self._vectors
            embedder = library_embedder(self._config, cache=self._cache)
            self._vectors = Following(self.entries, VectorIndex(embedder)) if embedder else None
        return self._vectors

    @property
    def _cache(self) -> Path:
        path = self.entries.database.path
        return path.with_name(f".{path.name}.vectors")

    def close(self) -> None:
        """Let go of the files."""
        self._text.close()


class Mirror:
    """The entries of a database as an index of them; `store` is the library in memory."""

    def __init__(self, config: Mapping[str, Any], vectors: Path) -> None:
        self.store = MemoryStore(LibraryFile((), config=config))
        self.store.vectors = vectors

    def put(self, experiences: Iterable[Experience]) -> None:
        """Add these experiences, in place of those with the same ids."""
        for experience in experiences:
            self.store.put(experience)

    def remove(self, ids: Iterable[str]) -> None:
        """Forget the experiences with these ids; unknown ones are passed over."""
        for experience_id in ids:
            self.store.remove(experience_id)

    def search(self, query: str, top_k: int, wanted: Wanted, text_only: bool = False) -> list[Found]:
        """As a JSON library with these entries is searched."""
        return self.store.search(query, top_k, wanted, text_only)

    def copy(self) -> "Mirror":
        """A mirror of the same entries that later changes of this one do not reach."""
        copy = object.__new__(Mirror)
        copy.store = self.store.snapshot()
        return copy


Index = TypeVar("Index", Mirror, StructureIndex, VectorIndex)


class Following(Generic[Index]):
    """An index in memory that follows a database; in a transaction it stays what it was."""

    def __init__(self, entries: NumberedEntries, index: Index, upto: int = 0) -> None:
        self._entries, self._upto = entries, upto
        self._index: Index = index
        self._lock = Lock()

    def now(self) -> Index:
        """The index of the entries of now."""
        with self._lock:
            self._follow()
            return self._index

    def search(self, query: str, top_k: int, wanted: Wanted, *options: bool) -> list[Found]:
        """What the index finds among the entries of now."""
        with self._lock:
            self._follow()
            return self._index.search(query, top_k, wanted, *options)

    def view(self, entries: NumberedEntries) -> "Following[Index]":
        """An index for a view, equal to this one but for what has changed since the view was made."""
        with self._lock:
            self._follow()
            view = Following(entries, self._index.copy(), entries.latest())
        view._take_over(self._entries.touched(since=view._upto))
        return view

    def _follow(self) -> None:
        latest = self._entries.latest()
        if self._upto == latest or self._entries.database.changing:
            return
        if self._upto:
            self._take_over(self._entries.touched(self._upto))
        else:
            self._index.put(experience for _, experience in self._entries.changed(0))
        self._upto = latest

    def _take_over(self, ids: list[str]) -> None:
        self._index.remove(ids)
        self._index.put(self._entries.get(ids))
