"""For all tests: one thread each, since tiny nets only wait for threads; set before torch and numba are loaded."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
