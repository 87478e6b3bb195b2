"""ExpLib: the experience library as one uses it, the only thing in FLEX that changes (paper, 3.2)."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from flex.errors import LibraryError, NoSuchEntry
from flex.files.clock import now
from flex.files.locks import held
from flex.library.changes import NOBODY, Author, Recorder, as_kept, check_decision, check_zone
from flex.library.entry import characters, content_hash, derived_id
from flex.library.history import Blamed, Version, blame, versions
from flex.library.joining import MergeReport, merge_files, split_file
from flex.library.merging import merge
from flex.library.stores import MemoryStore, Store, open_store, same_file, save_store
from flex.search.query import Filter
from flex.types import TOP_K, ZONES, Change, Experience, Hit, Quarantined, UpdateDecision, Zone


class ExpLib:
    """All experiences, by zone and id: load, save, add, apply, search, and go back in their history.

        ExpLib()                                 an empty library in memory
        ExpLib("exps/aime.json")                 that file, written by `save`
        ExpLib("exps/aime.db")                   that SQLite database, whose changes are on disk at once
        ExpLib("exps")                           all *.json of the folder as one
        ExpLib("exps/new.json", create=True)     a new library, where there is none yet

    Raises LibraryError for a path that is not a library. Iterates golden, warning, mixed, each as in its file with new
    entries after. `clock` stamps experiences that bring no `created_at`; `store` is one that is open already.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        create: bool = False,
        clock: Callable[[], str] = now,
        store: Store | None = None,
    ) -> None:
        self.path = Path(path) if path is not None else None
        self._clock = clock
        self._held: Path | None = None
        self._store = open_store(self.path, clock(), create=create) if store is None else store

    @property
    def created_at(self) -> str:
        return self._store.created_at

    @property
    def config(self) -> dict[str, Any]:
        """Settings that travel with the library; `save` keeps what is changed in them."""
        return self._store.config

    @property
    def extra(self) -> dict[str, Any]:
        """Unknown keys of the file."""
        return self._store.extra

    def __len__(self) -> int:
        return sum(self._store.counts().values())

    def __bool__(self) -> bool:
        return True  # an empty library is a library

    def __iter__(self) -> Iterator[Experience]:
        return (experience for zone in ZONES for experience in self._store.zone(zone))

    def __contains__(self, experience_id: object) -> bool:
        return isinstance(experience_id, str) and self._store.get(experience_id) is not None

    def zone(self, name: Zone) -> tuple[Experience, ...]:
        """The experiences of one zone, in order; LibraryError for an unknown zone."""
        check_zone(name)
        return tuple(self._store.zone(name))

    def get(self, experience_id: str) -> Experience:
        """The experience with this id; NoSuchEntry if there is none."""
        if (experience := self._store.get(experience_id)) is None:
            raise NoSuchEntry(f"no experience '{experience_id}' in {self}")
        return experience

    def add(self, experience: Experience, author: Author = NOBODY) -> Experience:
        """Put an experience into its zone and return it as it is kept: with `id` and `created_at`.

        The id depends on its content and its tasks only. Raises LibraryError, nothing changed, for an unknown zone, an
        id that is taken and values that no library file could hold.
        """
        with self._changing():
            return self._recorder.insert(experience, "added", author)

    def apply(self, experience: Experience, decision: UpdateDecision, author: Author = NOBODY) -> Experience | None:
        """Carry out the updater's decision; the inserted or merged entry, None when there is none (paper, 3.2).

        Everything is checked first: LibraryError (unknown action, target, rule number or zone) means nothing changed.
        """
        with self._changing():
            check_decision(experience, decision, self.get)
            if decision.action == "quarantine":
                self._recorder.quarantine(Quarantined(self._recorder.named(experience), decision.reason), author)
                return None
            if decision.action == "insert":
                kept = replace(experience, contradicts=(*experience.contradicts, *decision.contradicts))
                return self._recorder.insert(kept, decision.reason, author)
            new = as_kept(experience)
            if decision.target is None:  # discarded, and not because of an entry
                dropped = new.id or derived_id(new)
                self._recorder.change("discard", dropped, self._store.get(dropped), decision.reason, author, new)
                return None
            target = self.get(decision.target)
            after = merge(target, new, decision) if decision.action == "merge" else target
            self._recorder.change(decision.action, target.id, after, decision.reason, author, new)
            return after if decision.action == "merge" else None

    def remove(self, experience_id: str, reason: str = "", author: Author = NOBODY) -> None:
        """Take an entry out; its revisions stay in the history. LibraryError if there is none."""
        with self._changing():
            self._recorder.change("remove", self.get(experience_id).id, None, reason, author)

    def identical(self, experience: Experience) -> str | None:
        """The id of an entry that says the same (method, rules with examples, trajectory; any zone), or None."""
        return self._store.find_by_content(content_hash(experience))

    def search(
        self,
        query: str,
        top_k: int = TOP_K,
        zones: Collection[Zone] | None = None,
        hidden: Collection[str] = (),
        *,
        categories: Collection[str] | None = None,
        min_priority: int = 0,
        text_only: bool = False,
    ) -> list[Hit]:
        """The `top_k` experiences that match the query best, over all fields, best first; equal scores by id.

        Only those of these zones and categories and of at least this priority; those with an id in `hidden` are passed
        over (what would give a task away). A query is text, never syntax. Where it names a molecule, entries about
        similar products count too, unless `text_only`. See flex/search/finder.py.
        """
        for zone in zones or ():
            check_zone(zone)
        found = self._store.search(query, top_k, Filter(zones, categories, min_priority, hidden), text_only)
        return [
            Hit(one.id, one.score, rank=rank, revision=self.revision(one.id), why=one.why)
            for rank, one in enumerate(found, start=1)
        ]

    def history(self, experience_id: str | None = None) -> tuple[Change, ...]:
        """Every change, in order; of one entry if it is named."""
        return tuple(self._store.changes(entry=experience_id))

    def revision(self, experience_id: str) -> int:
        """The number of an entry's revision, from 1; it grows with every change of what it says."""
        return self._store.revision(experience_id)

    def versions(self, experience_id: str) -> list[Version]:
        """Every revision of an entry, oldest first, each with the change that made it; of removed entries as well."""
        return versions(self.history(experience_id), self._store.get(experience_id))

    def blame(self, experience_id: str) -> list[Blamed]:
        """By method, rule, example and trajectory, which revision brought them."""
        return blame(self.versions(experience_id))

    def merge(self, other: "ExpLib") -> "tuple[ExpLib, MergeReport]":
        """One library of this and another that was trained in parallel, and what became of every entry.

        Both stay as they are. What only one has changed since they parted is as that one has it; what both have changed
        gets the rules of both, or both are kept where that would be too large; entries that say the same become one.
        The history is this one's, then what happened in the other since, as "import", then what the merge changed: no
        revision is lost. `other.merge(self)` gives the same entries in another order.
        """
        names = (str(self.path or "a"), str(other.path or "b"))
        store, report = merge_files(self._store.file(), other._store.file(), names, self._clock)
        return ExpLib(clock=self._clock, store=store), report

    def split(self, key: str | Callable[[Experience], str], *, history: bool = True) -> "dict[str, ExpLib]":
        """One library for each value of `key`: "category", "zone" or a function of an experience.

        Every entry is in one of them with its id, provenance and history, whose changes are numbered anew; so are
        quarantined and removed ones, by their last revision. LibraryError for an unknown key.
        """
        parts = split_file(self._store.file(), key, history=history)
        return {name: ExpLib(clock=self._clock, store=MemoryStore(part)) for name, part in parts.items()}

    def part(self, keep: Callable[[Experience], bool], *, history: bool = True) -> "ExpLib":
        """The entries that `keep` chooses as a library of their own, as `split` makes it."""
        file = self._store.file()
        parts = split_file(file, lambda experience: "kept" if keep(experience) else "left", history=history)
        none = replace(file, experiences=(), history=(), quarantine=())
        return ExpLib(clock=self._clock, store=MemoryStore(parts.get("kept", none)))

    def rollback(self, number: int, author: Author = NOBODY) -> int:
        """Make the content what it was after change `number` (0: before the first); the number of changes undone.

        Undoing is recorded as changes itself, so a rollback can be rolled back. An entry that was edited by hand stays
        as it is where nobody knows what it said before. LibraryError for no such number.
        """
        with self._changing():
            last = self._store.last_change()
            if not 0 <= number <= last:
                raise LibraryError(f"there is no change {number} in {self}; it has {last} changes")
            undone = list(self._store.changes(after=number))
            for change in reversed(undone):
                self._recorder.undo(change, f"back to change {number}", author)
            return len(undone)

    @property
    def quarantined(self) -> tuple[Quarantined, ...]:
        """Experiences that nobody could decide on, with the reasons; they are not searched."""
        return self._store.quarantined()

    def release(self, experience_id: str, decision: UpdateDecision, author: Author = NOBODY) -> Experience | None:
        """Carry out a decision on a quarantined experience, which then is quarantined no longer."""
        with self._changing():
            held_back = next((q for q in self.quarantined if q.experience.id == experience_id), None)
            if held_back is None:
                raise LibraryError(f"no experience '{experience_id}' is quarantined in {self}")
            free = replace(held_back.experience, id="" if experience_id in self else experience_id)
            kept = self.apply(free, decision, author)
            self._recorder.release(held_back, author)
            return kept

    def save(self, path: str | Path | None = None) -> Path:
        """Write the library to `path`, or to where it came from, all of it or nothing; returns the path.

        The suffix says what it becomes: .db a SQLite database, anything else a JSON file. Raises LibraryError when
        there is no path, when what is there is no library or was changed by somebody else since it was read, and when
        it cannot be written; the file is then as it was.
        """
        target = Path(path) if path is not None else self.path
        if target is None:
            raise LibraryError("this library came from no file; say where to save it: save(path)")
        if target.is_dir():
            raise LibraryError(f"{target} is a folder; say which file to save to: save(path)")
        saved = save_store(self._store, target, is_held=self._held is not None and same_file(target, self._held))
        if self.path is None and not self._store.frozen:
            self.path, self._store = target, saved
        return target

    @contextmanager
    def hold(self, path: Path) -> Iterator[None]:
        """Keep `path` for this library against other processes; LibraryError at once, naming who holds it."""
        with held(path):
            self._held = path
            try:
                yield
            finally:
                self._held = None

    def stats(self) -> dict[str, Any]:
        """Counts: `entries`, `zones`, `categories`, `rules`, `examples`, `characters`, and the `largest` entry."""
        sizes = {experience.id: characters(experience) for experience in self}
        largest = max(sizes, key=lambda experience_id: sizes[experience_id], default=None)
        return {
            "entries": len(self),
            "zones": self._store.counts(),
            "categories": dict(Counter(experience.problem_category for experience in self).most_common()),
            "rules": sum(len(experience.rules) for experience in self),
            "examples": sum(len(rule.examples) for experience in self for rule in experience.rules),
            "characters": sum(sizes.values()),
            "largest": {"id": largest, "characters": sizes[largest]} if largest else None,
            "quarantined": len(self.quarantined),
            "changes": self._store.last_change(),
        }

    def view(self) -> "ExpLib":
        """The library as it is now, to read and search while this one grows; cheap, refuses every change."""
        return ExpLib(self.path, clock=self._clock, store=self._store.view())

    def copy(self) -> "ExpLib | None":
        """A copy in memory to try changes on; None of a database that is too large to be copied."""
        return ExpLib(clock=self._clock, store=store) if (store := self._store.copy()) else None

    def close(self) -> None:
        """Let go of the database; a JSON library has nothing open."""
        self._store.close()

    def __enter__(self) -> "ExpLib":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ExpLib({str(self.path) if self.path else ''}: {len(self)} experiences)"

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self._store, self._clock)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        if self._store.frozen:
            raise LibraryError("a snapshot of a library does not change; change the library it was taken from")
        with self._store.transaction():
            yield
