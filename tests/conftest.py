"""Settings for all tests.

- One thread per process, because small models only wait for threads. This must be set before torch and numba are
  imported.
- No deadline per hypothesis example, because the first example of a process may import a library.
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
    """Cache the spaCy language per process: otherwise each loaded model reads the tokenizer rules, in 0.1 s."""
    from textlrp.text import tokens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "spacy_language", cache(tokens.spacy_language))
        yield
