"""Answer the USPTO50k test split as a chat, an agent, or with FLEX; see --help."""

import sys

from flex.cli.test import main_retro

sys.exit(main_retro())
