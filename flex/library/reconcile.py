"""Two libraries that were trained apart meet: who knows what of an entry, and what both make of it together."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from flex.explib import ExpLib
from flex.library.entry import content_hash, derived_id, dump_entry, entry_hash, free_id
from flex.library.history import dump_change, replayed
from flex.library.merging import distinct, merge, normal_rule, over_caps
from flex.types import Change, Experience, UpdateDecision

Kind = Literal[
    "identical", "one side", "both sides", "kept both", "contradiction", "renamed id", "only in a", "only in b"
]
"""What met what. A contradiction: one library has removed what the other has changed meanwhile."""


_ZONE_RANK = {"golden": 0, "mixed": 1, "warning": 2}
_SUMS = ("tasks", "merged")
"""Keys of a provenance that hold what came together."""


@dataclass(frozen=True, slots=True)
class Met:
    """What became of one entry when two libraries met; `id` is its id in the merged library."""

    kind: Kind
    id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """All entries of the merged library by id, and what met what."""

    entries: Mapping[str, Experience]
    met: tuple[Met, ...]


class Side:
    """One of the two libraries: what it says of an entry, and what it has learned since they parted."""

    def __init__(self, library: ExpLib, name: str, shared: int) -> None:
        """`shared` is how many changes the histories begin with in common."""
        self.library, self.name = library, name
        news = library.history()[shared:]
        self.steps, self._before = replayed(news, self.get)
        self.known = {origin(change) for change in news}
        self._changes: dict[str, list[Change]] = {}
        for change in news:
            self._changes.setdefault(change.entry, []).append(change)

    def get(self, experience_id: str) -> Experience | None:
        return self.library.get(experience_id) if experience_id in self.library else None

    def ids(self) -> list[str]:
        """Of all entries that are here or were when the libraries parted."""
        return list(dict.fromkeys([*(experience.id for experience in self.library), *self._before]))

    def before(self, experience_id: str) -> Experience | None:
        """The entry as it was when the libraries parted."""
        return self._before[experience_id] if experience_id in self._before else self.get(experience_id)

    def had(self, experience_id: str) -> bool:
        return experience_id in self._changes or experience_id in self.library

    def has_said(self, experience_id: str, experience: Experience | None) -> bool:
        """Whether this was a revision of the entry here; there always was a time before it existed."""
        said = {change.after_hash for change in self._changes.get(experience_id, ())}
        if (before := self.before(experience_id)) is not None:
            said.add(entry_hash(before))
        return experience is None or entry_hash(experience) in said

    def knows(self, other: "Side", experience_id: str) -> bool:
        """Whether all that ever happened to the entry there is part of its history here."""
        theirs = {origin(change) for change in other._changes.get(experience_id, ())}
        return theirs <= self.known and self.has_said(experience_id, other.before(experience_id))


def origin(change: Change) -> str:
    """What a change is known by in every library that has it, wherever it stands in the history there."""
    told = dump_change(replace(change, number=0, place=None, before=None))
    digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    return str(change.source.get("origin", digest))


def meet(a: Side, b: Side) -> Meeting:
    """Every entry of both, once; in whichever order they are given, but for the words of the report."""
    entries: dict[str, Experience] = {}
    met: dict[str, Met] = {}
    too_large: list[Experience] = []
    for experience_id in dict.fromkeys([*a.ids(), *b.ids()]):
        if (outcome := _outcome(a, b, experience_id)) is not None:
            met[experience_id] = outcome.met
            if outcome.entry is not None:
                entries[experience_id] = outcome.entry
            if outcome.apart is not None:
                too_large.append(outcome.apart)
    names = _meet_twins(entries, met)
    _keep_apart(too_large, entries, met)
    return Meeting({one.id: _renamed(one, names) for one in entries.values()}, tuple(met.values()))


def joined(x: Experience, y: Experience, base: Experience | None = None) -> Experience:
    """What two versions of an entry say together; `joined(y, x)` is the same.

    A rule stays unless one of them has dropped it since `base`, what they both come from; method and trajectory are
    the changed ones, and where both changed them those of the more informative trajectory (`_rank`).
    """
    first, second = sorted((x, y), key=_rank)
    forms = [{normal_rule(rule.rule) for rule in one.rules} for one in (first, second)]
    old = {normal_rule(rule.rule) for rule in base.rules} if base else set()
    stays = (forms[0] & forms[1]) | ((forms[0] | forms[1]) - old)
    told = second if base and _told(first) == _told(base) else first
    said = replace(
        told,
        method=(second if base and first.method == base.method else first).method,
        rules=distinct(rule for rule in (*first.rules, *second.rules) if normal_rule(rule.rule) in stays),
    )
    both = merge(first, second, UpdateDecision("merge", consolidated=said))
    return replace(
        both,
        id=min(x.id, y.id),
        zone=told.zone,
        created_at=min(filter(None, (x.created_at, y.created_at)), default=""),
        usage_count=max(x.usage_count, y.usage_count),
        last_used=max(filter(None, (x.last_used, y.last_used)), default=None),
        provenance=_both_sources(first.provenance, second.provenance),
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    met: Met
    entry: Experience | None
    apart: Experience | None = None
    """What is kept beside the entry since both together are too large."""


def _outcome(a: Side, b: Side, experience_id: str) -> _Outcome | None:
    """What becomes of the entries with this id; None when it is gone on both sides."""
    x, y = a.get(experience_id), b.get(experience_id)
    if x == y:
        return None if x is None else _Outcome(Met("identical", experience_id), x)
    a_knows, b_knows = a.knows(b, experience_id), b.knows(a, experience_id)
    if a_knows != b_knows:
        newer, kept = ("a", x) if a_knows else ("b", y)
        if not (b if a_knows else a).had(experience_id):
            return _Outcome(Met("only in a" if a_knows else "only in b", experience_id), kept)
        return _Outcome(Met("one side", experience_id, f"{'changed' if kept else 'removed'} in {newer}"), kept)
    if x is None or y is None:
        note = f"kept: removed in {'a' if x is None else 'b'}, changed in {'b' if x is None else 'a'}"
        return _Outcome(Met("contradiction", experience_id, note), x or y)
    base = a.before(experience_id)
    both = joined(x, y, base if base == b.before(experience_id) else None)
    if (large := over_caps(both)) and content_hash(both) not in (content_hash(x), content_hash(y)):
        winner, loser = sorted((x, y), key=_rank)
        return _Outcome(Met("kept both", experience_id, f"together {large}"), winner, loser)
    new = len(both.rules) - len(x.rules)
    return _Outcome(Met("both sides", experience_id, f"{len(both.rules)} rules, {new:+d} to those of a"), both)


def _meet_twins(entries: dict[str, Experience], met: dict[str, Met]) -> dict[str, str]:
    """Make one of entries of either side that say the same under two ids; the ids that are gone, with the new ones."""
    twins: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    alone = {kind: sorted(one.id for one in met.values() if one.kind == kind) for kind in ("only in a", "only in b")}
    for experience_id in alone["only in a"]:
        twins.setdefault(content_hash(entries[experience_id]), []).append(experience_id)
    for experience_id in alone["only in b"]:
        if same := twins.get(content_hash(entries[experience_id])):
            kept, gone = sorted((same.pop(0), experience_id))
            entries[kept] = joined(entries[kept], entries.pop(gone))
            met[kept] = Met("renamed id", kept, f"{gone} says the same")
            del met[gone]
            names[gone] = kept
    return names


def _keep_apart(too_large: Iterable[Experience], entries: dict[str, Experience], met: dict[str, Met]) -> None:
    """Put entries that were too large to join beside what has their id, unless something says the same already."""
    contents = {content_hash(one): one.id for one in entries.values()} if too_large else {}
    for one in too_large:
        apart = contents.get(content_hash(one)) or free_id(derived_id(one), entries)
        if apart not in entries:
            entries[apart] = replace(one, id=apart, provenance={**one.provenance, "variant_of": one.id})
        met[one.id] = replace(met[one.id], note=f"{met[one.id].note}; the other is {apart}")


def _rank(experience: Experience) -> tuple[Any, ...]:
    """The more informative trajectory first: a solved one, then the longer one; never a tie between different ones."""
    text, method = experience.revised_trajectory, experience.method
    whole = json.dumps(dump_entry(experience), sort_keys=True)
    return (_ZONE_RANK[experience.zone], -len(text), text, -len(method), method, whole)


def _told(experience: Experience) -> tuple[str, str]:
    """An entry's zone is that of its trajectory, so they stay together."""
    return experience.revised_trajectory, experience.zone


def _renamed(experience: Experience, names: Mapping[str, str]) -> Experience:
    links = dict.fromkeys(names.get(other, other) for other in experience.contradicts)
    return replace(experience, contradicts=tuple(other for other in links if other != experience.id))


def _both_sources(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of both: all tasks, all that was merged in, and the other's own where it differs."""
    own, others = sorted(({k: v for k, v in p.items() if k not in _SUMS} for p in (one, other)), key=_as_json)
    loser = one if own != {k: v for k, v in one.items() if k not in _SUMS} else other
    lists = {key: [value for p in (one, other) for value in _several(p.get(key))] for key in _SUMS}
    if others != own:
        lists["merged"].append({k: v for k, v in loser.items() if k != "merged"})
    once = {key: list({_as_json(value): value for value in values}.values()) for key, values in lists.items()}
    return {**{key: values for key, values in once.items() if values}, **own}


def _several(value: Any) -> list[Any]:
    """A list as it is; anything else that a file may hold as the only one."""
    return list(value) if isinstance(value, list | tuple) else [value] if value else []


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
