"""The library of one model used by another (paper, 4.3); see --help."""

import sys

from flex.cli.inheritance import main

sys.exit(main())
