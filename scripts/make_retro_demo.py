"""Write the demo data again: python scripts/make_retro_demo.py [--out data/retro_demo] [--train 50] [--test 100]."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from flex.apprentice.demo_data import SEED, TEST, TRAIN, write_demo_data


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/retro_demo"))
    parser.add_argument("--train", type=int, default=TRAIN)
    parser.add_argument("--test", type=int, default=TEST)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args(argv)
    write_demo_data(args.out, train=args.train, test=args.test, seed=args.seed)
    print(f"wrote {args.train} training and {args.test} test rows to {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
