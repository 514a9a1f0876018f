"""The public names of the package: few, sorted, all of them importable, and without heavy imports."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from cases import every

import textlrp

NAMES = [
    "AlphaBeta",
    "BagOfEmbeddingsClassifier",
    "BagOfWordsClassifier",
    "CNNClassifier",
    "Composite",
    "Document",
    "EncoderClassifier",
    "Epsilon",
    "Explanation",
    "Gamma",
    "Index",
    "TextlrpError",
    "Zero",
    "explain",
    "find_shortcuts",
    "load",
    "load_20newsgroups",
    "load_corpus",
    "load_sample_posts",
    "register",
    "similarity",
    "wrap",
    "write_report",
]


def test_the_public_names_are_exactly_these() -> None:
    assert textlrp.__all__ == NAMES
    assert sorted(NAMES) == NAMES
    assert len(NAMES) <= 23


@every("name", NAMES)
def test_every_name_is_importable_and_has_a_docstring(name: str) -> None:
    value = getattr(textlrp, name)
    assert callable(value)
    assert (value.__doc__ or "").strip()
    assert name in dir(textlrp)


def test_from_import_star_imports_all_names() -> None:
    found: dict[str, object] = {}
    exec("from textlrp import *", found)
    assert set(NAMES) <= found.keys()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'textlrp' has no attribute 'explian'$"):
        _ = textlrp.explian


def all_modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(textlrp.__path__, "textlrp.") if "__main__" not in info.name]


def test_no_public_name_is_hidden_by_a_module_of_that_name() -> None:
    modules = [importlib.import_module(name) for name in all_modules()]
    assert len(modules) > 30
    for name in NAMES:
        assert not isinstance(getattr(textlrp, name), types.ModuleType), name
    for package in (module for module in modules if hasattr(module, "__path__")):
        inside = {info.name for info in pkgutil.iter_modules(package.__path__)}
        functions = {name for name, value in vars(package).items() if callable(value)}
        assert not inside & (functions | set(getattr(package, "__all__", ()))), package.__name__
    assert not {info.name for info in pkgutil.iter_modules(textlrp.__path__)} & set(NAMES)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


HEAVY = ("torch", "spacy", "sklearn", "scipy", "numba", "pyarrow", "pandas", "numpy")


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert run(f"import sys, textlrp; dir(textlrp); print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_pages_are_rendered_without_torch_spacy_or_matplotlib() -> None:
    code = (
        "import sys, textlrp.reports.corpus.report_files\n"
        "import textlrp.reports.evaluation.evaluation_page as page, textlrp.reports.comparison.comparison_page\n"
        "drawn = {'pointing': {'rows': [{'method': 'm', 'accuracy': 0.5}]}}\n"
        "assert '<svg' in page.evaluation_page(drawn)\n"
        "print([name for name in ('torch', 'spacy', 'matplotlib', 'numba') if name in sys.modules])"
    )
    assert run(code) == "[]"


UNUSED = ("spacy", "sklearn", "pandas", "pyarrow", "scipy.stats", "scipy.special", "matplotlib", "nltk", "shap")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["explain", "predict"])
def test_explaining_one_text_imports_only_torch_and_numba(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXTLRP_CACHE_DIR", str(tmp_path))
    code = (
        "import sys; from textlrp.cli import main\n"
        f"main([{command!r}, '20newsgroups-cnn', '--text', 'The shuttle (reached) its orbit, at 8 a.m.'])\n"
        f"print([name for name in {UNUSED} if name in sys.modules])"
    )
    first, second = run(code).splitlines(), run(code).splitlines()
    assert first[:-1] == second[:-1]
    assert "spacy" in first[-1]
    assert second[-1] == "[]"


@pytest.mark.slow
def test_importing_a_module_does_not_hide_a_public_name() -> None:
    code = "import textlrp; textlrp.explain; textlrp.load; import textlrp.explainers.explain"
    assert run(f"{code}; print(callable(textlrp.explain))") == "True"


def test_reading_an_explanation_needs_no_torch() -> None:
    code = "import sys, textlrp; textlrp.Explanation, textlrp.Document, textlrp.write_report, textlrp.load_corpus"
    assert run(f"{code}; print('torch' in sys.modules)") == "False"
