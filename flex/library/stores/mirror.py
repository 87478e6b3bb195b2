"""A small database in memory: searched like a JSON library, with the same answers, and copied to try changes on."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flex.library.file import LibraryFile
from flex.library.stores.memory import MemoryStore
from flex.search.text import Found, Wanted
from flex.types import Experience


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
        copy.store = self.store.copy()
        return copy
