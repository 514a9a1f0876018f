"""Everything that takes a model takes a transformer: tables, runs by processes, pages, evaluation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from laws import difference

pytest.importorskip("transformers")

from tiny_transformers import LABELS, TEXTS, tiny_classifier, tiny_tokenizer

import textlrp
from textlrp.bulk import BatchExplainer, WorkerOptions, explain_to_folder, file_source
from textlrp.errors import OptionError
from textlrp.evaluation import evaluate
from textlrp.evaluation.running.plan import default_plan
from textlrp.explanation import Explanation
from textlrp.explanation_data import from_dict
from textlrp.models.transformers.transformer_model import TransformerModel
from textlrp.store import read, write
from textlrp.text.row_layout import Columns

pytestmark = pytest.mark.transformers

LONG = " ".join(TEXTS * 4)


@pytest.fixture(scope="module")
def model() -> TransformerModel:
    found = textlrp.wrap(tiny_classifier("bert", dtype=torch.float32), tokenizer=tiny_tokenizer("bert"))
    assert isinstance(found, TransformerModel)
    return found


@pytest.fixture(scope="module")
def explained(model: TransformerModel) -> list[Explanation]:
    return list(textlrp.explain(model, [*TEXTS, LONG], target="all"))


def test_a_model_is_loaded_from_a_local_folder(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    module, tokenizer = tiny_classifier("bert", dtype=torch.float32), tiny_tokenizer("bert")
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    own = AutoTokenizer.from_pretrained(tmp_path)
    one = textlrp.explain(loaded, TEXTS[0], tokenizer=own, target="all")
    assert difference(one, textlrp.explain(module, TEXTS[0], tokenizer=tokenizer, target="all")) <= 1e-6
    assert one.labels == LABELS


def test_pieces_survive_json(explained: list[Explanation], tmp_path: Path) -> None:
    for each in explained:
        again = from_dict(json.loads(each.to_json()))
        assert again.pieces is not None
        assert each.pieces is not None
        assert again.pieces.forms == each.pieces.forms
        for name in ("spans", "words", "relevance"):
            mine, its = getattr(each.pieces, name), getattr(again.pieces, name)
            np.testing.assert_array_equal(its, mine)
            assert its.dtype == mine.dtype
    path = tmp_path / "explained.jsonl"
    write(explained, path)
    assert all(each.pieces is not None for each in read(path))
    table = tmp_path / "explained.parquet"
    write(explained, table)
    for stored, each in zip(read(table), explained, strict=True):
        np.testing.assert_array_equal(stored.relevance, each.relevance)
        assert stored.ledger.keys() == each.ledger.keys()


def test_pages_name_the_causes_in_plain_words(explained: list[Explanation], tmp_path: Path) -> None:
    page = explained[-1].to_html()
    for name in ("special tokens", "position embeddings", "token-type embeddings"):
        assert f"absorbed by {name}" in page
    assert re.search(r"the last \d+ words were truncated\. In Python, windows=True makes the model read them", page)
    path = tmp_path / "report.html"
    textlrp.write_report(explained, path)
    assert path.stat().st_size > 1000


def test_tables(model: TransformerModel, explained: list[Explanation]) -> None:
    explain = BatchExplainer(model, target="all", precision="float32")
    table = explain(pa.table({"text": list(TEXTS)}))
    assert table.num_rows == len(TEXTS)
    scores = np.array(table["scores"].to_pylist())
    np.testing.assert_allclose(scores, [each.scores for each in explained[:-1]], atol=1e-6)


@pytest.mark.slow
def test_a_run_by_processes(model: TransformerModel, explained: list[Explanation], tmp_path: Path) -> None:
    texts = [*TEXTS, LONG]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    source = file_source(path, Columns())
    run = explain_to_folder(
        model, source, tmp_path / "run", target="all", precision="float32", workers=WorkerOptions(workers=2)
    )
    assert run.documents == len(texts)
    for stored, each in zip(read(run.folder), explained, strict=True):
        read_tokens = each.relevance[:, each.seen]  # a run stores the words that the model reads
        np.testing.assert_allclose(stored.relevance, read_tokens, atol=1e-6)


@pytest.mark.slow
def test_an_evaluation_runs_from_end_to_end(model: TransformerModel, tmp_path: Path) -> None:
    documents = [textlrp.Document(str(n), text, label=LABELS[n % 3]) for n, text in enumerate([*TEXTS, LONG, LONG])]
    plan = default_plan(model, min_words=5, steps=5, max_documents=5)
    results = evaluate(model, documents, tmp_path / "evaluation", plan=plan)
    assert results["methods"][0]["title"] == "CP-LRP"
    assert results["deletion"]["protocols"]
    assert any("Document vectors: not measured" in note for note in results["notes"])


@pytest.mark.slow
def test_the_duration_of_word_deletion_is_announced(
    model: TransformerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [textlrp.Document(str(n), text, label=LABELS[n % 3]) for n, text in enumerate([*TEXTS, LONG])]
    plan = default_plan(model, min_words=2, steps=2, measures=frozenset({"deletion"}), n_random_orders=1)
    lines: list[str] = []
    monkeypatch.setattr("textlrp.evaluation.running.measured_deletion.LONG", 0)
    results = evaluate(model, documents, tmp_path / "evaluation", plan=plan, log=lines.append)
    (said,) = [line for line in lines if "changed texts" in line]
    documents_measured = sum(row["documents"] for row in results["deletion"]["protocols"])
    orders = len(plan.methods) + 2  # the first method reversed, and one random order
    assert f"scores {3 * orders * documents_measured:,} changed texts" in said
    assert len(results["deletion"]["protocols"]) == 4  # a transformer always closes the gap


def test_a_bare_model_is_refused_where_a_tokenizer_cannot_be_passed(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"model must be wrapped together with its tokenizer; got a bare BertFor"):
        BatchExplainer(tiny_classifier("bert"))
    with pytest.raises(OptionError, match=r"textlrp\.wrap\(model, tokenizer="):
        evaluate(tiny_classifier("bert"), [], tmp_path / "evaluation")
