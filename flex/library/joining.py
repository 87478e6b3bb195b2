"""Libraries made one, and one made several: what was learned in parallel comes together with its history."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from typing import Any

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.files.clock import now
from flex.library.changes import Author, Recorder
from flex.library.entry import content_hash, free_id, parse_entry
from flex.library.file import LibraryFile
from flex.library.history import changed_content
from flex.library.reconcile import Meeting, Met, Side, meet, origin
from flex.library.stores import MemoryStore
from flex.types import ZONES, Change, Experience, Quarantined, Zone

KEYS: Mapping[str, Callable[[Experience], str]] = {
    "category": lambda experience: experience.problem_category,
    "zone": lambda experience: experience.zone,
}
"""What a library can be split by."""


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What met what when library `b` came to library `a`."""

    a: str
    b: str
    entries: int
    met: tuple[Met, ...]
    own: int
    """Changes that a had: going back to this one undoes the merge."""
    imported: int
    """Changes that came with the merge."""

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(met.kind for met in self.met).most_common())

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {**asdict(self), "counts": self.counts}

    def __str__(self) -> str:
        lines = [f"{met.kind:<15}{met.id}  {met.note}".rstrip() for met in self.met]
        counts = ", ".join(f"{number} {kind}" for kind, number in self.counts.items()) or "nothing met"
        undo = f"{self.imported} changes imported; a rollback to change {self.own} gives a again"
        return "\n".join([f"a: {self.a}", f"b: {self.b}", *lines, f"{self.entries} entries: {counts}", undo])


def merge_libraries(a: ExpLib, b: ExpLib, clock: Callable[[], str] = now) -> tuple[ExpLib, MergeReport]:
    """One library of two that were trained in parallel, and what met what; both stay as they are.

    What one of them has not touched since they parted is as the other has it; what both have changed gets the rules of
    both, or both are kept where that would be too large; entries that say the same become one with both provenances.
    The history is a's, then every change of b that a does not know yet as "import", then what the meeting itself
    changed: no revision of either is lost. `merge_libraries(b, a)` gives the same entries in another order.
    """
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a.history(), b.history(), strict=False)))
    names = [str(library.path or name) for library, name in ((a, "a"), (b, "b"))]
    mine, theirs = Side(a, names[0], shared), Side(b, names[1], shared)
    meeting = meet(mine, theirs)
    store = MemoryStore(_beginning(a, b))
    recorder = Recorder(store, clock)
    own = store.last_change()
    _import_history(recorder, mine, theirs)
    _settle(recorder, meeting, Author(source={"libraries": names}))
    report = MergeReport(names[0], names[1], len(meeting.entries), meeting.met, own, store.last_change() - own)
    return ExpLib(store=store), report


def part(library: ExpLib, keep: Callable[[Experience], bool], *, history: bool = True) -> ExpLib:
    """The entries that `keep` chooses as a library of their own, as `split` does it."""
    parts = split(library, lambda experience: str(keep(experience)), history=history)
    return parts.get("True") or ExpLib(store=MemoryStore(_empty(library)))


def split(library: ExpLib, key: str | Callable[[Experience], str], *, history: bool = True) -> dict[str, ExpLib]:
    """One library for each value of `key`: "category", "zone" or a function of an experience.

    Every entry stands in one of them as it was, with its id, provenance and history, whose changes are numbered anew;
    so do quarantined and removed ones, by what they said last. A change of what says nothing any more goes to the
    first. LibraryError for a key that is none.
    """
    if isinstance(key, str):
        if key not in KEYS:
            raise LibraryError(f"cannot split by '{key}'; choose from {', '.join(KEYS)}")
        key = KEYS[key]
    owners = {experience_id: key(experience) for experience_id, experience in _last_words(library).items()}
    files = {name: _Part() for name in owners.values()}
    for experience in library:
        files[owners[experience.id]].entries.append(experience)
    for held in library.quarantined:
        files[owners[held.experience.id]].quarantine.append(held)
    places = _places(library, owners) if history else {}
    for change in library.history() if history and files else ():
        own = files[owners.get(change.entry, next(iter(files)))].history
        own.append(replace(change, number=len(own) + 1, place=places.get(change.number)))
    return {name: ExpLib(store=MemoryStore(one.file(library))) for name, one in files.items()}


