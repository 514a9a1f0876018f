"""``python -m textlrp``: the same as the command ``textlrp``."""

import sys

from textlrp.cli import main

sys.exit(main())
