"""One page of each kind, with all elements that a page of that kind can show."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from evaluation_results import LABELS, make_results
from explanations import make_explanation, split, with_phrases
from pages import hosted
from shortcut_results import PARTS, found, group
from similarities import make_similarity

from textlrp.explanation import Explanation
from textlrp.records import Pieces, Status
from textlrp.reports.comparison.comparison_page import comparison_page
from textlrp.reports.comparison.gallery_page import gallery_page
from textlrp.reports.corpus.report_files import list_page
from textlrp.reports.corpus.report_index import ReportSections
from textlrp.reports.document import document_page, notebook_fragment
from textlrp.reports.evaluation.evaluation_page import evaluation_page
from textlrp.reports.shortcuts.shortcuts_page import shortcuts_page
from textlrp.reports.similar.similar_page import similar_page
from textlrp.shortcut_groups import Origins

TEXT = """From: reader@example.org
Subject: a question

My doctor gave me 2 pills against the pain, and the pain went, and the orbit of the shuttle is none of her business.
> Who pays for an unreasonablylongwordthatnobodyeverwroteinanylanguagesofarasweknowandthatwillnotfit?

الطبيب في المدار, הרופא במסלול, 医生在轨道上, and a rocket 🚀 for you.
Here ends what the model can read: all of this came too late for it.
"""


def specimen(many: bool, seed: int = 3, document_id: str = "test/sci.med/59225") -> Explanation:
    """The text above explained for one class, or for all classes and two contrasts; it has tokens of every status."""
    tokens = split(TEXT)
    starts, read = tokens.spans[:, 0], np.array([form.isalpha() for form in tokens.forms])
    status = np.where(read, Status.READ, Status.NOT_A_WORD)
    status[[form.startswith("unreasonably") or form == "shuttle" for form in tokens.forms]] = Status.UNKNOWN
    status[starts < TEXT.index("My doctor")] = Status.SKIPPED
    status[starts >= TEXT.index("all of this")] = Status.TRUNCATED
    targets = (*range(len(LABELS)), (13, 14), (14, 7)) if many else (13,)
    explanation = make_explanation(
        TEXT,
        labels=LABELS,
        targets=targets,
        status=status.tolist(),
        seed=seed,
        true_label="sci.med",
        document_id=document_id,
    )
    return with_phrases(explanation)


@cache
def document(many: bool) -> str:
    return document_page(specimen(many))


@cache
def documents(many: bool = True) -> str:
    """A list: a correct and an incorrect prediction, a document without a label, and one without words."""
    ignored = make_explanation("1 2 3", labels=LABELS, targets=(0, 1), document_id="no word")
    unlabeled = make_explanation("An orbit, a doctor.", labels=LABELS, targets=(14, 13), document_id="no label")
    return list_page([specimen(many), specimen(many, seed=4, document_id="two"), unlabeled, ignored], title="Four")


@cache
def corpus() -> str:
    """A list that is long enough for an overview, with a map and the quality of the explanations."""
    places = np.random.default_rng(0).normal(size=(42, 2))
    words = TEXT.split()
    texts = [f"{words[n % len(words)]} and the {LABELS[n % 20]} of number {n}." for n in range(42)]
    explanations = [
        make_explanation(
            text, labels=LABELS, targets=(n % 20, 3), seed=n, true_label=LABELS[n % 20], document_id=f"test/{n}"
        )
        for n, text in enumerate(texts)
    ]
    sections = ReportSections(lambda: places, "synthetic positions", make_results(documents=40))
    return list_page(explanations, title="A corpus", sections=sections)


@cache
def gallery() -> str:
    """The text explained with four rules."""
    rules = ("Zero()", "Epsilon(epsilon=0.01)", "Gamma(gamma=0.25)", "AlphaBeta(alpha=2.0, beta=1.0)")
    return gallery_page([replace(specimen(False, seed=n), rule=rule) for n, rule in enumerate(rules)])


@cache
def comparison() -> str:
    """Two models on 13 documents; the first document is the text above."""
    texts = [f"The doctor saw orbit {n}." for n in range(12)]
    first, second = (
        [
            make_explanation(t, labels=LABELS, seed=n + s, targets=(13,), true_label="sci.med")
            for n, t in enumerate(texts)
        ]
        for s in (0, 50)
    )
    sides = [specimen(False), *first], [specimen(False, seed=9), *second]
    return comparison_page([(one, replace(other, model="boe-7")) for one, other in zip(*sides, strict=True)])


@cache
def evaluation() -> str:
    return evaluation_page(make_results(documents=400))


@cache
def notebook() -> str:
    """Two cells with the same explanation, and one with a single class, in a host page with its own styles."""
    style = "body{font:20px serif;margin:0 1rem} b{color:#060} table td{border:1px solid red} input{margin:2em}"
    fragments = [notebook_fragment(specimen(many)) for many in (True, True, False)]
    return hosted(*fragments, style=style)


def label_sets(seed: int, true: tuple[str, ...] | None) -> Explanation:
    """The text explained for all labels of a multi-label model, of which it predicts some, one or none."""
    why = specimen(True, seed, f"test/{seed}")
    targets, count = tuple(range(len(LABELS))), len(LABELS)
    ledger = {key: entry[:count] for key, entry in why.ledger.items()}
    ranked = np.sort(why.scores)[::-1]
    thresholds = (ranked[0] + 0.1, ranked[1], ranked[3])[seed % 3] + np.linspace(-0.01, 0.01, count)
    phrases = tuple(phrase._replace(relevance=phrase.relevance[:count]) for phrase in why.phrases)
    return replace(
        why, targets=targets, relevance=why.relevance[:count], ledger=ledger, phrases=phrases, true_label=None,
        true_labels=true, thresholds=thresholds.astype(np.float32), score_name="score",
    )  # fmt: skip


@cache
def several() -> str:
    """A report of a multi-label model; no label of the first document reaches its threshold."""
    true = [(), (LABELS[2], LABELS[5]), None, tuple(LABELS[:3]), (LABELS[0],), (LABELS[13],)]
    return list_page([label_sets(seed, each) for seed, each in enumerate(true)], title="Several labels")


@cache
def unlabeled() -> str:
    """A text of which no label reaches its threshold."""
    return document_page(label_sets(0, ()))


@cache
def transformer() -> str:
    """A long word of many pieces, a truncated end, and all causes of a transformer's ledger, one of them large."""
    causes = ("bias", "special", "position", "token type", "softmax")
    why = specimen(False)
    ledger = {
        (f"layer {n}", cause): np.array([n - 2.5 + 500 * (n == 4)], np.float32) for n, cause in enumerate(causes)
    }
    scores = why.scores.copy()
    scores[13] = why.relevance.sum() + sum(float(entry[0]) for entry in ledger.values())
    notes = ("The model reads at most 510 pieces of a text: the last 12 words were truncated.",)
    long = "antidisestablishmentarianism" * 4
    relevance = np.concatenate([why.relevance, np.zeros((1, 1), np.float32)], axis=1)
    tokens = split(f"{why.text} {long}")
    status, counts = (np.append(values, 0).astype(values.dtype) for values in (why.status, why.counts))
    pieces = Pieces(("##x",), np.array([[0, 1]], np.int32), np.array([0]), why.relevance[:, :1])
    return document_page(
        replace(
            why, tokens=tokens, status=status, counts=counts, relevance=relevance, scores=scores, ledger=ledger,
            notes=notes, pieces=pieces,
        )
    )  # fmt: skip