@dataclass(frozen=True, slots=True)
class _Part:
    """What goes to one part of a library."""

    entries: list[Experience] = field(default_factory=list)
    history: list[Change] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)

    def file(self, library: ExpLib) -> LibraryFile:
        return replace(
            _empty(library),
            experiences=tuple(self.entries),
            history=tuple(self.history),
            quarantine=tuple(self.quarantine),
        )


def _empty(library: ExpLib) -> LibraryFile:
    return LibraryFile((), library.created_at, library.config, library.extra)


def _beginning(a: ExpLib, b: ExpLib) -> LibraryFile:
    """Library a as it is, with the settings and the quarantine of both."""
    quarantine: dict[str, Quarantined] = {}
    # By what they say, so that it does not matter which library comes first when two want one id.
    for held in sorted([*a.quarantined, *b.quarantined], key=lambda held: content_hash(held.experience)):
        twin = quarantine.get(held.experience.id)
        if twin is None or content_hash(twin.experience) != content_hash(held.experience):
            free = free_id(held.experience.id, quarantine)
            quarantine[free] = replace(held, experience=replace(held.experience, id=free))
    return LibraryFile(
        tuple(a),
        min(filter(None, (a.created_at, b.created_at)), default=""),
        {**b.config, **a.config},
        {**b.extra, **a.extra},
        a.history(),
        tuple(quarantine.values()),
    )


def _import_history(recorder: Recorder, mine: Side, theirs: Side) -> None:
    """Add what happened in the other library since the two parted: first what it began with, then every change."""
    for experience_id in theirs.ids():
        began = theirs.before(experience_id)
        if not mine.has_said(experience_id, began):
            author = Author(source={"library": theirs.name})
            recorder.change("import", experience_id, began, f"as it came to {theirs.name}", author)
    for change, after in theirs.steps:
        if origin(change) not in mine.known:
            first = {"library": theirs.name, "change": change.number, "action": change.action, "time": change.time}
            source = {**first, "origin": origin(change), **change.source}
            recorder.change("import", change.entry, after, change.reason, Author(change.by, source))


def _settle(recorder: Recorder, meeting: Meeting, author: Author) -> None:
    """Let every entry be what the meeting made of it."""
    notes = {met.id: f"{met.kind} {met.note}".strip() for met in meeting.met}
    here = [experience.id for zone in ZONES for experience in recorder.store.zone(zone)]
    for experience_id in dict.fromkeys([*here, *meeting.entries]):
        after = meeting.entries.get(experience_id)
        if recorder.store.get(experience_id) != after:
            reason = notes.get(experience_id, "stands under another id" if after is None else "kept beside another")
            recorder.change("import", experience_id, after, reason, author)


def _last_words(library: ExpLib) -> dict[str, Experience]:
    """Every entry of a library, quarantined and removed ones too, as it was at last."""
    last = {experience.id: experience for experience in library}
    last |= {held.experience.id: held.experience for held in library.quarantined if held.experience.id not in last}
    for change in reversed(library.history()):
        if change.entry not in last and change.before is not None:
            last[change.entry] = parse_entry(change.before, change.before["memory_type"])
    return last


def _places(library: ExpLib, owners: Mapping[str, str]) -> dict[int, int]:
    """Where an entry that left its zone had stood there among those of its own part, by number of change."""
    order = {zone: [experience.id for experience in library.zone(zone)] for zone in ZONES}
    zones: dict[str, Zone] = {experience.id: experience.zone for experience in library}
    places = {}
    for change in filter(changed_content, reversed(library.history())):
        before = change.before["memory_type"] if change.before else None
        if zones.get(change.entry) == before:
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
