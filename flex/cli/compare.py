"""`flex compare`: runs made at different times side by side, if they are of the same tasks, scorer and prompts."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from flex.cli.flags import ALL_PAIRS, Parser, above_zero
from flex.cli.tables import results_table
from flex.runs import compare


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex compare", "Compare runs with paired differences; each RUN is a folder of results.",
                    "flex compare results/math_gpt-5 results/math_gpt-5-mini")  # fmt: skip
    parser.add_argument("runs", nargs="+", metavar="RUN", type=Path, help="a setting's folder, or one of `flex eval`")
    parser.add_argument("--primary", default=None, metavar="A,B",
                        help="the comparison that counts; default: the one the run was begun with")  # fmt: skip
    parser.add_argument("--margin", type=above_zero, default=None, help='points that "no worse" may lose; default: 2')
    parser.add_argument("--all_pairs", **ALL_PAIRS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.run(argv, compare_command)


def compare_command(options: argparse.Namespace) -> None:
    found = compare(*options.runs, primary=options.primary, margin=options.margin)
    if options.json:
        print(json.dumps([difference.to_json() for difference in found.comparisons], indent=2))
    else:
        print("\n".join(results_table(found.settings, found.comparisons, all_pairs=options.all_pairs)))
