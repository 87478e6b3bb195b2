"""`flex report DIR`: one page on a run, to look at and to hand on."""

from collections.abc import Sequence
from pathlib import Path

from flex.cli.command import run_command
from flex.cli.flags import Parser


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex report", "Write DIR/report.html, one self-contained page, from the results in DIR.",
                    "flex report results/math_gpt-5-mini")  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help="of `flex eval --out`, or of one script's results")
    options = parser.parse(argv)

    async def work() -> int:
        from flex.report import write_report

        print(write_report(options.folder))
        return 0

    return run_command(work, verbose=options.verbose)
