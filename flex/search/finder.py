"""Searching a library in every way: text always, structure where a query names a molecule, vectors on demand.

A library asks for vectors in its config: `config["embeddings"] = {"model": ..., "dimensions": ...}`; the endpoint is
that of the environment, and the vectors are kept in a file beside the library.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flex.search.fusion import search_together
from flex.search.query import EVERYTHING, Filter, Match
from flex.search.structure import StructureIndex
from flex.search.text import SearchIndex
from flex.search.vectors import VectorIndex, library_embedder
from flex.types import Experience


class CombinedIndex:
    """The experiences of a library in memory; `put` adds and replaces, `search` ranks."""

    def __init__(self) -> None:
        self._text = SearchIndex()
        self._structure = StructureIndex()
        self._vectors: VectorIndex | None = None

    def put(self, experiences: Iterable[Experience]) -> None:
        """Add these experiences, in place of those with the same ids."""
        new = list(experiences)
        for index in self._indexes():
            index.put(new)

    def remove(self, ids: Iterable[str]) -> None:
        """Forget the experiences with these ids; unknown ones are passed over."""
        gone = list(ids)
        for index in self._indexes():
            index.remove(gone)

    def embed(self, config: Mapping[str, Any], cache: Path | None, experiences: Iterable[Experience]) -> None:
        """Search by vectors too, if the library's config asks for it. Raises LibraryError for a wrong config."""
        if self._vectors is None and (embedder := library_embedder(config, cache=cache)) is not None:
            self._vectors = VectorIndex(embedder)
            self._vectors.put(experiences)

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING, text_only: bool = False) -> list[Match]:
        """The best of the wanted experiences, at most `top_k`, best first."""
        if text_only:
            return self._text.search(query, top_k, wanted)
        return search_together(query, top_k, wanted, self._text, self._vectors, lambda _: self._structure)

    def copy(self) -> "CombinedIndex":
        """An index of the same experiences that later changes of this one do not reach; shares what it can."""
        copy = CombinedIndex()
        copy._text, copy._structure = self._text.copy(), self._structure.copy()
        copy._vectors = self._vectors.copy() if self._vectors else None
        return copy

    def _indexes(self) -> Sequence[SearchIndex | StructureIndex | VectorIndex]:
        return [self._text, self._structure, *([self._vectors] if self._vectors else [])]
