"""`python -m flex` is the `flex` command."""

import sys

from flex.cli import main

sys.exit(main())
