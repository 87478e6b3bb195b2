"""What may enter a library: checked at the door, before anything is changed."""

import json
from collections.abc import Callable
from typing import get_args

from flex.errors import LibraryError
from flex.library.entry import dump_entry, parse_entry
from flex.types import ZONES, Action, Experience, UpdateDecision


def as_kept(experience: Experience) -> Experience:
    """The experience as it would come back from a file. Raises LibraryError for what no file could hold."""
    check_zone(experience.zone)
    try:
        entry = json.loads(json.dumps(dump_entry(experience), allow_nan=False))
    except (TypeError, ValueError, AttributeError) as error:
        raise LibraryError(f"this experience cannot stand in a library file: {error}") from error
    return parse_entry(entry, experience.zone)


def check_zone(name: str) -> None:
    """Raises LibraryError for a zone that is none."""
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
