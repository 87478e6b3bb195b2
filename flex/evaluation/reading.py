"""What an actor may read: the library as it is, without what would leak, or shuffled as a control."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from flex.explib import ExpLib
from flex.memory_retriever import hits_text
from flex.prompt import Prompts
from flex.types import Hit, Retrieval, Task


class Retriever(Protocol):
    """Hierarchical (`MemoryRetriever`), flat or agentic."""

    prompts: Prompts

    async def retrieve(self, query: str, library: ExpLib, hidden: Collection[str] = ()) -> Retrieval: ...


@dataclass(frozen=True, slots=True)
class LibraryReader:
    """A retriever over a library; `hidden` names, by task, the experiences that would give its answer away."""

    retriever: Retriever
    library: ExpLib
    hidden: Mapping[str, Collection[str]] = field(default_factory=dict)

    async def read(self, query: str, task: Task) -> Retrieval:
        """What the library says about a query that comes up while working on a task."""
        return await self.retriever.retrieve(query, self.library, self.hidden.get(task.id, ()))


@dataclass(frozen=True, slots=True)
class ShuffledReader(LibraryReader):
    """The control: every hit is swapped for another experience, so number and form stay and relevance goes.

    Within a task a hit is always swapped for the same other one, drawn at random by the task's id; none stays itself.
    """

    async def read(self, query: str, task: Task) -> Retrieval:
        real = await LibraryReader.read(self, query, task)
        hidden = self.hidden.get(task.id, ())
        other = swapped([e.id for e in self.library if e.id not in hidden], task.id)
        hits = tuple(self._swap(hit, other) for hit in real.hits)
        return replace(real, hits=hits, text=hits_text(hits, self.library, self.retriever.prompts))

    def _swap(self, hit: Hit, other: Mapping[str, str]) -> Hit:
        experience = self.library.get(other[hit.experience_id])
        rule = hit.rule % len(experience.rules) if hit.rule is not None and experience.rules else None
        return replace(hit, experience_id=experience.id, rule=rule)


def swapped(ids: Sequence[str], key: str) -> dict[str, str]:
    """For each id another one, drawn with replacement by the key; the only id of a library stays itself."""

    def draw(place: int) -> int:
        digest = hashlib.sha256(f"{key}\n{ids[place]}".encode()).digest()
        return (place + 1 + int.from_bytes(digest[:8]) % max(1, len(ids) - 1)) % len(ids)

    return {one: ids[draw(place)] for place, one in enumerate(ids)}
