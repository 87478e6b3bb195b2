"""`flex lib merge`, `split` and `export`: new files of libraries, which themselves stay as they are."""

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from flex.cli.flags import Parser
from flex.cli.lib.library import check_free, library_parser, on_library, opened
from flex.cli.lib.look import add_filters
from flex.cli.lib.text import markdown
from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.files.atomic import json_bytes, write_atomically
from flex.library.entry import dump_entry
from flex.library.stores import is_database
from flex.search.query import Filter
from flex.text import valid_utf8

FORMATS = {
    ".json": "json", ".db": "db", ".sqlite": "db", ".sqlite3": "db",
    ".jsonl": "jsonl", ".md": "markdown", ".markdown": "markdown",
}  # fmt: skip
"""What `export` writes, by suffix."""


def merge(argv: Sequence[str]) -> int:
    parser = Parser("flex lib merge", "Make one library of several that were trained apart, with their histories.")
    parser.add_argument("libraries", type=Path, nargs="+", metavar="LIB", help="two libraries or more")
    parser.add_argument("--out", type=Path, required=True, help="where to, .json or .db; nothing is written over")
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")
    return parser.run(argv, merge_command)


def split(argv: Sequence[str]) -> int:
    parser = library_parser("split", "Make a library of each category or zone; together they hold everything.")
    parser.add_argument("--by", choices=("category", "zone"), required=True, help="what parts them")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new or empty folder")
    return on_library(parser, argv, write_parts)


def export(argv: Sequence[str]) -> int:
    parser = library_parser("export", "Write a library as something else; .json and .db hold everything both ways.")
    parser.add_argument("path", type=Path, metavar="PATH", help="where to; nothing is written over")
    parser.add_argument("--format", choices=sorted(set(FORMATS.values())), default=None, help="unset: by the suffix")
    parser.add_argument("--no_history", action="store_true", help="leave out what happened to the entries")
    add_filters(parser)
    return on_library(parser, argv, write_export)


def merge_command(options: argparse.Namespace) -> int:
    if len(options.libraries) < 2:
        raise SettingsError("there is nothing to merge: name two libraries or more")
    check_free(options.out, "--out")
    reports = []
    with ExitStack() as stack:
        merged, *others = [stack.enter_context(opened(path)) for path in options.libraries]
        for other in others:
            merged, report = merged.merge(other)
            reports.append(report)
    merged.save(options.out)
    said = json.dumps([one.as_dict() for one in reports], indent=2) if options.json else "\n\n".join(map(str, reports))
    print(said if options.json else f"{said}\nlibrary: {len(merged)} experiences in {options.out}")
    return 0


def write_parts(library: ExpLib, options: argparse.Namespace) -> None:
    check_free(options.out, "--out")
    if options.out.is_file():
        raise SettingsError(f"--out {options.out} is a file; it has to be a folder")
    parts = library.split(options.by)
    options.out.mkdir(parents=True, exist_ok=True)
    suffix = options.library.suffix or ".json"
    for name, file_name in _file_names(parts).items():
        parts[name].save(options.out / f"{file_name}{suffix}")
        print(f"{len(parts[name]):>6}  {options.out / file_name}{suffix}  {name}".rstrip())


def write_export(library: ExpLib, options: argparse.Namespace) -> None:
    wanted = options.format or FORMATS.get(options.path.suffix.lower())
    if wanted is None:
        raise SettingsError(f"what {options.path} is to be does not show in its suffix; add --format")
    if wanted in ("json", "db") and (wanted == "db") != is_database(options.path):
        raise SettingsError(
            f"{options.path} cannot be of format {wanted}: a path that ends in .db is SQLite, others not"
        )
    check_free(options.path, "PATH")
    if options.zone or options.category or options.no_history:
        library = library.part(Filter(options.zone, options.category).accepts, history=not options.no_history)
    if wanted in ("json", "db"):
        library.save(options.path)
    elif wanted == "markdown":
        write_atomically(options.path, valid_utf8(markdown(list(library), options.library.stem)).encode())
    else:
        write_atomically(options.path, b"".join(json_bytes(dump_entry(one)) + b"\n" for one in library))
    print(f"{len(library)} experiences in {options.path}")


def _file_names(names: Iterable[str]) -> dict[str, str]:
    """A name for the file of each part; no two are equal, where upper and lower case are, too."""
    taken: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^\w]+", "-", name).strip("-").lower()[:60] or "none"
        number = 1
        while (free := plain if number == 1 else f"{plain}-{number}") in taken.values():
            number += 1
        taken[name] = free
    return taken
