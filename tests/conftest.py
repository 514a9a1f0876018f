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
from importlib import import_module

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


@pytest.fixture(scope="session")
def shap_is_not_compiled() -> Iterator[None]:
    """Run the loops of shap as plain Python: compiling them takes 8 s in each process."""
    pytest.importorskip("shap")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("explainers._partition", "utils._clustering", "utils._masked_model"):
            module = import_module(f"shap.{name}")
            for function, compiled in [*vars(module).items()]:
                if hasattr(compiled, "py_func"):
                    patch.setattr(module, function, compiled.py_func)
        yield
