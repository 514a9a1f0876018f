"""Run the command line as ``python -m textlrp``, like the command ``textlrp``."""

import sys

from textlrp.cli import main

sys.exit(main())
