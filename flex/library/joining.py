"""Libraries made one, and one made several, with their histories: the work of `ExpLib.merge`, `split` and `part`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import Any

from flex.errors import LibraryError
from flex.library.by_hand import is_lost
from flex.library.changes import Author, Recorder
from flex.library.entry import content_hash, free_id, restored_entry
from flex.library.file import LibraryFile
from flex.library.history import changed_content
from flex.library.reconcile import Branch, EntryOutcome, origin, reconcile
from flex.library.stores import MemoryStore
from flex.types import ZONES, Change, Experience, Quarantined, Zone

KEYS: Mapping[str, Callable[[Experience], str]] = {
    "category": lambda experience: experience.problem_category,
    "zone": lambda experience: experience.zone,
}
"""What a library can be split by."""


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What became of every entry when library `b` was merged into library `a`."""

    a: str
    b: str
    entries: int
    outcomes: tuple[EntryOutcome, ...]
    own: int
    """Changes that a had: going back to this one undoes the merge."""
    imported: int
    """Changes that came with the merge."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(outcome.kind for outcome in self.outcomes).most_common())

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        values = {"met" if name == "outcomes" else name: value for name, value in asdict(self).items()}
        return {**values, "counts": self.counts}

    def __str__(self) -> str:
        lines = [f"{outcome.kind:<15}{outcome.id}  {outcome.note}".rstrip() for outcome in self.outcomes]
        counts = ", ".join(f"{number} {kind}" for kind, number in self.counts.items()) or "nothing met"
        undo = f"{self.imported} changes imported; a rollback to change {self.own} gives a again"
        return "\n".join([f"a: {self.a}", f"b: {self.b}", *lines, f"{self.entries} entries: {counts}", undo])


def merge_files(
    a: LibraryFile, b: LibraryFile, names: tuple[str, str], clock: Callable[[], str]
) -> tuple[MemoryStore, MergeReport]:
    """One library of two, called `names`, and what became of every entry; see `ExpLib.merge`."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a.history, b.history, strict=False)))
    mine, theirs = Branch(a, names[0], shared), Branch(b, names[1], shared)
    entries, outcomes = reconcile(mine, theirs)
    store = MemoryStore(_beginning(a, b))
    recorder = Recorder(store, clock)
    _import_history(recorder, mine, theirs)
    _apply(recorder, entries, outcomes, Author(source={"libraries": list(names)}))
    own = len(a.history)
    return store, MergeReport(*names, len(entries), tuple(outcomes), own, store.last_change() - own)


def split_file(
    library: LibraryFile, key: str | Callable[[Experience], str], *, history: bool = True
) -> dict[str, LibraryFile]:
    """One library for each value of `key`; see `ExpLib.split`."""
    if isinstance(key, str):
        if key not in KEYS:
            raise LibraryError(f"cannot split by '{key}'; choose from {', '.join(KEYS)}")
        key = KEYS[key]
    owners = {experience_id: key(experience) for experience_id, experience in _last_revisions(library).items()}
    names = list(dict.fromkeys(owners.values()))
    entries: dict[str, list[Experience]] = {name: [] for name in names}
    for experience in library.experiences:
        entries[owners[experience.id]].append(experience)
    quarantine: dict[str, list[Quarantined]] = {name: [] for name in names}
    for held in library.quarantine:
        quarantine[owners[held.experience.id]].append(held)
    changes: dict[str, list[Change]] = {name: [] for name in names}
    places = _places(library, owners) if history else {}
    for change in library.history if history and names else ():
        own = changes[owners.get(change.entry, names[0])]
        own.append(replace(change, number=len(own) + 1, place=places.get(change.number)))
    return {
        name: replace(
            library,
            experiences=tuple(entries[name]),
            history=tuple(changes[name]),
            quarantine=tuple(quarantine[name]),
        )
        for name in names
    }


def _beginning(a: LibraryFile, b: LibraryFile) -> LibraryFile:
    """Library a as it is, with the settings and the quarantine of both."""
    quarantine: dict[str, Quarantined] = {}
    # By what they say, so that it does not matter which library comes first when two want one id.
    for held in sorted([*a.quarantine, *b.quarantine], key=lambda held: content_hash(held.experience)):
        known = quarantine.get(held.experience.id)
        if known is None or content_hash(known.experience) != content_hash(held.experience):
            free = free_id(held.experience.id, quarantine.__contains__)
            quarantine[free] = replace(held, experience=replace(held.experience, id=free))
    return LibraryFile(
        a.experiences,
        min(filter(None, (a.created_at, b.created_at)), default=""),
        {**b.config, **a.config},
        {**b.extra, **a.extra},
        a.history,
        tuple(quarantine.values()),
    )


def _import_history(recorder: Recorder, mine: Branch, theirs: Branch) -> None:
    """Add what happened in the other library since the two parted: first what it began with, then every change."""
    for experience_id in theirs.ids():
        began = theirs.before(experience_id)
        if not mine.had_revision(experience_id, began):
            author = Author(source={"library": theirs.name})
            recorder.change("import", experience_id, began, f"as it came to {theirs.name}", author)
    for change, after in theirs.steps:
        if origin(change) not in mine.known:
            first = {"library": theirs.name, "change": change.number, "action": change.action, "time": change.time}
            source = {**first, "origin": origin(change), **change.source}
            recorder.change("import", change.entry, after, change.reason, Author(change.by, source))


def _apply(
    recorder: Recorder, entries: Mapping[str, Experience], outcomes: Sequence[EntryOutcome], author: Author
) -> None:
    """Make every entry of the store what the two libraries make of it together."""
    notes = {outcome.id: f"{outcome.kind} {outcome.note}".strip() for outcome in outcomes}
    here = [experience.id for zone in ZONES for experience in recorder.store.zone(zone)]
    for experience_id in dict.fromkeys([*here, *entries]):
        after = entries.get(experience_id)
        if recorder.store.get(experience_id) != after:
            reason = notes.get(experience_id, "stands under another id" if after is None else "kept beside another")
            recorder.change("import", experience_id, after, reason, author)


def _last_revisions(library: LibraryFile) -> dict[str, Experience]:
    """Every entry of a library, quarantined and removed ones too, as it was last."""
    last = {experience.id: experience for experience in library.experiences}
    last |= {held.experience.id: held.experience for held in library.quarantine if held.experience.id not in last}
    for change in reversed(library.history):
        if change.entry not in last and change.before is not None:
            last[change.entry] = restored_entry(change.before)
    return last


def _places(library: LibraryFile, owners: Mapping[str, str]) -> dict[int, int]:
    """By number of change: where an entry that left its zone had stood there, among those of its own part."""
    order: dict[Zone, list[str]] = {zone: [] for zone in ZONES}
    for experience in library.experiences:
        order[experience.zone].append(experience.id)
    zones: dict[str, Zone] = {experience.id: experience.zone for experience in library.experiences}
    places = {}
    for change in filter(changed_content, reversed(library.history)):
        before = change.before["memory_type"] if change.before else None
        if zones.get(change.entry) == before or is_lost(change):
            continue
        if change.entry in zones:
            _take_out(order[zones.pop(change.entry)], change.entry)
        if before is not None:
            place = len(order[before]) if change.place is None else change.place
            own = owners[change.entry]
            places[change.number] = sum(owners[other] == own for other in order[before][:place])
            order[before].insert(place, change.entry)
            zones[change.entry] = before
    return places


def _take_out(ids: list[str], experience_id: str) -> None:
    """Mostly the last one, so look there first: this is done for every change of a history."""
    if ids[-1] == experience_id:
        ids.pop()
    else:
        ids.remove(experience_id)
