"""Search by vectors: exact, for libraries that ask for it with `config["embeddings"]`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flex.endpoint.embeddings import ROLE, Embedder
from flex.errors import LibraryError
from flex.search.bm25 import Array
from flex.search.lazy_index import LazyIndex
from flex.search.query import EVERYTHING, Filter, Match


class VectorIndex(LazyIndex[Array, tuple[list[str], Array]]):
    """The vectors of experiences; `put` adds and replaces, `search` ranks all of them exactly."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING) -> list[Match]:
        """The wanted experiences nearest to the query; score: cosine above 0. Raises as `Embedder.vectors` does."""
        if not self._experiences or not query.strip() or top_k < 1:
            return []
        ids, vectors = self._refreshed()
        # Rounded, because the last bits depend on the machine's arithmetic.
        scores = (vectors @ self._embedder.vectors([query])[0]).astype(float).round(6)
        return self._best(ids, scores, top_k, wanted, "vectors")

    def _values(self, texts: Sequence[str]) -> Array:
        return self._embedder.vectors(texts)

    def _make_table(self, values: dict[str, Array]) -> tuple[list[str], Array]:
        return list(values), np.stack(list(values.values()))


def library_embedder(config: Mapping[str, Any], *, cache: Path | None = None) -> Embedder | None:
    """The embedder that a library's config names, if it names any. Raises LibraryError when it is named wrongly."""
    asked = config.get("embeddings")
    if asked is None:
        return None
    model, dimensions = (asked.get("model"), asked.get("dimensions")) if isinstance(asked, Mapping) else (None, None)
    if not isinstance(model, str) or not model or type(dimensions) is not int or dimensions < 1:
        raise LibraryError(f'config["embeddings"] has to be {{"model": name, "dimensions": number}}, not {asked!r}')
    return Embedder(model, dimensions=dimensions, cache=cache)


def embedding_models(config: Mapping[str, Any]) -> dict[str, str]:
    """By role, the model that searching a library adds to those of a run; none when its config asks for no vectors."""
    embedder = library_embedder(config)
    return {ROLE: embedder.model} if embedder else {}
