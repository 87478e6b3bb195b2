"""`flex lib`: look at a library and at its history, go back in it, join libraries and part them."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flex.explib import ExpLib

COMMANDS = {
    "show": ("look", "what a library holds, or one entry"),
    "log": ("look", "what happened to a library or an entry, when, why and by whom"),
    "diff": ("look", "how two revisions of an entry, or two libraries, differ"),
    "blame": ("look", "which change brought each rule of an entry"),
    "rollback": ("change", "make a library what it was after a change"),
    "remove": ("change", "take an entry out; its revisions stay in the history"),
    "quarantine": ("change", "list what nobody could decide on, take it in or drop it"),
    "merge": ("join", "make one library of several that were trained apart"),
    "split": ("join", "make a library of each category or zone"),
    "export": ("join", "write a library as JSON, SQLite, JSON lines or Markdown"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `flex lib COMMAND ...`; the exit code as of every command."""
    words = list(sys.argv[2:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        module = importlib.import_module(f"flex.cli.lib.{COMMANDS[words[0]][0]}")
        return int(getattr(module, words[0])(words[1:]))
    if words and words[0] not in ("-h", "--help"):
        known = ", ".join(COMMANDS)
        print(f"error: no command 'lib {words[0]}'; choose from {known} (see --help)", file=sys.stderr)
        return 2
    lines = [f"  {name:<12}{about}" for name, (_, about) in COMMANDS.items()]
    print("\n".join(["usage: flex lib COMMAND [--help] ...", "", "commands:", *lines]))
    return 0 if words else 2


def opened(path: Path) -> "ExpLib":
    """The library at a path, which has to exist. Raises SettingsError."""
    from flex.explib import ExpLib
    from flex.files.paths import existing

    return ExpLib(existing(path, "the library"))


def on_library(options: argparse.Namespace, work: "Callable[[ExpLib, argparse.Namespace], None]") -> int:
    """Do something with the library that the options name; the exit code."""
    from flex.cli.command import run_command

    async def opened_and_closed() -> int:
        with opened(options.library) as library:
            work(library, options)
        return 0

    return run_command(opened_and_closed, verbose=options.verbose)


def known_id(library: "ExpLib", text: str) -> str:
    """The id that this is, or the only one that begins so; of removed and quarantined entries too.

    Raises SettingsError.
    """
    from flex.errors import SettingsError

    if text in library:
        return text
    ids = dict.fromkeys(experience.id for experience in library)
    ids |= dict.fromkeys(change.entry for change in library.history())
    ids |= dict.fromkeys(held.experience.id for held in library.quarantined)
    found = [text] if text in ids else [known for known in ids if known.startswith(text)]
    if len(found) != 1:
        problem = (
            f"ids begin with '{text}': {', '.join(found[:5])}" if found else f"no entry '{text}' in {library.path}"
        )
        raise SettingsError(
            f"{len(found)} {problem}" if found else f"{problem}; see them: flex lib show {library.path}"
        )
    return found[0]


def check_free(path: Path, flag: str) -> None:
    """Raises SettingsError where something stands that would be written over; an empty file or folder is fine."""
    from flex.errors import SettingsError

    taken = any(path.iterdir()) if path.is_dir() else path.exists() and path.stat().st_size > 0
    if taken:
        raise SettingsError(f"{flag} {path} exists and is not empty; name another or move it away")
