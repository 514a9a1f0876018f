"""BatchExplainer returns the numbers of textlrp.explain, and the same bytes for every batch size."""

from __future__ import annotations

import inspect
import pickle
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from toys import LABELS, TEXTS, VARIANTS, fitted, small

import textlrp
from textlrp import store
from textlrp.bulk import BatchExplainer, explain_to_folder
from textlrp.bulk.bulk_options import BulkOptions
from textlrp.errors import DataError, ModelError, OptionError, RuleError, TargetError
from textlrp.models.base import TextClassifier
from textlrp.records import Document
from textlrp.store.columns import run_metadata_of

MODELS = ("20newsgroups-cnn", "20newsgroups-boe", "svm")


@cache
def posts() -> tuple[Document, ...]:
    return tuple(textlrp.load_sample_posts("all").documents)


@cache
def model(name: str) -> TextClassifier:
    if name == "svm":
        return small("svm", skip=("headers",)).fit([p.text for p in posts()], [str(p.label) for p in posts()])
    return textlrp.load(name)


def batch_of(documents: Any, first: int = 0) -> pa.Table:
    return pa.table(
        {
            "text": [d.text for d in documents],
            "document_id": [d.id for d in documents],
            "label": [d.label for d in documents],
            "row": range(first, first + len(documents)),
        }
    )


def toy_batch(count: int = 24) -> pa.Table:
    return pa.table({"text": [TEXTS[n % 24] for n in range(count)], "label": [LABELS[n % 24] for n in range(count)]})


def relevance_of(table: pa.Table) -> list[Any]:
    return [stored.relevance for stored in store.read(table)]


def within(found: Any, expected: Any, tolerance: float, size: float) -> bool:
    return bool(np.abs(np.asarray(found, np.float64) - expected).max(initial=0) <= tolerance * size)


def assert_explained(name: str, documents: Any, tolerance: float = 1e-5, **options: Any) -> pa.Table:
    """Compare the rows of a batch with :func:`textlrp.explain`, and check that relevance + absorbed is the score."""
    asked = {key: value for key, value in options.items() if key not in ("precision", "top_k")}
    explainer = BatchExplainer(model(name), **options)
    table = explainer(batch_of(documents))
    assert run_metadata_of(table.schema, "it") == explainer.metadata
    classes = explainer.metadata.classes
    assert classes == tuple(str(label) for label in model(name).classes_)
    found = zip(table.to_pylist(), store.read(table), strict=True)
    whys = textlrp.explain(model(name), documents, **asked)
    for n, ((row, stored), why, document) in enumerate(zip(found, whys, documents, strict=True)):
        read = (why.status == 0) | (why.status == 3)
        assert (row["row"], row["document_id"], row["true_label"]) == (n, document.id, str(document.label))
        assert row["words"] == [form for form, is_read in zip(why.tokens.forms, read, strict=True) if is_read]
        spans = np.stack([row["starts"], row["ends"]], axis=1).astype(int).reshape(-1, 2)
        np.testing.assert_array_equal(spans, why.tokens.spans[read])
        for (start, end), word in zip(spans.tolist(), row["words"], strict=True):
            assert document.text[start:end].lower() == word
        assert row["status"] == why.status[read].tolist()
        targets = [t if isinstance(t, tuple) else (t, -1) for t in why.targets]
        assert list(zip(row["targets"], row["versus"], strict=True)) == targets
        size = float(np.abs(why.relevance).sum() + np.abs(why.absorbed).sum())
        close = 1e-3 if options.get("precision", "float16") == "float16" else tolerance
        relevance = stored.relevance
        assert within(relevance, why.relevance[:, read], close, size)
        assert (stored.targets, stored.labels, stored.start) == (why.targets, why.labels, why.start)
        assert within(
            stored.relevance.sum(axis=1) + stored.absorbed, relevance.sum(axis=1) + why.absorbed, close, size
        )
        assert within(row["absorbed"], why.absorbed, tolerance, size)
        assert within(row["scores"], why.scores, tolerance, size + float(np.abs(why.scores).max()))
        assert row["predicted"] == classes[int(np.argmax(row["scores"]))]
        if "method" not in options:  # the law of LRP
            total = relevance.sum(axis=1, dtype=np.float64) + stored.absorbed
            assert within(total, stored.start_scores, close, size)
            assert within(stored.start_scores, why.start_scores, tolerance, size)
    return table


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_gets_the_relevance_of_explain(name: str) -> None:
    some = posts()[::3] if name == "20newsgroups-cnn" else posts()
    assert len(some) > 64
    assert_explained(name, some, precision="float32")
    assert_explained(name, some[:20], target="all")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_targets_rules_and_methods_are_those_of_explain(name: str) -> None:
    classes = model(name).classes_.tolist()
    some = posts()[:9]
    for options in (
        {"target": classes[3]},
        {"target": (classes[3], classes[7])},
        {"target": [classes[5], (classes[0], classes[1]), classes[5]]},
        {"rule": "arras2017", "target": "all"},
        {"rule": "epsilon-gamma"},
        {"method": "gradient-x-input"},
    ):
        assert_explained(name, some, precision="float32", **options)


