"""Reports of many documents: the summary, the folder, and what happens when something goes wrong."""

import json
import multiprocessing
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from evaluation_results import make_results
from explanations import make_explanation, with_phrases
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.explanation import Explanation
from textlrp.reports.charts.map import HEIGHT, LINE, WIDTH, document_map
from textlrp.reports.corpus.report_files import list_page, write_report
from textlrp.reports.corpus.report_folder import report_folder
from textlrp.reports.corpus.report_index import ReportSections
from textlrp.reports.corpus.summary import Summary, with_targets

LABELS = ("sci.med", "sci.space", "rec.autos")


def some(count: int, *, true_label: bool = True) -> list[Explanation]:
    return [
        make_explanation(
            f"The doctor number{n} gave me a vaccine.\n\nNo orbit!",
            seed=n,
            targets=(0, 1),
            document_id=f"doc-{n}",
            true_label=LABELS[n % 3] if true_label else None,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("labeled", [True, False])
def test_the_rows_are_in_the_order_that_the_page_names(labeled: bool) -> None:
    whys = some(9, true_label=labeled)
    page = list_page(whys)
    (first,) = re.findall(r'<select id="find-order"><option value="">([^<]*)<', page)
    rows = [int(n) for n in re.findall(r'<li[^>]* data-n="(\d+)"', page)]
    assert len({why.predicted for why in whys}) > 1
    assert first == ("by true label" if labeled else "input order")
    assert (rows == list(range(9))) == (not labeled)
    assert ('<ol class="docs unlabeled">' in page) == (not labeled)  # without labels, no space for "correct"
    assert sorted(rows, key=lambda n: n % 3 if labeled else n) == rows


def test_a_report_without_texts_offers_no_document_to_open() -> None:
    sections = ReportSections(lambda: np.random.default_rng(0).normal(size=(40, 2)), "as drawn")
    page, bare = (list_page(some(40), sections=sections, texts=texts) for texts in (True, False))
    assert "Select a point to open its document." in page
    assert "open its document" not in bare
    assert "the id of the document" in bare


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, *LABELS, "a label the model does not have"]))))
def test_the_matrix_counts_every_labeled_document_once(drawn: list[tuple[int, str | None]]) -> None:
    summary = Summary()
    for seed, true_label in drawn:
        summary.add(make_explanation(seed=seed, true_label=true_label))
    matrix = summary.matrix()
    labeled = sum(true_label in LABELS for _, true_label in drawn)
    assert summary.unknown_labels == sum(true_label is not None for _, true_label in drawn) - labeled
    assert summary.labeled == sum(cell.documents for line in matrix for cell in line) == labeled
    assert summary.correct == sum(line[k].documents for k, line in enumerate(matrix))
    assert sum(c.documents for c in summary.confusions()) <= labeled - summary.correct
    assert all(0 <= cell.shade <= 100 for line in matrix for cell in line)


def test_rows_have_class_label_confidence_and_words() -> None:
    explanation = make_explanation("good bad odd", scores=np.array([3, 1, 0], np.float32), true_label="sci.space")
    row = Summary().add(explanation)
    words = [word.word for word in explanation.words(target="sci.med") if word.relevance > 0][:3]
    assert row.words == tuple(words)
    assert (row.correct, row.predicted, row.true_label, row.cell) == (False, 0, 1, "c1-0")
    assert row.confidence == round(1000 * float(explanation.probabilities[0]))
    bare = make_explanation("good", probabilities=None, scores=np.array([2, 1, 0], np.float32))
    assert Summary().add(bare).confidence == round(1000 / (1 + np.exp(-1)))
    alone = make_explanation("good", labels=("one",), probabilities=None, scores=np.array([-900], np.float32))
    assert Summary().add(alone).confidence == 0


def test_an_explanation_of_some_targets_keeps_the_law() -> None:
    explanation = with_phrases(make_explanation(targets=(0, 1, (0, 2))))
    for rows in ([1], [2, 0]):
        part = with_targets(explanation, rows)
        assert part.targets == tuple(explanation.targets[row] for row in rows)
        np.testing.assert_allclose(part.relevance.sum(axis=1) + part.absorbed, part.start_scores, atol=1e-5)
        assert part.phrases[0].relevance.tolist() == explanation.phrases[0].relevance[rows].tolist()


def links(page: str) -> set[str]:
    return set(re.findall(r'href="([^"]+)"', page))


def ids(page: str) -> list[str]:
    return re.findall(r' id="([^"]+)"', page)


def test_every_link_of_a_page_has_a_target() -> None:
    page = list_page(
        some(12), sections=ReportSections(lambda: np.random.default_rng(0).normal(size=(12, 2)), "chance")
    )
    assert len(ids(page)) == len(set(ids(page)))
    assert {link.removeprefix("#") for link in links(page)} <= set(ids(page))
    assert len({link for link in links(page) if re.fullmatch(r"#c\d+-\d+", link)}) > 1


def test_a_folder_has_a_page_for_each_document_and_every_link_leads_to_a_file(tmp_path: Path) -> None:
    whys = some(7)
    folder = report_folder(iter(whys), tmp_path / "report", title="Seven")
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert "Seven" in index
    assert "7 documents" in index
    for link in links(index):
        assert link.removeprefix("#") in ids(index) if link.startswith("#") else (folder / link).is_file()
    pages = sorted((folder / "documents").iterdir())
    assert [path.name for path in pages] == [f"{n:05d}.html" for n in range(1, 8)]
    for n, (path, why) in enumerate(zip(pages, whys, strict=True)):
        page = path.read_text(encoding="utf-8")
        assert f"doc-{n}" in page
        assert why.text in re.sub("<[^>]+>", "", page)
        own = [link for link in links(page) if not link.startswith("#")]
        assert set(own) == {"../index.html", *(f"{k + 1:05d}.html" for k in (n - 1, n + 1) if 0 <= k < 7)}


