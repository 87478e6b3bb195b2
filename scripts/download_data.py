"""Fetch the paper's splits, the published libraries and GSM8k into data/ and exps/."""

import sys

from flex.files.download import main

if __name__ == "__main__":
    sys.exit(main())
