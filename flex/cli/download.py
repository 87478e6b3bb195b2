"""`flex download` and `scripts/download_data.py`: fetch the paper's splits, the published libraries and GSM8k."""

import argparse
import sys
from collections.abc import Sequence

from flex.cli.command import script_name
from flex.cli.flags import Parser
from flex.errors import EndpointError, SettingsError
from flex.files.download import GROUPS, HOST, Source, chosen, fetch


def main(argv: Sequence[str] | None = None) -> int:
    """The command: 0 when every file is there, 1 when one could not be fetched, 2 for a wrong flag or folder."""
    parser = Parser(
        script_name("download_data.py", "flex download"), "Fetch the paper's splits, the published libraries and GSM8k."
    )
    parser.add_argument("--only", default=",".join(GROUPS), help="what to fetch, by commas")
    parser.add_argument("--dest", default=".", help="the folder that gets data/ and exps/")
    parser.add_argument("--base_url", default=HOST, help="a mirror of GitHub's files")
    options = parser.parse(argv)
    try:
        for source in chosen([group.strip() for group in options.only.split(",")]):
            print(f"{source.path}: {_fetch_with_bar(source, options)}")
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except EndpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


def _fetch_with_bar(source: Source, options: argparse.Namespace) -> str:
    from tqdm import tqdm

    with tqdm(desc=source.path, unit="B", unit_scale=True, leave=False, disable=None) as bar:

        def progress(there: int, total: int | None) -> None:
            bar.total = total
            bar.update(there - bar.n)

        fetched = fetch(source, options.dest, base_url=options.base_url, progress=progress)
    return "fetched" if fetched else "already there"
