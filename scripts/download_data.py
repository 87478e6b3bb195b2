"""Fetch the paper's splits, the published libraries and GSM8k into data/ and exps/."""

import sys

from flex.cli.download import main

if __name__ == "__main__":
    sys.exit(main())
