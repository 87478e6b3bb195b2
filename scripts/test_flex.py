"""Answer a split of any benchmark with an agent and an experience library; see --help."""

import sys

from flex.cli.test import main_flex

sys.exit(main_flex())
