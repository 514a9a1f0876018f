"""For all tests: one thread each, since tiny nets only wait for threads; set before torch and numba are loaded.

And no deadline for a single example: the first one of a process may be the one that imports a library.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
