"""What each part of FLEX is worth, by taking it away; see --help."""

import sys

from flex.cli.ablation import main

sys.exit(main())
