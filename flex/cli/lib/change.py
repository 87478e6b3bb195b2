"""`flex lib rollback`, `remove` and `quarantine`: a library is held while it changes, and saved whole or not at all."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from flex.cli.flags import natural
from flex.cli.lib.library import known_id, library_parser, opened
from flex.cli.lib.text import change_line
from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.library.by_hand import lost_before
from flex.library.changes import Author
from flex.library.stores import is_database
from flex.text import one_line
from flex.types import UpdateDecision

_SHOWN = 10


def rollback(argv: Sequence[str]) -> int:
    parser = library_parser("rollback", "Make a library what it was after change N (see flex lib log).")
    parser.add_argument("number", type=natural, metavar="N", help="the last change that stays; 0: none")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser.run(argv, rollback_command)


def remove(argv: Sequence[str]) -> int:
    parser = library_parser("remove", "Take an entry out; a rollback brings it back.")
    parser.add_argument("id", metavar="ID", help="the entry")
    parser.add_argument("--reason", required=True, help="why; it stands in the history")
    return parser.run(argv, remove_command)


def quarantine(argv: Sequence[str]) -> int:
    parser = library_parser("quarantine", "List experiences that nobody could decide on, take one in or drop it.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--insert", metavar="ID", default=None, help="make this one an entry of the library")
    which.add_argument("--drop", metavar="ID", default=None, help="discard this one")
    return parser.run(argv, quarantine_command)


@contextmanager
def changing(path: Path) -> Iterator[ExpLib]:
    """The library at `path`, kept from other processes until it is saved. Raises SettingsError, nothing changed."""
    if path.is_dir():
        raise SettingsError(f"{path} is a folder; name the library that is to change")
    with opened(path) as library, nullcontext() if is_database(path) else library.hold(path):
        yield library
        library.save()


def rollback_command(options: argparse.Namespace) -> int:
    with changing(options.library) as library:
        changes = library.history()[options.number :]
        if changes:
            entries = len({change.entry for change in changes})
            print(f"to undo, {len(changes)} changes of {entries} entries, newest first:")
            print("\n".join(change_line(change) for change in changes[::-1][:_SHOWN]))
            print(f"... and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else "")
            if not options.yes and not _agreed():
                print("nothing was changed")
                return 1
        last = len(library.history())
        undone = library.rollback(options.number, Author({"command": "flex lib rollback"}))
    if lost := lost_before(changes):
        print(f"as they were edited by hand, since nobody knows what they said before: {', '.join(lost)}")
    print(f"undone: {undone} changes; flex lib rollback {options.library} {last} brings them back")
    return 0


def remove_command(options: argparse.Namespace) -> int:
    with changing(options.library) as library:
        experience_id = known_id(library, options.id)
        library.remove(experience_id, options.reason, Author({"command": "flex lib remove"}))
        last = len(library.history()) - 1
    print(f"removed {experience_id}; flex lib rollback {options.library} {last} brings it back")
    return 0


def quarantine_command(options: argparse.Namespace) -> int:
    chosen = options.insert or options.drop
    if chosen is None:
        with opened(options.library) as library:
            held = library.quarantined
        lines = [f"{one.experience.id:<16}{one.reason}: {one_line(one.experience.method, 60)}" for one in held]
        print("\n".join(lines) or "nothing is quarantined")
        return 0
    with changing(options.library) as library:
        experience_id = known_id(library, chosen)
        action = UpdateDecision("insert" if options.insert else "discard", reason="decided by hand")
        library.release(experience_id, action, Author({"command": "flex lib quarantine"}))
    print(f"{'inserted' if options.insert else 'dropped'} {experience_id}")
    return 0


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("nobody is there to be asked; --yes does it unasked")
    return input("go on? [y/N] ").strip().lower() in ("y", "yes")
