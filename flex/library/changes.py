"""Changes of a library: checked first, then written into its history with who made it, why, and what it replaced."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from flex.errors import LibraryError
from flex.library.by_hand import is_lost
from flex.library.entry import derived_id, dump_entry, entry_hash, free_id, parse_entry, restored_entry
from flex.library.history import changed_content
from flex.library.stores import Store
from flex.types import ZONES, Action, Change, Experience, Quarantined, UpdateDecision

_REASON = "quarantined_because"
"""Where a change that releases an experience keeps why it was quarantined."""
_SOURCE = ("tasks", "rollout", "rollouts")
"""What a change says of where an experience came from; the rest is in its provenance."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes a library, and from what: this is what its history says of a change."""

    by: Mapping[str, Any] = field(default_factory=dict)
    """`run`, `model`, `prompt`."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """`epoch` and `number` of a training run; `tasks` and `rollout` come from the experience."""


NOBODY = Author()


def as_kept(experience: Experience) -> Experience:
    """The experience as it would come back from a file. Raises LibraryError for what no file could hold."""
    check_zone(experience.zone)
    try:
        entry = json.loads(json.dumps(dump_entry(experience), allow_nan=False))
    except (TypeError, ValueError, AttributeError) as error:
        raise LibraryError(f"this experience cannot stand in a library file: {error}") from error
    return parse_entry(entry, experience.zone)


def check_zone(name: str) -> None:
    """Raises LibraryError for an unknown zone."""
    if name not in ZONES:
        raise LibraryError(f"no zone '{name}'; choose from {', '.join(ZONES)}")


def check_decision(experience: Experience, decision: UpdateDecision, get: Callable[[str], Experience]) -> None:
    """Raises LibraryError for a decision that cannot be carried out; `get` raises it for an entry that is not there."""
    check_zone(experience.zone)
    if decision.action not in get_args(Action):
        raise LibraryError(f"no action '{decision.action}'; choose from {', '.join(get_args(Action))}")
    if decision.action == "merge" and decision.target is None:
        raise LibraryError("a merge has to name the entry to merge into")
    if decision.action != "insert" and decision.target is not None:
        get(decision.target)
    for other in decision.contradicts:
        get(other)
    if decision.action == "merge" and decision.trajectory not in ("existing", "new"):
        raise LibraryError(f"no trajectory '{decision.trajectory}'; choose from existing, new")
    if wrong := [n for n in decision.novel_rules if n not in range(len(experience.rules))]:
        raise LibraryError(f"no rule {wrong[0]} (from 0) in an experience with {len(experience.rules)} rules")


@dataclass(frozen=True, slots=True)
class Recorder:
    """Changes a store and writes down every change; `clock` says when where the experience does not."""

    store: Store
    clock: Callable[[], str]

    def insert(self, experience: Experience, reason: str, author: Author = NOBODY) -> Experience:
        """Add an experience, and link the entries that it contradicts back to it; the entry as it is kept."""
        kept = self.named(experience)
        if self.store.get(kept.id) is not None:
            raise LibraryError(f"there is an experience '{kept.id}' already")
        kept = replace(kept, created_at=kept.created_at or self.clock())
        self.change("insert", kept.id, kept, reason, author, kept)
        for other in kept.contradicts:
            if other != kept.id and (known := self.store.get(other)) is not None:
                linked = replace(known, contradicts=tuple(dict.fromkeys((*known.contradicts, kept.id))))
                self.change("link", other, linked, f"contradicted by {kept.id}", author, kept)
        return kept

    def named(self, experience: Experience) -> Experience:
        """The experience as it is kept; one that brings no id gets one that is free."""
        kept = as_kept(experience)
        if kept.id:
            return kept
        quarantined = {held.experience.id for held in self.store.quarantined()}
        free = free_id(derived_id(kept), lambda wanted: wanted in quarantined or self.store.get(wanted) is not None)
        return replace(kept, id=free)

    def change(
        self,
        action: str,
        entry: str,
        after: Experience | None,
        reason: str,
        author: Author = NOBODY,
        new: Experience | None = None,
        position: int | None = None,
    ) -> None:
        """Let an entry become `after` (None: gone) and record it; `new` is the experience that this came from."""
        before = self.store.get(entry)
        leaves = before is not None and (after is None or after.zone != before.zone)
        place = self.store.position(entry) if leaves else None
        if after is None:
            self.store.remove(entry)
        elif after != before:
            self.store.put(after, position)
        self._append(
            action,
            entry,
            reason,
            author,
            new,
            before=dump_entry(before) if before is not None and before != after else None,
            place=place,
            before_hash=None if before is None else entry_hash(before),
            after_hash=None if after is None else entry_hash(after),
        )

    def quarantine(self, held: Quarantined, author: Author = NOBODY) -> None:
        """Keep an experience apart from the library, and write down why."""
        self.store.quarantine(held)
        self._append("quarantine", held.experience.id, held.reason, author, held.experience)

    def release(self, held: Quarantined, author: Author = NOBODY) -> None:
        """Keep an experience apart no longer; the change holds it, so that it is never lost."""
        self.store.unquarantine(held.experience.id)
        before = {**dump_entry(held.experience), _REASON: held.reason}
        self._append("release", held.experience.id, held.reason, author, held.experience, before=before)

    def undo(self, change: Change, reason: str, author: Author = NOBODY) -> None:
        """Bring back what a change replaced; one that replaced nothing, or what is lost, leaves nothing to undo."""
        if change.action == "quarantine":
            for held in self.store.quarantined():
                if held.experience.id == change.entry:
                    self.release(held, author)
        elif change.action == "release" and change.before:
            entry = dict(change.before)
            why = str(entry.pop(_REASON, ""))
            self.quarantine(Quarantined(restored_entry(entry), why), author)
        elif changed_content(change) and not is_lost(change):
            before = restored_entry(change.before) if change.before else None
            self.change("rollback", change.entry, before, reason, author, position=change.place)

    def _append(
        self, action: str, entry: str, reason: str, author: Author, new: Experience | None, **replaced: Any
    ) -> None:
        """Write down a change; `new` is the experience that it came from."""
        made = new.provenance if new else {}
        change = Change(
            number=self.store.last_change() + 1,
            action=action,
            entry=entry,
            time=(new.created_at if new else "") or self.clock(),
            reason=reason,
            by=author.by,
            source={**{key: made[key] for key in _SOURCE if key in made}, **author.source},
            **replaced,
        )
        self.store.append(change)
