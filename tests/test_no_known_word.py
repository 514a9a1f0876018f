"""Every command works on a corpus without a single known word, and prints or shows an empty state."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from cases import every
from scipy import sparse
from toys import LABELS, NAMES, TEXTS, small

from textlrp.cli import main
from textlrp.errors import DataError
from textlrp.evaluation.docvectors import map_positions_of

WORDLESS = {
    "empty": "",
    "blank": "  \n\t ",
    "punctuation": "... !? --",
    "digits": "42 3.14",
    "emoji": "🚀 😀",
    "unknown words": "xylophone quux zebra. Another quux.",
}
MODELS = ("cnn", "boe", "svm")

QUICK = {
    "report": ["report", "MODEL", "CORPUS", "-o", "OUT"],
    "report page": ["report", "MODEL", "CORPUS", "-o", "OUT.html"],
}
OTHERS = {
    "explain": ["explain", "MODEL", "CORPUS"],
    "explain all": ["explain", "MODEL", "CORPUS", "--target", "all"],
    "explain page": ["explain", "MODEL", "CORPUS", "-o", "OUT.html"],
    "explain jsonl": ["explain", "MODEL", "CORPUS", "-o", "OUT.jsonl"],
    "explain parquet": ["explain", "MODEL", "CORPUS", "-o", "OUT.parquet"],
    "bulk": ["explain", "MODEL", "CORPUS", "--workers", "1", "--top-k", "3", "-o", "OUT"],
    "gallery": ["explain", "MODEL", "CORPUS", "--rules", "epsilon,gamma", "--method", "occlusion", "-o", "OUT.html"],
    "report all": ["report", "MODEL", "CORPUS", "--target", "all", "-o", "OUT.html"],
    "comparison of rules": ["report", "MODEL", "CORPUS", "--against-rule", "gamma", "-o", "OUT.html"],
    "comparison of models": ["report", "MODEL", "CORPUS", "--against", "OTHER", "-o", "OUT.html"],
    "words": ["words", "MODEL", "CORPUS"],
    "words file": ["words", "MODEL", "CORPUS", "--target", "all", "-o", "OUT.csv"],
    "predict": ["predict", "MODEL", "CORPUS"],
    "evaluate": ["evaluate", "MODEL", "CORPUS", "-o", "OUT"],
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def saved(kind: str, models: Path) -> Path:
    """The path of a small model of this kind, which is fitted on first use."""
    if not (models / kind).exists():
        small(kind).fit(TEXTS, LABELS).save(models / kind)
    return models / kind


def written(folder: Path, text: str, documents: int = 4) -> Path:
    path = folder / "corpus.jsonl"
    rows = [{"text": text, "label": NAMES[n % len(NAMES)]} for n in range(documents)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def run(command: list[str], kind: str, models: Path, corpus: Path) -> None:
    places = {"MODEL": saved(kind, models), "CORPUS": corpus, "OUT": corpus.parent / "out"}
    if "OTHER" in command:
        places["OTHER"] = saved("boe" if kind == "svm" else "svm", models)
    assert main([re.sub("^(MODEL|OTHER|CORPUS|OUT)", lambda m: str(places[m[0]]), word) for word in command]) == 0
    for page in corpus.parent.rglob("*.html"):
        shown = re.sub("<style.*?</style>|<script.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"\b(nan|NaN|None|inf)\b", shown)
    for results in corpus.parent.rglob("results.json"):
        json.loads(results.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} in results"))


@pytest.mark.parametrize("command", QUICK.values(), ids=QUICK)
def test_a_report_of_a_bag_of_words_model(command: list[str], models: Path, tmp_path: Path) -> None:
    run(command, "svm", models, written(tmp_path, ""))
    index = tmp_path / "out" / "index.html" if "OUT" in command else tmp_path / "out.html"
    assert "No word has relevance for this class." in index.read_text(encoding="utf-8")


def test_an_empty_table_has_a_reason(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["words", "MODEL", "CORPUS"], "svm", models, written(tmp_path, "42"))
    assert "documents explained for this class\nNo word has relevance for this class.\n" in capsys.readouterr().out


@pytest.mark.slow
def test_filters_without_a_known_word(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["filters", "MODEL", "CORPUS"], "cnn", models, written(tmp_path, "42"))
    assert capsys.readouterr().out == "0 of 0 filters\nNo text contains a word that the model reads.\n\n"
    run(["explain", "MODEL", "CORPUS", "--phrases", "3"], "cnn", models, written(tmp_path, "quux"))


@pytest.mark.slow
@pytest.mark.parametrize("text", WORDLESS.values(), ids=WORDLESS)
@pytest.mark.parametrize("command", (QUICK | OTHERS).values(), ids=QUICK | OTHERS)
def test_every_command(command: list[str], text: str, models: Path, tmp_path: Path) -> None:
    for kind in MODELS:
        (tmp_path / kind).mkdir()
        run(command, kind, models, written(tmp_path / kind, text))


@pytest.mark.slow
@pytest.mark.parametrize("documents", [1, 2, 3, 45])
@pytest.mark.parametrize("command", (QUICK | OTHERS).values(), ids=QUICK | OTHERS)
def test_any_number_of_documents(command: list[str], documents: int, models: Path, tmp_path: Path) -> None:
    for kind in ("boe", "svm"):
        (tmp_path / kind).mkdir()
        run(command, kind, models, written(tmp_path / kind, "42", documents))


@every("make", [np.asarray, sparse.csr_matrix])
@every("vectors", [np.zeros((4, 5)), np.zeros((4, 0)), np.ones((4, 5)), np.ones((3, 1))])
def test_documents_with_the_same_vector_have_no_map(vectors, make) -> None:
    with pytest.raises(DataError, match="all documents have the same vector"):
        map_positions_of(make(vectors))


@every("make", [np.asarray, sparse.csr_matrix])
@every("shape", [(2, 5), (4, 2), (4, 1), (2, 1)])
def test_a_map_of_few_documents_or_few_features_is_finite(shape, make) -> None:
    vectors = np.arange(np.prod(shape), dtype=float).reshape(shape) ** 2
    found = map_positions_of(make(vectors))
    assert found.coordinates.shape == (shape[0], 2)
    assert np.isfinite(found.coordinates).all()
    assert np.isfinite(found.explained_variance_ratio).all()
