"""The work of ``textlrp report``: explain a corpus, summarize it, and place its documents on a map, in one pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction import DictVectorizer
from sklearn.preprocessing import normalize

from textlrp.class_words import read_words
from textlrp.errors import DataError
from textlrp.explainers.named import explain_corpus
from textlrp.explanation import Explanation
from textlrp.files.input_paths import check_regular
from textlrp.lrp.starts import Start
from textlrp.models.classifier import Classifier
from textlrp.models.given_files import inputs_of
from textlrp.models.known_labels import KnownLabels
from textlrp.models.nets import NetClassifier
from textlrp.records import Document
from textlrp.reports.corpus.report_files import check_report, write_report
from textlrp.reports.corpus.report_index import ReportSections
from textlrp.reports.corpus.summary import with_targets
from textlrp.text.named_corpora import Log, silent


def report_corpus(
    model: Classifier,
    documents: Iterable[Document],
    path: str | Path,
    *,
    targets: Sequence[str] = (),
    rule: str | None = None,
    start: Start | None = None,
    method: str = "lrp",
    title: str | None = None,
    palette: str = "red-blue",
    evaluation: str | Path | None = None,
    workers: int = 1,
    log: Log = silent,
    with_texts: bool = True,
    force: bool = False,
) -> Path:
    """Explain documents and write a report: one page (``.html``), or a folder with a page for each document.

    Without ``targets``, the predicted class is explained. LRP, for which more classes cost almost nothing, then also
    explains the true label or, if the prediction is correct, the class with the second-highest score. ``evaluation``
    is a folder written by ``textlrp evaluate`` whose deletion curves are shown. ``workers`` is the number of
    processes that write the pages of a folder. ``with_texts=False`` leaves out the texts. ``log`` gets a line if no
    document has a label. Raises as :func:`explain_corpus` and :func:`write_report` do, and :class:`DataError` if
    ``evaluation`` has no results.
    """
    check_report(path, inputs=inputs_of(None, files=[evaluation and Path(evaluation, "results.json")]), force=force)
    results = None if evaluation is None else _results(evaluation)
    several = not targets and method == "lrp"
    names = ("all",) if several else targets
    known = KnownLabels(model.classes_.tolist())
    whys = explain_corpus(model, known.resolve(documents), targets=names, rule=rule, start=start, method=method)
    mapped = _VectorMap(model) if isinstance(model, NetClassifier) else _WordMap()
    shown = map(_predicted_and_other, whys) if several else whys
    sections = ReportSections(mapped.coordinates, mapped.about, results)
    written = write_report(
        _observed(shown, mapped.add),
        path,
        title=title,
        palette=palette,
        sections=sections,
        workers=workers,
        texts=with_texts,
        force=force,
    )
    known.warn()
    if not known.known and not known.unknown:
        log("no document has a label, so there is no accuracy. Pass --label if a column has the labels.")
    return written


def _results(folder: str | Path) -> dict[str, Any]:
    path = Path(folder) / "results.json"
    check_regular(path)
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(
            f"evaluation must be a folder written by 'textlrp evaluate'; got {str(folder)!r}, which has no results. "
            "Pass its output folder."
        ) from None
    return results


def _predicted_and_other(why: Explanation) -> Explanation:
    """Keep two targets: the predicted class, and the true label or, if they agree, the second-highest score.

    Multi-label: keep all predicted labels and all true labels, and add the highest other score to a single one.
    """
    best = why.predicted
    if why.thresholds is not None:
        labels = why.predicted_positions or (best,)
        true_labels = [why.labels.index(name) for name in why.true_labels or () if name in why.labels]
        kept = list(dict.fromkeys((*labels, *true_labels)))
        rest = (c for c in np.argsort(why.thresholds - why.scores, kind="stable").tolist() if c not in kept)
        return with_targets(why, kept if len(kept) > 1 else [*kept, *islice(rest, 1)])
    true = why.labels.index(why.true_label) if why.true_label in why.labels else best
    second = next((c for c in np.argsort(-why.scores, kind="stable").tolist() if c != best), best)
    other = true if true != best else second
    return with_targets(why, list(dict.fromkeys((best, other))))


def _observed(whys: Iterable[Explanation], observe: Callable[[Explanation], None]) -> Iterator[Explanation]:
    """Call ``observe`` with each explanation as it passes, so that the corpus is read only once."""
    for why in whys:
        observe(why)
        yield why


class _VectorMap:
    """A map of documents by their relevance-weighted sums of word vectors (Arras et al. 2017), reduced by PCA."""

    about = "PCA of the relevance-weighted document vectors, as in Arras et al. 2017"

    def __init__(self, model: NetClassifier) -> None:
        self._model = model
        self._vectors: list[NDArray[Any]] = []

    def add(self, why: Explanation) -> None:
        words = read_words(why)
        vectors = self._model.lookup_vectors(self._model.word_ids(words.forms))
        self._vectors.append(words.relevance[why.row()].astype(vectors.dtype) @ vectors)

    def coordinates(self) -> NDArray[Any]:
        """(N, 2) the position of each document; (N, 0) for fewer than two documents."""
        vectors = normalize(np.array(self._vectors))
        return np.asarray(PCA(2, random_state=0).fit_transform(vectors)) if min(vectors.shape) > 1 else vectors[:, :0]


class _WordMap:
    """A map of documents by the relevance of their words, reduced by a truncated SVD, for models without vectors."""

    about = "truncated SVD of the relevance of their words"

    def __init__(self) -> None:
        self._relevances: list[dict[str, float]] = []

    def add(self, why: Explanation) -> None:
        self._relevances.append({word.word: word.relevance for word in why.words()})

    def coordinates(self) -> NDArray[Any]:
        """(N, 2) the position of each document, or fewer columns if the documents have fewer than two words."""
        if not any(self._relevances):  # no text has a word that the model reads
            return np.zeros((len(self._relevances), 0))
        vectors = normalize(DictVectorizer().fit_transform(self._relevances))
        if min(vectors.shape) < 3:  # too few words or documents for a truncated SVD with two components
            return np.asarray(vectors.toarray())
        return np.asarray(TruncatedSVD(2, random_state=0).fit_transform(vectors))
