"""`flex report DIR`, and `flex export DIR --inspect OUT.eval`: a run as a page, or in another tool's file format."""

from collections.abc import Sequence
from pathlib import Path

from flex.cli.flags import Parser
from flex.report import write_report
from flex.report.export import export_inspect

FOLDER = "of `flex eval --out`, or of one script's results"


def report(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex report", "Write DIR/report.html, one self-contained page, from the results in DIR.",
                    "flex report results/math_gpt-5-mini")  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="DIR", help=FOLDER)
    return parser.run(argv, lambda options: print(write_report(options.folder)))


def export(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex export", "Write the results in DIR as inspect-ai logs, for `inspect view`.")
    parser.add_argument("folder", type=Path, metavar="DIR", help=FOLDER)
    parser.add_argument("--inspect", type=Path, required=True, metavar="OUT.eval",
                        help="the log; of several settings one each, OUT-<setting>.eval")  # fmt: skip
    return parser.run(argv, lambda options: print("\n".join(map(str, export_inspect(options.folder, options.inspect)))))
