"""`flex lib show`, `log`, `diff` and `blame`: nothing of these changes a library."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flex.cli.flags import positive
from flex.cli.lib.library import known_id, library_parser, on_library, opened
from flex.cli.lib.text import blame_lines, change_line, entry_line, entry_page, overview
from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.library.entry import dump_entry
from flex.library.history import Version, difference, dump_change
from flex.search.query import Filter
from flex.types import ZONES


def show(argv: Sequence[str]) -> int:
    parser = library_parser(
        "show", "Show what a library holds, or all of one entry.", "the library, a file or a folder"
    )
    parser.add_argument("id", nargs="?", metavar="ID", help="an entry; the beginning of an id will do")
    parser.add_argument("--rev", type=positive, default=None, help="this revision of the entry, from 1")
    add_filters(parser)
    parser.add_argument("--search", default=None, metavar="QUERY", help="only entries that match, best first")
    parser.add_argument("--top_k", type=positive, default=20, help="how many of them")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return on_library(parser, argv, show_entries)


def log(argv: Sequence[str]) -> int:
    parser = library_parser("log", "Show what happened to a library, a line for each change, newest first.")
    parser.add_argument("id", nargs="?", metavar="ID", help="only changes of this entry, removed ones too")
    parser.add_argument("--n", type=positive, default=None, help="only so many; unset: all")
    parser.add_argument("--run", default=None, help="only changes by this run")
    parser.add_argument("--json", action="store_true", help="print JSON, with the entries as they were before")
    return on_library(parser, argv, show_changes)


def diff(argv: Sequence[str]) -> int:
    parser = library_parser("diff", "Show how two revisions of an entry differ, or two libraries.")
    parser.add_argument("other", metavar="ID|LIB", help="an entry of it, or another library")
    parser.add_argument("--rev", nargs=2, type=positive, metavar=("A", "B"), help="revisions; unset: the last two")
    return on_library(parser, argv, show_differences)


def blame(argv: Sequence[str]) -> int:
    parser = library_parser("blame", "Show which change brought each part of an entry, as it stands now.")
    parser.add_argument("id", metavar="ID", help="an entry")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return on_library(parser, argv, show_blame)


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--zone", action="append", choices=ZONES, default=None, help="only this zone; can be repeated")
    parser.add_argument("--category", action="append", default=None, help="only this category; can be repeated")


def show_entries(library: ExpLib, options: argparse.Namespace) -> None:
    if options.id is not None:
        show_entry(library, known_id(library, options.id), options)
        return
    if options.rev is not None:
        raise SettingsError("--rev is of an entry: flex lib show LIB ID --rev N")
    notes: dict[str, str] = {}
    if options.search is not None:
        hits = library.search(options.search, options.top_k, options.zone, categories=options.category)
        notes = {hit.experience_id: f"{hit.score:<6.3f}{hit.why:<18}" for hit in hits}
        chosen = [library.get(experience_id) for experience_id in notes]
    else:
        chosen = list(filter(Filter(options.zone, options.category).accepts, library))
    if options.json:
        entries = [{**dump_entry(one), "revision": library.revision(one.id)} for one in chosen]
        print(json.dumps({"stats": library.stats(), "entries": entries}, indent=2))
    else:
        lines = [entry_line(one, library.revision(one.id), notes.get(one.id, "")) for one in chosen]
        print("\n".join([overview(library, str(options.library)), "", *(lines or ["no entries match"])]))


def show_entry(library: ExpLib, experience_id: str, options: argparse.Namespace) -> None:
    every = entry_versions(library, experience_id)
    chosen = _version(every, len(every) if options.rev is None else options.rev, experience_id)
    if chosen.experience is None:
        number = chosen.change.number if chosen.change else 0
        raise SettingsError(f"{experience_id} was taken out by change {number}; --rev {chosen.number - 1} shows it")
    if options.json:
        print(json.dumps({**dump_entry(chosen.experience), "revision": chosen.number}, indent=2))
        return
    by = f", change {chosen.change.number}" if chosen.change else ""
    print(entry_page(chosen.experience, f"revision {chosen.number} of {len(every)}{by}"))


def show_changes(library: ExpLib, options: argparse.Namespace) -> None:
    changes = library.history(known_id(library, options.id) if options.id else None)
    changes = tuple(change for change in changes if options.run in (None, change.by.get("run")))
    newest = changes[::-1][: options.n]
    if options.json:
        print(json.dumps([dump_change(change) for change in newest], indent=2))
    else:
        print("\n".join(map(change_line, newest)) or "no changes are recorded")


def show_differences(library: ExpLib, options: argparse.Namespace) -> None:
    if Path(options.other).exists():
        if options.rev:
            raise SettingsError("--rev is of an entry: flex lib diff LIB ID --rev A B")
        with opened(Path(options.other)) as other:
            print("\n".join(_library_differences(library, other, str(options.library), options.other)))
        return
    experience_id = known_id(library, options.other)
    every = entry_versions(library, experience_id)
    if len(every) < 2 and not options.rev:
        raise SettingsError(f"{experience_id} has one revision only; there is nothing to compare")
    a, b = (_version(every, n, experience_id) for n in options.rev or (len(every) - 1, len(every)))
    names = (f"{experience_id} revision {one.number}" for one in (a, b))
    print(difference(a.experience, b.experience, *names) or "they say the same; what differs is where they came from")


def show_blame(library: ExpLib, options: argparse.Namespace) -> None:
    experience_id = known_id(library, options.id)
    if experience_id not in library:
        raise SettingsError(
            f"{experience_id} is not in the library now; see flex lib log {options.library} {options.id}"
        )
    blamed = library.blame(experience_id)
    if options.json:
        print(json.dumps([_blamed(one.part, one.text, one.version) for one in blamed], indent=2))
    else:
        print("\n".join(blame_lines(blamed)))


def entry_versions(library: ExpLib, experience_id: str) -> list[Version]:
    """All revisions of an entry. Raises SettingsError for one that never was in the library."""
    found = library.versions(experience_id)
    if not found:
        raise SettingsError(f"{experience_id} was never in the library; see flex lib quarantine {library.path}")
    return found


def _version(every: list[Version], number: int, experience_id: str) -> Version:
    if number > len(every):
        raise SettingsError(f"{experience_id} has no revision {number}; it has {len(every)}")
    return every[number - 1]


def _blamed(part: str, text: str, version: Version) -> dict[str, Any]:
    change = version.change
    told = {"change": change.number, "by": change.by, "tasks": change.source.get("tasks", [])} if change else {}
    return {"part": part, "text": text, "revision": version.number, **told}


def _library_differences(a: ExpLib, b: ExpLib, name_a: str, name_b: str) -> list[str]:
    """A line for each entry that is in one of them only, and what differs in the others."""
    ours, theirs = ({one.id: one for one in library} for library in (a, b))
    changed = [one for one in ours if one in theirs and ours[one] != theirs[one]]
    same = len(ours.keys() & theirs.keys()) - len(changed)
    lines = [f"{same} the same, {len(changed)} changed, {len(ours.keys() - theirs.keys())} only in {name_a}, "
             f"{len(theirs.keys() - ours.keys())} only in {name_b}"]  # fmt: skip
    lines += [f"- {entry_line(one, a.revision(one.id))}" for one in ours.values() if one.id not in theirs]
    lines += [f"+ {entry_line(one, b.revision(one.id))}" for one in theirs.values() if one.id not in ours]
    for one in changed:
        told = difference(ours[one], theirs[one], f"{one} in {name_a}", f"{one} in {name_b}")
        lines += ["", told or f"{one} says the same; where it came from or its use differs"]
    return lines
