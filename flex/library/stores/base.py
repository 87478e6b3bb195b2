"""What every store can do; `ExpLib` is what one does with it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from flex.library.file import LibraryFile
from flex.search.query import Filter, Match
from flex.types import Change, Experience, Quarantined, Zone


class Store(Protocol):
    """Entries by id and by zone, each zone in order; the history; the quarantine; the index over it all.

    A store checks nothing: `ExpLib` hands it entries that have ids and zones, and changes that fit.
    """

    frozen: bool
    """Whether this is a view, which never changes."""
    created_at: str
    config: dict[str, Any]
    extra: dict[str, Any]

    def transaction(self) -> AbstractContextManager[None]:
        """Everything in it happens, on disk if the store is on disk, or nothing; one at a time."""
        ...

    def get(self, experience_id: str) -> Experience | None: ...

    def zone(self, zone: Zone) -> Iterator[Experience]: ...

    def counts(self) -> dict[Zone, int]: ...

    def find_by_content(self, content: str) -> str | None:
        """The id of an entry whose `content_hash` this is."""
        ...

    def put(self, experience: Experience, position: int | None = None) -> None:
        """Add an entry or replace the one with its id; one that is new to its zone stands at `position`, or last."""
        ...

    def remove(self, experience_id: str) -> None: ...

    def position(self, experience_id: str) -> int:
        """How many entries of its zone come before this one."""
        ...

    def append(self, change: Change) -> None: ...

    def changes(self, after: int = 0, entry: str | None = None) -> Iterator[Change]:
        """The history behind change number `after`, in order; only that of one entry if it is named."""
        ...

    def last_change(self) -> int:
        """The number of the last change; 0 before the first."""
        ...

    def revision(self, experience_id: str) -> int:
        """How many revisions an entry has had; 1 for one that has no history."""
        ...

    def quarantined(self) -> tuple[Quarantined, ...]: ...

    def quarantine(self, held: Quarantined) -> None: ...

    def unquarantine(self, experience_id: str) -> None: ...

    def search(self, query: str, top_k: int, wanted: Filter, text_only: bool = False) -> list[Match]: ...

    def file(self) -> LibraryFile:
        """All of it at one moment, as a file would hold it."""
        ...

    def view(self) -> "Store":
        """The store as it is now, to read and search, whatever happens to this one; it never changes."""
        ...

    def copy(self) -> "Store | None":
        """A copy in memory that can be changed; None where the store is too large for that."""
        ...

    def close(self) -> None: ...
