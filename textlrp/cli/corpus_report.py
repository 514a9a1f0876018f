"""A report of a corpus: explained, summed up and mapped in one pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output
from textlrp.files.written_folder import check_folder
from textlrp.lrp.starts import Start
from textlrp.models.classifier import Classifier
from textlrp.models.given_files import inputs_of
from textlrp.models.known_labels import KnownLabels
from textlrp.models.nets import NetClassifier
from textlrp.records import Document
from textlrp.reports.corpus.report_files import is_page, write_report
from textlrp.reports.corpus.report_folder import REPORT
from textlrp.reports.corpus.report_index import Beside
from textlrp.reports.corpus.summary import with_targets


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
    force: bool = False,
) -> Path:
    """Explain documents and write a report: one page (``.html``), or a folder with a page for each document.

    Without ``targets`` the predicted class is explained, and by LRP, where more classes cost next to nothing, also
    the document's own label, or where they agree the class next in score. ``evaluation`` is a folder that
    ``textlrp evaluate`` wrote, whose deletion curves are shown; ``workers`` are the processes that make a folder's
    pages. Raises as :func:`explain_corpus` and
    :func:`write_report` do, and :class:`DataError` where there are no such results.
    """
    check_report(path, inputs=inputs_of(None, files=[evaluation and Path(evaluation, "results.json")]), force=force)
    results = None if evaluation is None else _results(evaluation)
    several = not targets and method == "lrp"
    wanted = ("all",) if several else targets
    known = KnownLabels(model.classes_.tolist())
    whys = explain_corpus(model, known.resolve(documents), targets=wanted, rule=rule, start=start, method=method)
    mapped = _VectorMap(model) if isinstance(model, NetClassifier) else _WordMap()
    shown = map(_answer_and_other, whys) if several else whys
    beside = Beside(mapped.places, mapped.about, results)
    written = write_report(
        _seen(shown, mapped.add), path, title=title, palette=palette, beside=beside, workers=workers, force=force
    )
    known.warn()
    return written


def check_report(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> bool:
    """Whether a report of this name is one page, and not a folder; else :class:`DataError`: a name that is neither, a
    folder that does not exist above it, a folder with other things in it."""
    if is_page(path):
        check_output(path, PAGES, inputs=inputs, force=force)
        return True
    if Path(path).suffix:
        raise DataError(
            f"cannot tell the format of {str(path)!r}; end the name in .html for one page, or name a folder."
        )
    check_folder(path, REPORT, inputs=inputs, force=force)
    return False


def _results(folder: str | Path) -> dict[str, Any]:
    path = Path(folder) / "results.json"
    check_regular(path)
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(
            f"there are no results of an evaluation in {str(folder)!r}; name a folder that 'textlrp evaluate' wrote."
        ) from None
    return results


def _answer_and_other(why: Explanation) -> Explanation:
    """Of all classes the predicted one, and its own label, or the class next in score where they agree."""
    best = why.predicted
    own = why.labels.index(why.true_label) if why.true_label in why.labels else best
    next_best = next((c for c in np.argsort(-why.scores, kind="stable").tolist() if c != best), best)
    other = own if own != best else next_best
    return with_targets(why, list(dict.fromkeys((best, other))))


def _seen(whys: Iterable[Explanation], look: Callable[[Explanation], None]) -> Iterator[Explanation]:
    for why in whys:
        look(why)
        yield why


class _VectorMap:
    """Documents as sums of their words' vectors weighted by relevance (Arras et al. 2017), on two components."""

    about = "word vectors weighted by relevance, as in Arras et al. 2017, on their first two principal components"

    def __init__(self, model: NetClassifier) -> None:
        self._model = model
        self._found: list[NDArray[Any]] = []

    def add(self, why: Explanation) -> None:
        words = read_words(why)
        vectors = self._model.lookup_vectors(self._model.word_ids(words.forms))
        self._found.append(words.relevance[why.row()].astype(vectors.dtype) @ vectors)

    def places(self) -> NDArray[Any]:
        """(N, 2)"""
        vectors = normalize(np.array(self._found))
        return np.asarray(PCA(2, random_state=0).fit_transform(vectors)) if min(vectors.shape) > 1 else vectors[:, :0]


class _WordMap:
    """Documents as their words' relevance, on two components, for models without word vectors."""

    about = "the relevance of their words, on its first two components"

    def __init__(self) -> None:
        self._found: list[dict[str, float]] = []

    def add(self, why: Explanation) -> None:
        self._found.append({word.word: word.relevance for word in why.words()})

    def places(self) -> NDArray[Any]:
        """(N, 2)"""
        if not any(self._found):  # no text has a word that the model reads
            return np.zeros((len(self._found), 0))
        vectors = normalize(DictVectorizer().fit_transform(self._found))
        if min(vectors.shape) < 3:  # fewer words than that span no plane to project on
            return np.asarray(vectors.toarray())
        return np.asarray(TruncatedSVD(2, random_state=0).fit_transform(vectors))
