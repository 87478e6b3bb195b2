"""`flex report DIR`, and `flex export DIR --inspect OUT.eval`: a run as a page, or in another tool's file format."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from flex.cli.command import run_command
from flex.cli.flags import Parser

FOLDER = "of `flex eval --out`, or of one script's results"


def report(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex report", "Write DIR/report.html, one self-contained page, from the results in DIR.",
                    "flex report results/math_gpt-5-mini")  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help=FOLDER)
    options = parser.parse(argv)

    async def work() -> int:
        from flex.report import write_report

        print(write_report(options.folder))
        return 0

    return run_command(work, verbose=options.verbose)


def export(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex export", "Write the results in DIR as inspect-ai logs, for `inspect view`.")
    parser.add_argument("folder", type=Path, metavar="DIR", help=FOLDER)
    parser.add_argument("--inspect", type=Path, required=True, metavar="OUT.eval",
                        help="the log; of several settings one each, OUT-<setting>.eval")  # fmt: skip
    options = parser.parse(argv)

    async def work() -> int:
        from flex.report.export import export_inspect

        written = await asyncio.to_thread(export_inspect, options.folder, options.inspect)  # it runs a loop of its own
        print("\n".join(map(str, written)))
        return 0

    return run_command(work, verbose=options.verbose)
