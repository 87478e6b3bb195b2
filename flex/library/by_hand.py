"""What somebody changed in a library file without FLEX: found by the hashes that the history keeps of every entry."""

from collections.abc import Iterator, Mapping, Sequence

from flex.errors import LibraryError
from flex.library.entry import entry_hash
from flex.types import Change, Experience

BY_HAND = {"hand": True}
"""Who made a change of this kind; nobody knows when, and what was replaced is lost but for its hash."""


def before_history(experiences: Sequence[Experience], history: Sequence[Change]) -> dict[str, str]:
    """For the file: by id the hashes of the entries that no change has touched since the history began."""
    touched = _last_hashes(history)
    return {one.id: entry_hash(one) for one in experiences if one.id not in touched}


def hand_edits(
    experiences: Sequence[Experience], history: Sequence[Change], untouched: Mapping[str, str] | None
) -> Iterator[Change]:
    """The changes that make the history end in the entries as they are, in the order of the file; none as a rule.

    `untouched` is what `before_history` gave when the file was written; without it (an older file) entries that have no
    change are taken to be as they were.
    """
    number = len(history)
    expected: dict[str, str | None] = {**(untouched or {}), **_last_hashes(history)}
    found = {one.id: entry_hash(one) for one in experiences if untouched is not None or one.id in expected}
    for entry, now in [*found.items(), *((entry, None) for entry in expected if entry not in found)]:
        if (before := expected.get(entry)) != now:
            number += 1
            action, reason = _WHAT[before is not None, now is not None]
            yield Change(number, action, entry, reason=reason, by=BY_HAND, before_hash=before, after_hash=now)


_WHAT = {
    (True, True): ("edit", "changed in the file by hand"),
    (False, True): ("insert", "added to the file by hand"),
    (True, False): ("remove", "taken out of the file by hand"),
}


def read_before_history(value: object) -> Mapping[str, str] | None:
    """The hashes as a file holds them. Raises LibraryError."""
    if value is not None and not (isinstance(value, dict) and all(isinstance(one, str) for one in value.values())):
        raise LibraryError('"before_history" has to be an object of hashes')
    return value


def is_lost(change: Change) -> bool:
    """Whether a change replaced something that nobody knows any more."""
    return change.before is None and change.before_hash is not None and change.before_hash != change.after_hash


def lost_before(changes: Sequence[Change]) -> list[str]:
    """The entries of which nobody knows what they said before the first of these changes."""
    first: dict[str, Change] = {}
    for change in changes:
        if change.before_hash != change.after_hash:
            first.setdefault(change.entry, change)
    return [entry for entry, change in first.items() if is_lost(change)]


def _last_hashes(history: Sequence[Change]) -> dict[str, str | None]:
    """What each entry's hash has to be after its last change; None for one that is gone."""
    told = (change for change in history if change.before_hash or change.after_hash)
    return {change.entry: change.after_hash for change in told}
