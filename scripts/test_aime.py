"""Answer the AIME test split as a chat, an agent, or with FLEX; see --help."""

import sys

from flex.cli.test import main_aime

sys.exit(main_aime())