@pytest.mark.slow
def test_empty_unknown_and_non_ascii_texts() -> None:
    texts = ["", "   ", "42 %", "From: a\nSubject: b\n\n", "xylophone zebra", "the car", "🚀 naïve the orbit\x00"]
    for variant in VARIANTS:
        toy = fitted(variant)
        table = BatchExplainer(toy, target="all", precision="float32")(pa.table({"text": texts}))
        assert table["document_id"].to_pylist() == [str(n) for n in range(7)]
        assert table["row"].to_pylist() == list(range(7))
        assert table["true_label"].null_count == 7
        for row, relevance in zip(table.to_pylist(), relevance_of(table), strict=True):
            assert relevance.shape == (3, len(row["words"]))
            assert not relevance[:, np.array(row["status"], dtype=int) != 0].any()
            np.testing.assert_allclose(relevance.sum(axis=1) + row["absorbed"], row["scores"], rtol=1e-4, atol=1e-4)


def test_top_k_keeps_the_law_and_the_words_of_explain() -> None:
    name, some = "20newsgroups-boe", posts()[:40]
    whole = BatchExplainer(model(name), precision="float32")(batch_of(some))
    table = BatchExplainer(model(name), top_k=5, precision="float32")(batch_of(some))
    for row, full, relevance in zip(table.to_pylist(), relevance_of(whole), relevance_of(table), strict=True):
        assert relevance.shape[1] <= 5
        np.testing.assert_allclose(np.sort(np.abs(relevance[0]))[::-1], np.sort(np.abs(full[0]))[::-1][:5])
        total = relevance.sum(axis=1) + row["left_out"] + row["absorbed"]
        np.testing.assert_allclose(total, [row["scores"][target] for target in row["targets"]], rtol=1e-4, atol=1e-4)


# ---- the same bytes


@pytest.mark.parametrize("name", [*VARIANTS, pytest.param("20newsgroups-cnn", marks=pytest.mark.slow)])
def test_batches_cut_at_multiples_of_64_give_the_bytes_of_one(name: str) -> None:
    documents = [Document(str(n), " ".join(TEXTS[(n * 7 + k) % 24] for k in range(n % 5))) for n in range(64 * 4 + 9)]
    explainer = BatchExplainer(fitted(name) if name in VARIANTS else model(name), target="all")
    whole = explainer(batch_of(documents)).combine_chunks()
    for cuts in ([64], [128], [64, 128, 192, 256]):
        edges = [0, *cuts, len(documents)]
        pieces = [explainer(batch_of(documents[a:b], a)) for a, b in pairwise(edges)]
        assert pa.concat_tables(pieces).combine_chunks().equals(whole, check_metadata=True)
    again = BatchExplainer(explainer._model, target="all")  # a new one, which has not cached any tokens yet
    assert again(batch_of(documents[192:], 192)).combine_chunks().equals(whole.slice(192))


def test_the_number_of_threads_changes_no_byte_and_is_restored() -> None:
    before = torch.get_num_threads()
    explainer = BatchExplainer(fitted("boe"))
    one = explainer(toy_batch())
    torch.set_num_threads(2)
    try:
        assert BatchExplainer(fitted("boe"))(toy_batch()).equals(one)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_record_batches_and_further_columns_are_accepted() -> None:
    explainer = BatchExplainer(fitted("svm"))
    table = toy_batch().append_column("more", pa.array([None] * 24))
    assert explainer(table.to_batches()[0]).equals(explainer(table))
    assert explainer(table.slice(0, 0)).num_rows == 0
    assert explainer(table.slice(0, 0)).schema.equals(explainer(table).schema, check_metadata=True)


