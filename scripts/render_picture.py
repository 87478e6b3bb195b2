"""Draw the picture of the README: python scripts/render_picture.py [--folder runs/scaling_law].

Runs `flex scaling-law` with the apprentice in that folder, or only draws again what is finished there, and writes
docs/pictures/scaling.svg and the numbers behind it, scaling.json.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from flex.cli import main as flex

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
FILES = {"picture.svg": "scaling.svg", "result.json": "scaling.json"}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/scaling_law"), help="of the experiment")
    parser.add_argument("--out", type=Path, default=PICTURES, help="where the two files go")
    options, experiment = parser.parse_known_args(argv)  # what is left is the experiment's: --samples, --base_url
    if code := flex(["scaling-law", "--out", str(options.folder), *experiment]):
        return code
    options.out.mkdir(parents=True, exist_ok=True)
    for written, name in FILES.items():
        shutil.copyfile(options.folder / written, options.out / name)
        print(f"wrote {options.out / name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
