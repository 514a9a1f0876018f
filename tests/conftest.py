"""Settings for all tests.

- One thread per process, because small models only wait for threads. This must be set before torch and numba are
  imported.
- No deadline per hypothesis example, because the first example of a process may import a library.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("textlrp", deadline=None, max_examples=50)
settings.load_profile("textlrp")


_MARKS_OF_FILE = re.compile(r"^pytestmark = (?:\[.*?^\]|.*?$)", re.MULTILINE | re.DOTALL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import a file of which ``-m "not slow"`` leaves out every test: its libraries take seconds to import."""
    left_out = re.findall(r"\bnot (\w+)", config.getoption("markexpr"))
    if not left_out or collection_path.suffix != ".py":
        return None
    marks = _MARKS_OF_FILE.search(collection_path.read_text(encoding="utf-8"))
    return True if marks and any(f"pytest.mark.{name}" in marks[0] for name in left_out) else None


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
