"""The library of one model used by another (paper, 4.3); see --help."""

import sys

from flex.cli.experiments import inheritance

sys.exit(inheritance())