@cache
def table_row() -> str:
    """A row of a table: two columns of text under their names, which the model skips, and a column of numbers."""
    text = "subject\nThe orbit of my doctor\n\nbody of the message\nNo pills, no shuttle."
    names = [*range(1), *range(6, 10)]
    status = [Status.SKIPPED if n in names else Status.READ for n in range(len(split(text)))]
    why = make_explanation(text, labels=LABELS, targets=(13,), status=status, document_id="17")
    ledger = {**why.ledger, ("output", "column number of lines"): np.array([0.25], np.float32)}
    return document_page(replace(why, ledger=ledger, scores=why.scores + np.float32(0.25)))


def shortcuts() -> str:
    """Groups: a long word, a plain word, no author, compared with an earlier model; the last is listed only."""
    long = "-".join(["unreasonablylongword"] * 6)
    groups = (
        group(long),
        group("orbit", suspicion_parts=dict.fromkeys(PARTS, 0.1), suspicion=0.1),
        group("sale", origins=Origins(None, None, None, None, 2, {"body": 1.0})),
        group("listed", "autos"),
    )
    why = make_explanation(TEXT, document_id="a")
    earlier = found(group("orbit"), group("gone")).to_dict()
    return shortcuts_page(
        found(*groups), examples={0: why}, earlier=earlier, model_name="model", corpus_name="corpus", shown=3
    )


@cache
def similar(listed: bool) -> str:
    """Two texts with pairs of both signs and a long word; or such texts as a list of two, one without a word."""
    found = make_similarity(TEXT, "An orbit, a doctor. No pills against the pain of the doctor, no shuttle! Тест")
    return similar_page([found, make_similarity("1 2", TEXT)] if listed else found)


PAGES = {
    "document": lambda: document(False),
    "many": lambda: document(True),
    "list": documents,
    "corpus": corpus,
    "gallery": gallery,
    "comparison": comparison,
    "evaluation": evaluation,
    "shortcuts": shortcuts,
    "similar": lambda: similar(False),
    "nearest": lambda: similar(True),
    "notebook": notebook,
    "several": several,
    "no label": unlabeled,
    "transformer": transformer,
    "table row": table_row,
}
"""Kind of page -> its HTML."""


def slow(*values: object) -> object:
    """Parameters of a test that `make test` omits."""
    return pytest.param(*values, marks=pytest.mark.slow)


KINDS = (
    "document",
    "many",
    "list",
    slow("corpus"),
    slow("gallery"),
    slow("comparison"),
    slow("evaluation"),
    slow("notebook"),
    slow("several"),
    slow("no label"),
    slow("transformer"),
    slow("table row"),
    slow("shortcuts"),
    slow("similar"),
    slow("nearest"),
)
"""The keys of :data:`PAGES` as parameters of a test."""
