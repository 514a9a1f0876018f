"""For all tests: one thread each, since tiny nets only wait for threads; set before torch and numba are loaded.

And no deadline for a single example: the first one of a process may be the one that imports a library.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import settings

settings.register_profile("textlrp", deadline=None, max_examples=50)
settings.load_profile("textlrp")


@pytest.fixture(scope="session", autouse=True)
def _languages_are_read_once() -> Iterator[None]:
    """Read spaCy's rules once a process: after spaCy is imported, each model that is loaded reads them for 0.1 s."""
    from textlrp.text import tokens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "spacy_language", cache(tokens.spacy_language))
        yield
