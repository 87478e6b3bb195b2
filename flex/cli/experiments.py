"""`flex scaling-law`, `inheritance` and `ablation`, and the scripts of the same names: the paper's experiments."""

import argparse
import importlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flex.cli.command import RESUME, interruptible, run_command, script_name, stopped
from flex.cli.flags import Parser
from flex.cli.progress import progress_bar
from flex.experiments.config import Ablation, Inheritance, ScalingLaw
from flex.runs.fields import field_docs

RUNS: dict[str, type[ScalingLaw | Inheritance | Ablation]] = {
    "scaling_law": ScalingLaw,
    "inheritance": Inheritance,
    "ablation": Ablation,
}


def parser_of(name: str) -> Parser:
    kind: type = RUNS[name]
    command = f"flex {name.replace('_', '-')}"
    parser = Parser(script_name(f"{name}.py", command), kind.__doc__ or "", f"{command} --out runs/{name}")
    if kind is Inheritance:
        parser.add_argument("--library", type=named_library, action="append", metavar="NAME=FILE",
                            help=field_docs(kind)["library"])  # fmt: skip
    parser.add_config(kind, leave_out=("library",))
    return parser


def named_library(text: str) -> tuple[str, Path]:
    """A column's name and its library. Raises what argparse shows."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=FILE")
    return name, Path(path)


def _main(name: str, argv: Sequence[str] | None = None) -> int:
    """Run an experiment to its exit code, then print its table."""
    parser = parser_of(name)
    options = parser.parse(argv)
    libraries = {"library": dict(options.library or ())} if "library" in options else {}
    run = parser.config(RUNS[name], options, **libraries)

    async def work() -> int:
        from flex.experiments.steps import Steps, Stopped

        experiment = getattr(importlib.import_module(f"flex.experiments.{name}"), name)
        with interruptible() as stop:
            try:
                with Steps(run, say=print, bar=progress_bar, stop=stop) as steps:
                    found = await experiment(run, steps)
            except Stopped as early:
                return stopped(str(early), RESUME)
        for line in found.table.lines():
            print(line)
        page, picture, numbers = (run.out / name for name in ("index.html", "picture.svg", "result.json"))
        print(f"picture: {page}, {picture}; numbers: {numbers}")
        for line in found.remarks:
            print(line)
        return 0

    return run_command(work, verbose=options.verbose, resume=RESUME)


scaling_law, inheritance, ablation = (partial(_main, name) for name in RUNS)