def found_in(script: str, word: str) -> list[int]:
    """The documents that the page's script finds for a word in ``words.js``."""
    forms, places = json.loads("[" + script.removeprefix("textlrpWords(").removesuffix(")\n") + "]")
    position, found = -1, []
    for step in places[forms.index(word)].split(" "):
        position += int(step, 36)
        found.append(position)
    return found


def test_the_file_of_words_names_the_documents_of_each(tmp_path: Path) -> None:
    texts = ["orbit", "doctor orbit", "vaccine", *["rain"] * 50, "</script> orbit Ωmega"]
    folder = report_folder((make_explanation(text) for text in texts), tmp_path / "report")
    script = (folder / "words.js").read_text(encoding="ascii")
    for word in ("orbit", "doctor", "rain", "script", "ωmega"):
        assert found_in(script, word) == [n for n, text in enumerate(texts) if word in text.lower().replace("<", " ")]


def test_only_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    folder = report_folder(some(3), tmp_path / "report")
    write_report(some(2), folder)
    assert len(list((folder / "documents").iterdir())) == 2
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match=r"contains files that textlrp did not write \('mine.txt'\)"):
        report_folder(some(1), folder)
    with pytest.raises(DataError, match="it is a file"):
        report_folder(some(1), folder / "mine.txt")
    with pytest.raises(DataError, match=r"must be a folder, or end in \.html for one page; got .*: it is a file"):
        write_report(some(1), folder / "mine.txt")
    with pytest.raises(DataError, match="does not exist"):
        report_folder(some(1), tmp_path / "no" / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_failed_report_leaves_the_earlier_one(tmp_path: Path) -> None:
    def breaks() -> Iterator[Explanation]:
        yield from some(2)
        raise RuntimeError("the model broke")

    folder = report_folder(some(3), tmp_path / "report")
    with pytest.raises(RuntimeError):
        report_folder(breaks(), folder)
    with pytest.raises(DataError, match="got str"):
        report_folder(["a text"], folder)  # type: ignore[list-item]
    with pytest.raises(OptionError, match="palette"):
        report_folder(some(1), folder, palette="pink")
    assert len(list((folder / "documents").iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.slow
def test_pages_made_in_other_processes_are_the_same(tmp_path: Path) -> None:
    for count in (10, 150):
        one, many = (report_folder(some(count), tmp_path / f"{count}-{n}", workers=n) for n in (1, 2))
        for path in sorted(one.rglob("*.*")):
            assert (many / path.relative_to(one)).read_bytes() == path.read_bytes()
    with pytest.raises(OptionError, match="palette"):
        report_folder(some(1), one, palette="pink", workers=2)


@pytest.mark.slow
def test_a_killed_worker_process_is_an_error(tmp_path: Path) -> None:
    def stream() -> Iterator[Explanation]:
        yield from some(150)
        for child in multiprocessing.active_children():
            child.kill()
        yield from some(150)

    with pytest.raises(DataError, match="worker process was killed"):
        report_folder(stream(), tmp_path / "report", workers=2)
    assert not list(tmp_path.iterdir())


def test_a_report_of_no_document_shows_zero(tmp_path: Path) -> None:
    folder = report_folder([], tmp_path / "report")
    assert "0 documents." in (folder / "index.html").read_text(encoding="utf-8")


def test_a_long_report_begins_with_the_overview_and_a_short_one_with_the_list() -> None:
    few, many = list_page(some(6)), list_page(some(45))
    assert few.index('id="documents"') < few.index('id="words"')
    assert many.index('id="documents"') > many.index('id="words"')


def test_deletion_curves_of_an_evaluation_are_shown() -> None:
    page = list_page(some(2), sections=ReportSections(evaluation=make_results()))
    assert 'id="deletion"' in page
    assert 'class="figure"' in page
    assert 'id="deletion"' not in list_page(some(2), sections=ReportSections(evaluation={"accuracy": 0.5}))


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 60), st.integers(0, 99), st.integers(1, 12))
def test_points_are_inside_the_map_and_names_do_not_overlap(count: int, seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    summary = Summary()
    for n in range(count):
        labels = tuple(f"class.{k}" for k in range(classes + 1))
        summary.add(make_explanation("a b", seed=n, labels=labels))
    places = random.normal(size=(count, 2)) * random.choice([1e-3, 1, 1e3])
    drawn = document_map(places, summary.rows, summary.names)
    assert drawn is not None
    assert len(drawn.points) == drawn.documents == count
    assert all(0 <= point.x <= WIDTH and 0 <= point.y <= HEIGHT for point in drawn.points)
    assert {name.text for name in drawn.names} == {summary.names[row.predicted] for row in summary.rows}
    for n, one in enumerate(drawn.names):
        for other in drawn.names[n + 1 :]:
            apart = 3.4 * (len(one.text) + len(other.text))
            assert abs(one.y - other.y) >= LINE - 0.11 or abs(one.x - other.x) >= apart - 0.11


def test_equal_positions_make_no_map() -> None:
    summary = Summary()
    for explanation in some(5):
        summary.add(explanation)
    assert document_map(np.zeros((5, 2)), summary.rows, summary.names) is None
    assert document_map(np.full((5, 2), np.nan), summary.rows, summary.names) is None
    assert document_map(np.zeros((5, 0)), summary.rows, summary.names) is None
