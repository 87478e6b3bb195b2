"""A library's history as it stands in its file: one object per change, what says nothing left out.

{"number": 7, "action": "merge", "entry": "exp-3fa9c1d2e0", "time": ..., "reason": ..., "by": {"run": ..., "model":
 ..., "prompt": ...}, "source": {"tasks": ["12"], "rollout": 0}, "before": {the entry as it was}, "before_hash": ...,
 "after_hash": ...}
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from flex.errors import LibraryError
from flex.types import ZONES, Change

_KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "action": (str,),
    "entry": (str,),
    "time": (str,),
    "reason": (str,),
    "by": (dict,),
    "source": (dict,),
    "before": (dict, type(None)),
    "place": (int, type(None)),
    "before_hash": (str, type(None)),
    "after_hash": (str, type(None)),
}


def dump_change(change: Change) -> dict[str, Any]:
    """The change as an object of a file; empty fields are left out."""
    values = ((field.name, getattr(change, field.name)) for field in fields(Change))
    return {name: value for name, value in values if value is not None and value != "" and value != {}}


def parse_change(value: object) -> Change:
    """The change in an object of a file. Raises LibraryError naming the field that is wrong."""
    if not isinstance(value, Mapping):
        raise LibraryError("a change has to be an object")
    known = {key: item for key, item in value.items() if key in _KINDS}
    for key in ("number", "action", "entry", *known):
        if not isinstance(known.get(key), _KINDS[key]) or isinstance(known[key], bool):
            raise LibraryError(f"a change's '{key}' cannot be {known.get(key)!r}")
    if known.get("before") and known["before"].get("memory_type") not in ZONES:
        raise LibraryError(f"what a change replaced is in no zone: {known['before'].get('memory_type')!r}")
    return Change(**known)


def parse_history(values: object) -> tuple[Change, ...]:
    """The changes of a file, numbered from 1 without gaps. Raises LibraryError naming the one that is wrong."""
    if values is None:
        return ()
    if not isinstance(values, list):
        raise LibraryError('"history" has to be a list of changes')
    changes = []
    for number, value in enumerate(values, start=1):
        try:
            changes.append(parse_change(value))
        except LibraryError as error:
            raise LibraryError(f"history, change {number}: {error}") from error
        if changes[-1].number != number:
            raise LibraryError(f"history, change {number}: it says that it is number {changes[-1].number}")
    return tuple(changes)


def changed_content(change: Change) -> bool:
    """Whether the entry says something else afterwards, or is there or gone: whether it has a new revision."""
    return change.before_hash != change.after_hash


def count_revision(revisions: dict[str, int], change: Change) -> None:
    """Count the revision that a change makes; an entry that was there before the history began had its first."""
    if changed_content(change):
        before = 0 if change.before_hash is None else 1
        revisions[change.entry] = revisions.get(change.entry, before) + 1
