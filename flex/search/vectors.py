"""Search by vectors: exact, for libraries that ask for it with `config["embeddings"]`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flex.endpoint.embeddings import Embedder
from flex.errors import LibraryError
from flex.search.lazy_index import LazyIndex
from flex.search.query import EVERYTHING, Filter, Match

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


class _Vectors(NamedTuple):
    ids: list[str]
    matrix: "Array"


class VectorIndex(LazyIndex["Array", _Vectors]):
    """The vectors of experiences; `put` adds and replaces, `search` ranks all of them exactly."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self._embedder = embedder

    def search(self, query: str, top_k: int, wanted: Filter = EVERYTHING) -> list[Match]:
        """The wanted experiences whose vectors are nearest to the query's, at most `top_k`; score: cosine above 0.

        Best first, equal scores by id. Texts without a vector are embedded first; raises as `Embedder.vectors` does.
        """
        if not self._experiences or not query.strip() or top_k < 1:
            return []
        table = self._refreshed()
        # Rounded, because the last bits depend on the machine's arithmetic.
        scores = (table.matrix @ self._embedder.vectors([query])[0]).astype(float).round(6)
        return self._best(table.ids, scores, top_k, wanted, "vectors")

    def _values(self, texts: Sequence[str]) -> "Array":
        return self._embedder.vectors(texts)

    def _make_table(self, values: dict[str, "Array"]) -> _Vectors:
        import numpy as np

        return _Vectors(list(values), np.stack(list(values.values())))


def library_embedder(
    config: Mapping[str, Any],
    base_url: str | None = None,
    api_key: str | None = None,
    *,
    model: str | None = None,
    dimensions: int | None = None,
    cache: Path | None = None,
) -> Embedder | None:
    """The embedder that a library's config names, None when it names none.

    Raises LibraryError when `config["embeddings"]` is no model with dimensions, or not the ones given here: vectors of
    different models cannot be compared.
    """
    asked = config.get("embeddings")
    if asked is None:
        return None
    named = (asked.get("model"), asked.get("dimensions")) if isinstance(asked, Mapping) else (None, None)
    if not isinstance(named[0], str) or not named[0] or type(named[1]) is not int or named[1] < 1:
        raise LibraryError(f'config["embeddings"] has to be {{"model": name, "dimensions": number}}, not {asked!r}')
    wrong = [
        (given, there) for given, there in zip((model, dimensions), named, strict=True) if given not in (None, there)
    ]
    if wrong:
        raise LibraryError(
            f"the library's vectors are of model '{named[0]}' with {named[1]} dimensions, not {wrong[0][0]!r}; "
            'change config["embeddings"] to embed it anew'
        )
    return Embedder(named[0], base_url, api_key, dimensions=named[1], cache=cache)
