"""What each part of FLEX is worth, by taking it away; see --help."""

import sys

from flex.cli.experiments import ablation

sys.exit(ablation())
