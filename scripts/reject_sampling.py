"""Explore a train split by reject sampling and grow an experience library; see --help."""

import sys

from flex.cli.train import main

sys.exit(main())
