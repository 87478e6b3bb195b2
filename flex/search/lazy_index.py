"""An index that computes what it needs of an entry at the first search, and never twice."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from hashlib import sha256
from itertools import islice
from typing import Generic, Self, TypeVar

from flex.search.bm25 import Array, best
from flex.search.query import Filter, Match, searchable
from flex.types import Experience

PEEK = 200
"""So many more than asked for are sorted at first."""
Value = TypeVar("Value")
Table = TypeVar("Table")


class LazyIndex(ABC, Generic[Value, Table]):
    """An index of experiences; `put` adds and replaces. Every text has a `Value`, all values make a `Table`."""

    def __init__(self) -> None:
        self._experiences: dict[str, Experience] = {}
        self._known: dict[bytes, Value] = {}
        """By hash of a text, shared with copies, so that what has not changed is not computed again."""
        self._table: Table | None = None

    def put(self, experiences: Iterable[Experience]) -> None:
        """Add these experiences, in place of those with the same ids."""
        for experience in experiences:
            self._experiences[experience.id] = experience
            self._table = None

    def remove(self, ids: Iterable[str]) -> None:
        """Forget the experiences with these ids; unknown ones are passed over."""
        for experience_id in ids:
            self._experiences.pop(experience_id, None)
            self._table = None

    def copy(self) -> Self:
        """An index of the same experiences that later changes of this one do not reach; shares what it can."""
        other = copy(self)
        other._experiences = dict(self._experiences)
        return other

    @abstractmethod
    def _values(self, texts: Sequence[str]) -> Iterable[Value]:
        """The value of each of these texts."""

    @abstractmethod
    def _make_table(self, values: dict[str, Value]) -> Table:
        """The table of these values, by id in order."""

    def _refreshed(self) -> Table:
        """The table of all experiences."""
        if self._table is None:
            texts = {key: searchable(experience) for key, experience in sorted(self._experiences.items())}
            hashes = {key: sha256(text.encode("utf-8", "surrogatepass")).digest() for key, text in texts.items()}
            known = dict(self._known)  # a copy in another thread may change `_known` meanwhile
            new = {hashes[key]: text for key, text in texts.items() if hashes[key] not in known}
            computed = dict(zip(new, self._values(list(new.values())), strict=True))
            self._known.update(computed)
            # A copy that wants an old text computes it again; a long training would otherwise keep every one.
            for old in list(self._known)[: max(0, len(self._known) - 2 * len(texts))]:
                self._known.pop(old, None)
            known |= computed
            self._table = self._make_table({key: known[hashed] for key, hashed in hashes.items()})
        return self._table

    def _best(self, ids: Sequence[str], scores: Array, top_k: int, wanted: Filter, why: str) -> list[Match]:
        """The best `top_k` of those that are wanted and score above 0; equal scores by id."""
        for size in (top_k + PEEK, len(ids)):  # nearly always the first is enough, and saves sorting all of them
            places = (place for place in best(scores, size, ids) if wanted.accepts(self._experiences[ids[place]]))
            found = [Match(ids[place], float(scores[place]), why) for place in islice(places, max(top_k, 0))]
            if len(found) >= top_k:
                break
        return found
