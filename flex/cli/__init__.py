"""The `flex` command; each is a file of this package, and the scripts call the same functions."""

import importlib
import sys
from collections.abc import Mapping, Sequence

COMMANDS = {
    "demo": ("demo", "train, grow a library and evaluate with and without it, offline, in a minute or two"),
    "train": ("train", "explore a train split by reject sampling and grow an experience library"),
    "eval": ("eval", "answer a test split in several settings and compare them"),
    "aa": ("aa", "run one setting twice: what chance alone does, and what would resolve five points"),
    "compare": ("compare", "compare runs that were made at different times"),
    "table": ("table", "print the published results, and measured ones beside them"),
    "scaling-law": ("experiments:scaling_law", "train epoch after epoch and see accuracy follow the library's growth"),
    "inheritance": ("experiments:inheritance", "let every model use the library of every other one"),
    "ablation": ("experiments:ablation", "take away one part at a time and see what it was worth"),
    "report": ("report:report", "write report.html, one page on a run, from its folder"),
    "export": ("report:export", "write a run as inspect-ai logs"),
    "lib": ("lib", "look at a library and its history, go back in it, merge and split libraries"),
    "audit": ("audit", "show which experiences of a library give test tasks away"),
    "apprentice": ("apprentice", "serve the embedded offline endpoint on loopback"),
    "download": ("download", "fetch the paper's splits and published libraries"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `flex COMMAND ...`; the exit code: 0 done, 1 failed, 2 wrong settings, 3 stopped, 130 interrupted."""
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:
        from flex.cli.command import nobody_reads

        return nobody_reads()


def _main(words: Sequence[str]) -> int:
    from flex.cli.command import show_safely

    show_safely()
    if words[:1] == ["--version"]:
        from importlib.metadata import version

        print(f"flex-experience {version('flex-experience')}")
        return 0
    return dispatch("flex", COMMANDS, words)


def dispatch(name: str, commands: Mapping[str, tuple[str, str]], words: Sequence[str]) -> int:
    """Run the command that comes first in `words`, from its module (`module:function` where it is not `main`)."""
    if words and words[0] in commands:
        module, _, function = commands[words[0]][0].partition(":")
        return int(getattr(importlib.import_module(f"flex.cli.{module}"), function or "main")(words[1:]))
    if words and words[0] not in ("-h", "--help"):
        called = f"{name} {words[0]}".removeprefix("flex ")
        print(f"error: no command '{called}'; choose from {', '.join(commands)} (see --help)", file=sys.stderr)
        return 2
    width = max(map(len, commands)) + 2
    lines = [f"  {command:<{width}}{about}" for command, (_, about) in commands.items()]
    print("\n".join([f"usage: {name} COMMAND [--help] ...", "", "commands:", *lines]), flush=True)
    return 0 if words else 2
