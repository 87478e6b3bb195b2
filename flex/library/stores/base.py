"""What every store can do; `ExpLib` is what one does with it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from flex.search.query import Filter, Match
from flex.types import Change, Experience, Quarantined, Zone


class Store(Protocol):
    """Entries by id and by zone, each zone in order; the history; the quarantine; the index over it all.

    A store checks nothing: `ExpLib` hands it entries that have ids and zones, and changes that fit.
    """

    created_at: str
    config: dict[str, Any]
    extra: dict[str, Any]

    def transaction(self) -> AbstractContextManager[None]:
        """Everything in it happens, on disk if the store is on disk, or nothing; one at a time."""
        ...

    def get(self, experience_id: str) -> Experience | None: ...

    def zone(self, zone: Zone) -> Iterator[Experience]: ...

    def counts(self) -> dict[Zone, int]: ...

    def twin(self, content: str) -> str | None:
        """The id of an entry whose `content_hash` this is."""
        ...

    def put(self, experience: Experience, place: int | None = None) -> None:
        """Add an entry or replace the one with its id; one that is new to its zone goes to `place`, or to the end."""
        ...

    def remove(self, experience_id: str) -> None: ...

    def place(self, experience_id: str) -> int:
        """Where in its zone an entry stands, from 0."""
        ...

    def append(self, change: Change) -> None: ...

    def changes(self, after: int = 0, entry: str | None = None) -> Iterator[Change]:
        """The history behind change number `after`, in order; only that of one entry if it is named."""
        ...

    def latest(self) -> int:
        """The number of the last change; 0 before the first."""
        ...

    def revision(self, experience_id: str) -> int:
        """How many revisions an entry has had; 1 for one that has no history."""
        ...

    def quarantined(self) -> tuple[Quarantined, ...]: ...

    def quarantine(self, held: Quarantined) -> None: ...

    def unquarantine(self, experience_id: str) -> None: ...

    def search(self, query: str, top_k: int, wanted: Filter, text_only: bool = False) -> list[Match]: ...

    def snapshot(self) -> "Store":
        """The store as it is now, for readers, whatever happens to this one."""
        ...

    def view(self) -> "Store":
        """All of it at one moment, for who reads all of it; searched as this one."""
        ...

    def draft(self) -> "Store | None":
        """A copy to try changes on; None where the store is too large to be copied."""
        ...

    def close(self) -> None: ...
