"""The library that a command of `flex lib` is about: named by a flag, opened, and asked for its ids."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from flex.cli.flags import Parser
from flex.errors import SettingsError
from flex.explib import ExpLib
from flex.files.paths import existing


def library_parser(command: str, description: str, library: str = "the library") -> Parser:
    parser = Parser(f"flex lib {command}", description)
    parser.add_argument("library", type=Path, metavar="LIB", help=library)
    return parser


def opened(path: Path) -> ExpLib:
    """The library at a path, which has to exist. Raises SettingsError."""
    return ExpLib(existing(path, "the library"))


def on_library(parser: Parser, argv: Sequence[str], work: Callable[[ExpLib, argparse.Namespace], None]) -> int:
    """Do something with the library that the options name; the exit code."""

    def opened_and_closed(options: argparse.Namespace) -> None:
        with opened(options.library) as library:
            work(library, options)

    return parser.run(argv, opened_and_closed)


def known_id(library: ExpLib, text: str) -> str:
    """The id that this is, or the only one that begins so; of removed and quarantined entries too.

    Raises SettingsError.
    """
    if text in library:
        return text
    ids = dict.fromkeys(experience.id for experience in library)
    ids |= dict.fromkeys(change.entry for change in library.history())
    ids |= dict.fromkeys(held.experience.id for held in library.quarantined)
    found = [text] if text in ids else [known for known in ids if known.startswith(text)]
    if not found:
        raise SettingsError(f"no entry '{text}' in {library.path}; see them: flex lib show {library.path}")
    if len(found) > 1:
        raise SettingsError(f"{len(found)} ids begin with '{text}': {', '.join(found[:5])}")
    return found[0]


def check_free(path: Path, flag: str) -> None:
    """Raises SettingsError where something stands that would be written over; an empty file or folder is fine."""
    taken = any(path.iterdir()) if path.is_dir() else path.exists() and path.stat().st_size > 0
    if taken:
        raise SettingsError(f"{flag} {path} exists and is not empty; name another or move it away")