def test_a_constructor_with_a_model_name_can_be_pickled() -> None:
    made = pickle.loads(pickle.dumps(partial(BatchExplainer, "20newsgroups-boe", target="all", top_k=3)))
    batch = batch_of(posts()[:5])
    assert made()(batch).equals(BatchExplainer(model("20newsgroups-boe"), target="all", top_k=3)(batch))


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_an_explainer_can_be_pickled(variant: str) -> None:
    explainer = BatchExplainer(fitted(variant), rule="epsilon-gamma", target=[("med", "space"), "autos"])
    batch = toy_batch()
    assert pickle.loads(pickle.dumps(explainer))(batch).equals(explainer(batch), check_metadata=True)


# ---- errors


class MeanOfVectors(torch.nn.Module):
    """A module that cannot read an empty text: the mean of no vectors is NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors, self.scores = torch.nn.Embedding(3, 8), torch.nn.Linear(8, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.scores(self.vectors(ids).mean(dim=1))


def test_a_module_that_cannot_read_an_empty_text_is_explained() -> None:
    torch.manual_seed(0)
    vocabulary = {"good": 1, "bad": 2}
    model = textlrp.wrap(MeanOfVectors(), tokenizer=str.split, vocabulary=vocabulary, classes=["neg", "pos"])
    (row,) = store.read(BatchExplainer(model, precision="float32")(pa.table({"text": ["good film"]})))
    why = textlrp.explain(model, "good film")
    assert np.allclose(row.relevance.sum(axis=1), why.relevance.sum(axis=1))
    assert (row.start, row.predicted) == (why.start, why.predicted)


def test_a_batch_without_texts_is_refused() -> None:
    explainer = BatchExplainer(fitted("svm"))
    with pytest.raises(DataError, match=r"^a batch must have a column 'text'; got 'body', 'label'\. Rename"):
        explainer(pa.table({"body": ["a"], "label": ["b"]}))
    with pytest.raises(DataError, match=r"^a batch must have a column 'text'; got no columns\. Rename"):
        explainer(pa.table({}))
    expected = r"^row 1 of a batch: text must be a string; got NoneType\. Drop the row or fill it in\.$"
    with pytest.raises(DataError, match=expected):
        explainer(pa.table({"text": ["a", None]}))
    with pytest.raises(DataError, match=r"^row 0 of a batch: text must be a string; got int"):
        explainer(pa.table({"text": [3]}))


@pytest.mark.parametrize("top_k", [0, -1, 2.5, "3"])
def test_a_wrong_top_k_is_refused(top_k: Any) -> None:
    expected = rf"^top_k must be a whole number of at least 1, or None; got {top_k!r}\. Pass top_k=20, or None"
    with pytest.raises(OptionError, match=expected):
        BatchExplainer(fitted("svm"), top_k=top_k)


def test_wrong_options_are_refused_before_any_batch() -> None:
    toy: Any = fitted("svm")
    with pytest.raises(OptionError, match="precision must be"):
        BatchExplainer(toy, precision="half")
    for target in ("meds", ("med", "meds"), ["med", "meds"], []):
        with pytest.raises(TargetError):
            BatchExplainer(toy, target=target)
    with pytest.raises(RuleError, match="no rule is called 'epsilom'"):
        BatchExplainer(toy, rule="epsilom")
    with pytest.raises(RuleError, match="rules belong to LRP"):
        BatchExplainer(toy, rule="epsilon", method="occlusion")
    with pytest.raises(ModelError):
        BatchExplainer("no-such-model")


@pytest.mark.parametrize("function", [BatchExplainer, explain_to_folder])
def test_bulk_options_are_the_keywords_of_the_explainer_in_order(function: Any) -> None:
    others = {"model", "source", "folder", "workers", "force", "memory", "kept"}
    parameters = inspect.signature(function).parameters.items()
    expected = {name: parameter.default for name, parameter in parameters if name not in others}
    assert list(BulkOptions().keywords().items()) == list(expected.items())
