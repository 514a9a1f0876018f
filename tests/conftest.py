"""Settings for all tests.

- One thread per process, because small models only wait for threads. This must be set before torch and numba are
  imported.
- No deadline per hypothesis example, because the first example of a process may import a library.
"""

import ast
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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import a file of which ``-m "not slow"`` leaves out every test: its libraries take seconds to import."""
    left_out = set(re.findall(r"\bnot (\w+)", config.getoption("markexpr")))
    return True if left_out and collection_path.suffix == ".py" and left_out & marks_of(collection_path) else None


def marks_of(path: Path) -> set[str]:
    """The names of the marks without arguments in ``pytestmark``: those that every test of a file has."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source if "\npytestmark = " in source else "")
    values = [
        each.value
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "pytestmark"
    ]
    marks = [mark for value in values for mark in (value.elts if isinstance(value, ast.List) else [value])]
    return {mark.attr for mark in marks if isinstance(mark, ast.Attribute)}


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
