"""`flex lib`: look at a library and at its history, go back in it, join libraries and part them."""

from collections.abc import Sequence

from flex.cli import dispatch

COMMANDS = {
    "show": ("lib.look:show", "what a library holds, or one entry"),
    "log": ("lib.look:log", "what happened to a library or an entry, when, why and by whom"),
    "diff": ("lib.look:diff", "how two revisions of an entry, or two libraries, differ"),
    "blame": ("lib.look:blame", "which change brought each rule of an entry"),
    "rollback": ("lib.change:rollback", "make a library what it was after a change"),
    "remove": ("lib.change:remove", "take an entry out; its revisions stay in the history"),
    "quarantine": ("lib.change:quarantine", "list what nobody could decide on, take it in or drop it"),
    "merge": ("lib.join:merge", "make one library of several that were trained apart"),
    "split": ("lib.join:split", "make a library of each category or zone"),
    "export": ("lib.join:export", "write a library as JSON, SQLite, JSON lines or Markdown"),
}


def main(argv: Sequence[str]) -> int:
    """Run `flex lib COMMAND ...`; the exit code as of every command."""
    return dispatch("flex lib", COMMANDS, argv)
