"""How accuracy follows the growth of the library (paper, figure 4); see --help."""

import sys

from flex.cli.scaling_law import main

sys.exit(main())
