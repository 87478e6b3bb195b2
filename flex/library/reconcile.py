"""Two libraries that were trained apart: which of them knows more of an entry, and what both make of it together."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from flex.library.entry import content_hash, derived_id, dump_entry, entry_hash, free_id
from flex.library.file import LibraryFile
from flex.library.history import LOST, dump_change, replayed
from flex.library.merging import distinct, merge, merged_provenance, normal_rule, over_caps, rules_in_zone
from flex.types import Change, Experience, UpdateDecision

Kind = Literal[
    "identical", "one side", "both sides", "kept both", "contradiction", "renamed id", "only in a", "only in b"
]
"""How an entry came about. A contradiction: one library has removed what the other has changed meanwhile."""

_ZONE_RANK = {"golden": 0, "mixed": 1, "warning": 2}
_SUMS = ("tasks", "merged")
"""Keys of a provenance that hold what came together."""


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """What became of one entry; `id` is its id in the merged library."""

    kind: Kind
    id: str
    note: str = ""


class Branch:
    """One of the two libraries: its entries, and its history since they parted."""

    def __init__(self, library: LibraryFile, name: str, shared: int) -> None:
        """`shared` is how many changes the histories begin with in common."""
        self.name = name
        self.entries = {experience.id: experience for experience in library.experiences}
        news = library.history[shared:]
        self.steps, self._before = replayed(news, self.entries.get)
        self.known = {origin(change) for change in news}
        self._changes: dict[str, list[Change]] = {}
        for change in news:
            self._changes.setdefault(change.entry, []).append(change)

    def ids(self) -> list[str]:
        """Of all entries that are here or were when the libraries parted."""
        return list(dict.fromkeys([*self.entries, *self._before]))

    def before(self, experience_id: str) -> Experience | None:
        """The entry as it was when the libraries parted; None also where nobody knows it any more."""
        before = self._before.get(experience_id, self.entries.get(experience_id))
        return None if before == LOST else before

    def had(self, experience_id: str) -> bool:
        """Whether the entry is here, or was at any time since."""
        return experience_id in self._changes or experience_id in self.entries

    def had_revision(self, experience_id: str, experience: Experience | None) -> bool:
        """Whether this was a revision of the entry here; None, for that it did not exist, always was."""
        hashes = {change.after_hash for change in self._changes.get(experience_id, ())}
        if (before := self.before(experience_id)) is not None:
            hashes.add(entry_hash(before))
        return experience is None or entry_hash(experience) in hashes

    def knows(self, other: "Branch", experience_id: str) -> bool:
        """Whether all that ever happened to the entry there is part of its history here."""
        theirs = {origin(change) for change in other._changes.get(experience_id, ())}
        return theirs <= self.known and self.had_revision(experience_id, other.before(experience_id))


def origin(change: Change) -> str:
    """What a change is known by in every library that has it, wherever it stands in the history there."""
    fixed = dump_change(replace(change, number=0, place=None, before=None))
    digest = sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]
    return str(change.source.get("origin", digest))


def reconcile(a: Branch, b: Branch) -> tuple[dict[str, Experience], list[EntryOutcome]]:
    """Every entry of both by id, and what became of each; the same for `reconcile(b, a)` but for the words."""
    entries: dict[str, Experience] = {}
    outcomes: dict[str, EntryOutcome] = {}
    too_large: list[Experience] = []
    for experience_id in dict.fromkeys([*a.ids(), *b.ids()]):
        if (result := _reconciled(a, b, experience_id)) is not None:
            outcomes[experience_id], entry, apart = result
            if entry is not None:
                entries[experience_id] = entry
            if apart is not None:
                too_large.append(apart)
    renamed = _merge_duplicates(entries, outcomes)
    _keep_apart(too_large, entries, outcomes)
    linked = {one.id: _with_links(one, renamed) for one in entries.values()}
    return linked, list(outcomes.values())


def merged_entry(x: Experience, y: Experience, base: Experience | None = None) -> Experience:
    """One entry of two revisions of it; `merged_entry(y, x)` is the same.

    A rule stays unless one of them has dropped it since `base`, what they both come from; method and trajectory are
    the changed ones, and where both changed them those of the more informative trajectory (`_rank`).
    """
    first, second = sorted((x, y), key=_rank)
    forms = [{normal_rule(rule.rule) for rule in one.rules} for one in (first, second)]
    old = {normal_rule(rule.rule) for rule in base.rules} if base else set()
    stays = (forms[0] & forms[1]) | ((forms[0] | forms[1]) - old)
    # An entry's zone is that of its trajectory, so they stay together.
    unchanged = base and (first.revised_trajectory, first.zone) == (base.revised_trajectory, base.zone)
    trajectory_of = second if unchanged else first
    rules = [rule for one in (first, second) for rule in rules_in_zone(one, trajectory_of.zone)]
    consolidated = replace(
        trajectory_of,
        method=(second if base and first.method == base.method else first).method,
        rules=distinct(rule for rule in rules if normal_rule(rule.rule) in stays),
    )
    both = merge(first, second, UpdateDecision("merge", consolidated=consolidated))
    return replace(
        both,
        id=min(x.id, y.id),
        zone=trajectory_of.zone,
        created_at=min(filter(None, (x.created_at, y.created_at)), default=""),
        usage_count=max(x.usage_count, y.usage_count),
        last_used=max(filter(None, (x.last_used, y.last_used)), default=None),
        provenance=_merged_provenance(first.provenance, second.provenance),
    )


Result = tuple[EntryOutcome, Experience | None, Experience | None]
"""What became of an entry, the entry, and what is kept beside it since both together are too large."""


def _reconciled(a: Branch, b: Branch, experience_id: str) -> Result | None:
    """What becomes of the entries with this id; None when both have removed it."""
    x, y = a.entries.get(experience_id), b.entries.get(experience_id)
    if x == y:
        return None if x is None else (EntryOutcome("identical", experience_id), x, None)
    a_knows, b_knows = a.knows(b, experience_id), b.knows(a, experience_id)
    if a_knows != b_knows:
        newer, kept = ("a", x) if a_knows else ("b", y)
        if not (b if a_knows else a).had(experience_id):
            return EntryOutcome("only in a" if a_knows else "only in b", experience_id), kept, None
        return EntryOutcome("one side", experience_id, f"{'changed' if kept else 'removed'} in {newer}"), kept, None
    if x is None or y is None:
        note = f"kept: removed in {'a' if x is None else 'b'}, changed in {'b' if x is None else 'a'}"
        return EntryOutcome("contradiction", experience_id, note), x or y, None
    base = a.before(experience_id)
    both = merged_entry(x, y, base if base == b.before(experience_id) else None)
    if (large := over_caps(both)) and content_hash(both) not in (content_hash(x), content_hash(y)):
        winner, loser = sorted((x, y), key=_rank)
        return EntryOutcome("kept both", experience_id, f"together {large}"), winner, loser
    new = len(both.rules) - len(x.rules)
    return EntryOutcome("both sides", experience_id, f"{len(both.rules)} rules, {new:+d} to those of a"), both, None


def _merge_duplicates(entries: dict[str, Experience], outcomes: dict[str, EntryOutcome]) -> dict[str, str]:
    """Make one entry of two that say the same under two ids, one in each library: the ids that are gone -> the new."""
    of_a: dict[str, list[str]] = {}
    renamed: dict[str, str] = {}
    alone = {
        kind: sorted(one.id for one in outcomes.values() if one.kind == kind) for kind in ("only in a", "only in b")
    }
    for experience_id in alone["only in a"]:
        of_a.setdefault(content_hash(entries[experience_id]), []).append(experience_id)
    for experience_id in alone["only in b"]:
        if same := of_a.get(content_hash(entries[experience_id])):
            kept, gone = sorted((same.pop(0), experience_id))
            entries[kept] = merged_entry(entries[kept], entries.pop(gone))
            outcomes[kept] = EntryOutcome("renamed id", kept, f"{gone} says the same")
            del outcomes[gone]
            renamed[gone] = kept
    return renamed


def _keep_apart(
    too_large: Iterable[Experience], entries: dict[str, Experience], outcomes: dict[str, EntryOutcome]
) -> None:
    """Put entries that were too large to be merged beside what has their id, unless something says the same already."""
    contents = {content_hash(one): one.id for one in entries.values()} if too_large else {}
    for one in too_large:
        apart = contents.get(content_hash(one)) or free_id(derived_id(one), entries.__contains__)
        if apart not in entries:
            entries[apart] = replace(one, id=apart, provenance={**one.provenance, "variant_of": one.id})
        known = outcomes[one.id]
        outcomes[one.id] = replace(known, note=f"{known.note}; the other is {apart}")


def _rank(experience: Experience) -> tuple[Any, ...]:
    """The more informative trajectory first: a solved one, then the longer one; never a tie between different ones."""
    text, method = experience.revised_trajectory, experience.method
    whole = json.dumps(dump_entry(experience), sort_keys=True)
    return (_ZONE_RANK[experience.zone], -len(text), text, -len(method), method, whole)


def _with_links(experience: Experience, renamed: Mapping[str, str]) -> Experience:
    links = dict.fromkeys(renamed.get(other, other) for other in experience.contradicts)
    return replace(experience, contradicts=tuple(other for other in links if other != experience.id))


def _merged_provenance(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of both; the same whichever comes first, also where they differ in who made them."""
    own = min(one, other, key=lambda p: json.dumps({k: v for k, v in p.items() if k not in _SUMS}, sort_keys=True))
    return merged_provenance(one, other, own, same=_SUMS)
