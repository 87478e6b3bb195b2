"""ExpLib: the experience library, the only thing in FLEX that changes (paper, 3.2)."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, get_args

from flex.clock import now
from flex.errors import LibraryError
from flex.library_file import (
    LibraryFile,
    content_hash,
    derived_id,
    dump_entry,
    free_id,
    parse_entry,
    read_folder,
    read_library,
    write_library,
)
from flex.search import SearchIndex
from flex.types import TOP_K, ZONES, Action, Experience, Hit, Rule, UpdateDecision, Zone

DEFAULT_CONFIG: dict[str, Any] = {"retrieval_weights": {"golden": 1.0, "warning": 0.8, "mixed": 0.9}}


class ExpLib:
    """All experiences, by zone and id: load, save, add, apply, search.

    `ExpLib()` is empty, `ExpLib("exps/aime.json")` is that file, `ExpLib("exps")` all *.json of the folder as one.
    Raises LibraryError for a path that is not a library. Iterates golden, warning, mixed, each as in its file with new
    entries after; so it does after `save` and load, too. `clock` stamps experiences that bring no `created_at`.
    """

    def __init__(self, path: str | Path | None = None, *, clock: Callable[[], str] = now) -> None:
        self.path = Path(path) if path is not None else None
        self._clock = clock
        self._frozen = False
        self._checked: tuple[int, ...] | None = None
        self._zones: dict[Zone, dict[str, Experience]] = {zone: {} for zone in ZONES}
        self._contents: dict[str, str] = {}
        self._index: SearchIndex | None = None
        self._unindexed: dict[str, None] = {}
        self._searching = Lock()
        file = self._read(self.path) if self.path is not None else None
        self.created_at = file.created_at if file else clock()
        self.config: dict[str, Any] = dict(file.config) if file else json.loads(json.dumps(DEFAULT_CONFIG))
        self.extra: dict[str, Any] = dict(file.extra) if file else {}
        for experience in file.experiences if file else ():
            self._put(experience)

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._zones.values())

    def __bool__(self) -> bool:
        return True  # an empty library is a library

    def __iter__(self) -> Iterator[Experience]:
        return (experience for zone in ZONES for experience in self.zone(zone))

    def __contains__(self, experience_id: object) -> bool:
        return any(experience_id in entries for entries in self._zones.values())

    def zone(self, name: Zone) -> tuple[Experience, ...]:
        """The experiences of one zone, in order; LibraryError for a zone that is none."""
        if name not in ZONES:
            raise LibraryError(f"no zone '{name}'; choose from {', '.join(ZONES)}")
        return tuple(self._zones[name].values())

    def get(self, experience_id: str) -> Experience:
        """The experience with this id; LibraryError if there is none."""
        for entries in self._zones.values():
            if experience_id in entries:
                return entries[experience_id]
        raise LibraryError(f"no experience '{experience_id}' in {self}")

    def add(self, experience: Experience) -> Experience:
        """Put an experience into its zone and return it as it is kept: with `id` and `created_at`.

        The id depends on its content and its tasks only. Raises LibraryError, nothing changed, for an unknown zone, an
        id that is taken and values that no library file could hold.
        """
        self._check_mutable()
        kept = self._as_kept(experience)
        if kept.id in self:
            raise LibraryError(f"there is an experience '{kept.id}' already")
        kept = replace(
            kept,
            id=kept.id or free_id(derived_id(kept), self),
            created_at=kept.created_at or self._clock(),
        )
        self._put(kept)
        return kept

    def apply(self, experience: Experience, decision: UpdateDecision) -> Experience | None:
        """Carry out the updater's decision; returns the inserted or merged entry, None when discarded (paper, 3.2).

        Everything is checked first: LibraryError (unknown action, target, rule number or zone) means nothing changed.
        """
        self._check_mutable()
        self._check(experience, decision)
        if decision.action == "discard":
            return None
        if decision.action == "insert" or decision.target is None:
            return self.add(experience)
        merged = merge(self.get(decision.target), self._as_kept(experience), decision)
        self._put(merged)
        return merged

    def identical(self, experience: Experience) -> str | None:
        """The id of the first entry that says the same (method, rules with examples, trajectory; any zone), or None."""
        wanted = content_hash(experience)
        for entry in self:
            if entry.id not in self._contents:
                self._contents[entry.id] = content_hash(entry)
            if self._contents[entry.id] == wanted:
                return entry.id
        return None

    def search(
        self,
        query: str,
        top_k: int = TOP_K,
        zones: Collection[Zone] | None = None,
        hidden: Collection[str] = (),
    ) -> list[Hit]:
        """The `top_k` experiences that match the query best, over all fields; equal scores in the library's order.

        Those with an id in `hidden` are passed over.
        """
        for zone in zones or ():
            self.zone(zone)
        keys = [e.id for e in self if (zones is None or e.zone in zones) and e.id not in hidden]
        with self._searching:  # a library may be searched from several threads
            found = self._refreshed_index().search(query, keys, top_k)
        return [Hit(experience_id, score, rank=rank) for rank, (experience_id, score) in enumerate(found, start=1)]

    def save(self, path: str | Path | None = None) -> Path:
        """Write the library to `path`, or to where it came from, all of it or nothing; returns the path.

        Raises LibraryError when there is no path, when what stands there is not a library (an empty file is fine), or
        when it cannot be written; the file is then as it was.
        """
        target = Path(path) if path is not None else self.path
        if target is None:
            raise LibraryError("this library came from no file; say where to save it: save(path)")
        if target.is_dir():
            raise LibraryError(f"{target} is a folder; say which file to save to: save(path)")
        if target.exists() and target.stat().st_size and _stamp(target) != self._checked:
            read_library(target)
        write_library(target, LibraryFile(tuple(self), self.created_at, self.config, self.extra))
        self._checked = _stamp(target)
        self.path = self.path or target
        return target

    def stats(self) -> dict[str, Any]:
        """Counts: `entries`, `zones`, `categories`, `rules`, `examples`, `characters`, and the `largest` entry."""
        sizes = {experience.id: len(searchable(experience)) for experience in self}
        largest = max(sizes, key=lambda experience_id: sizes[experience_id], default=None)
        return {
            "entries": len(self),
            "zones": {zone: len(entries) for zone, entries in self._zones.items()},
            "categories": dict(Counter(experience.problem_category for experience in self).most_common()),
            "rules": sum(len(experience.rules) for experience in self),
            "examples": sum(len(rule.examples) for experience in self for rule in experience.rules),
            "characters": sum(sizes.values()),
            "largest": {"id": largest, "characters": sizes[largest]} if largest else None,
        }

    def snapshot(self) -> "ExpLib":
        """A copy for readers that stays as it is while this library grows; cheap, refuses every change."""
        copy = object.__new__(ExpLib)
        copy.__dict__.update(self.__dict__)
        with self._searching:
            copy._index = self._refreshed_index().copy()
        copy._zones = {zone: dict(entries) for zone, entries in self._zones.items()}
        copy._contents, copy._unindexed, copy._searching, copy._frozen = dict(self._contents), {}, Lock(), True
        return copy

    def __repr__(self) -> str:
        return f"ExpLib({str(self.path) if self.path else ''}: {len(self)} experiences)"

    def _read(self, path: Path) -> LibraryFile:
        if path.is_dir():
            return read_folder(path)
        file = read_library(path)
        self._checked = _stamp(path)
        return file

    def _put(self, experience: Experience) -> None:
        for zone in ZONES:
            if zone != experience.zone:
                self._zones[zone].pop(experience.id, None)
        self._zones[experience.zone][experience.id] = experience
        self._unindexed[experience.id] = None
        self._contents.pop(experience.id, None)

    def _refreshed_index(self) -> SearchIndex:
        self._index = self._index or SearchIndex()
        self._index.put({experience_id: searchable(self.get(experience_id)) for experience_id in self._unindexed})
        self._unindexed = {}
        return self._index

    def _check_mutable(self) -> None:
        if self._frozen:
            raise LibraryError("a snapshot of a library does not change; change the library it was taken from")

    def _check(self, experience: Experience, decision: UpdateDecision) -> None:
        self.zone(experience.zone)
        if decision.action not in get_args(Action):
            raise LibraryError(f"no action '{decision.action}'; choose from {', '.join(get_args(Action))}")
        if decision.action == "merge" and decision.target is None:
            raise LibraryError("a merge has to name the entry to merge into")
        if decision.action != "insert" and decision.target is not None:
            self.get(decision.target)
        if decision.action == "merge" and decision.trajectory not in ("existing", "new"):
            raise LibraryError(f"no trajectory '{decision.trajectory}'; choose from existing, new")
        if wrong := [n for n in decision.novel_rules if n not in range(len(experience.rules))]:
            raise LibraryError(f"no rule {wrong[0]} (from 0) in an experience with {len(experience.rules)} rules")

    def _as_kept(self, experience: Experience) -> Experience:
        """The experience as it would come back from a file."""
        self.zone(experience.zone)
        try:
            entry = json.loads(json.dumps(dump_entry(experience), allow_nan=False))
        except (TypeError, ValueError, AttributeError) as error:
            raise LibraryError(f"this experience cannot stand in a library file: {error}") from error
        return parse_entry(entry, experience.zone)


def merge(target: Experience, new: Experience, decision: UpdateDecision) -> Experience:
    """The target with the new one's novel rules and the more informative trajectory of the two (paper, 3.2).

    A rule that exists already gains the examples it lacks. The target keeps id and created_at; its zone is that of the
    trajectory it has afterwards, so that what was solved at last is no warning any more. Nothing is lost.
    """
    told = new if decision.trajectory == "new" else target
    rules = list(target.rules)
    for novel in (new.rules[number] for number in dict.fromkeys(decision.novel_rules)):
        place = next((i for i, rule in enumerate(rules) if rule.rule.strip() == novel.rule.strip()), None)
        if place is None:
            rules.append(novel)
        else:
            rules[place] = Rule(rules[place].rule, _union(rules[place].examples, novel.examples))
    provenance = {**new.provenance, **target.provenance}
    if tasks := _union(_tasks(target), _tasks(new)):
        provenance["tasks"] = list(tasks)
    return replace(
        target,
        rules=tuple(rules),
        revised_trajectory=told.revised_trajectory,
        zone=told.zone,
        problem_category=target.problem_category or new.problem_category,
        priority=max(target.priority, new.priority),
        provenance=provenance,
        extra={**new.extra, **target.extra},
    )


def searchable(experience: Experience) -> str:
    """All an experience says, as one text: what search looks through."""
    rules = (text for rule in experience.rules for text in (rule.rule, *rule.examples))
    return "\n".join((experience.problem_category, experience.method, *rules, experience.revised_trajectory))


def _union(first: Sequence[Any], second: Sequence[Any]) -> tuple[Any, ...]:
    return (*first, *(item for number, item in enumerate(second) if item not in first and item not in second[:number]))


def _tasks(experience: Experience) -> list[Any]:
    tasks = experience.provenance.get("tasks") or []
    return tasks if isinstance(tasks, list) else [tasks]


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when somebody else writes the file."""
    status = path.stat()
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
