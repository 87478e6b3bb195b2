"""How accuracy follows the growth of the library (paper, figure 4); see --help."""

import sys

from flex.cli.experiments import scaling_law

sys.exit(scaling_law())
