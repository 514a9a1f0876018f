"""Exports for other programs contain the same words and relevance as the explanation, at the same offsets."""

from __future__ import annotations

import csv
import json
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from cases import every
from explanations import by_character, make_explanation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textlrp.errors import DataError, OptionError
from textlrp.explanation import Explanation
from textlrp.store import to_frame, write_annotations
from textlrp.store.annotations import ANNOTATION_FORMATS
from textlrp.text.surrogates import without_surrogates

SPAN_FORMATS = ("label-studio", "prodigy", "doccano", "argilla")
every_format = every("format", ANNOTATION_FORMATS)

AWKWARD = "  A\x00B <b>&amp;</b>\r\n\u2028 🚗👩‍⚕️ مرحبا |_\\ é e\u0301 \ufeff'\"\n\n=cmd, Ok!\tEnd  of it "


class Marked(NamedTuple):
    """A marked word: offsets, label and relevance."""

    start: int
    end: int
    label: str
    relevance: float


def varied() -> list[Explanation]:
    return [
        make_explanation(targets=(0, 1, 2), true_label="sci.med"),
        make_explanation(AWKWARD, targets=(2, (0, 1)), document_id='<"id">\n=1', seed=1),
        make_explanation("", probabilities=None, labels=("no", "yes")),
        make_explanation("42 17 !!", ledger={}),
        make_explanation("half \ud83d a character", labels=("a\x00", "b|c", "=d")),
        make_explanation(thresholds=np.array([9, 9, 9], np.float32), seed=3),
        make_explanation(thresholds=np.array([-9, -9, -9], np.float32), seed=4),
        by_character("the 🚗 car\nis - fine "),
    ]


def expected(explanation: Explanation, top_k: int = 10) -> list[Marked]:
    """The most relevant words of a model whose tokens are words, by plain loops."""
    found = []
    for k, name in enumerate(explanation.target_names):
        values = [float(value) for value in explanation.relevance[k]]
        order = sorted(range(len(values)), key=lambda t: (-abs(values[t]), t))
        supporting = [t for t in order if values[t] > 0][:top_k]
        opposing = [t for t in order if values[t] < 0][:top_k]
        for t in sorted(supporting + opposing):
            start, end = explanation.tokens.spans[t].tolist()
            found.append(Marked(start, end, f"{'supports' if values[t] > 0 else 'opposes'} {name}", values[t]))
    return found


def marked_in(format: str, path: Path) -> list[tuple[str, list[Marked]]]:
    """(text, marked words) of each document in a file."""
    text = path.read_text(encoding="utf-8")
    if format == "label-studio":
        return [_of_task(each) for each in json.loads(text)]
    if format == "argilla":
        return [_of_record(each) for each in json.loads(text)]
    rows = [json.loads(line) for line in text.split("\n") if line]
    if format == "prodigy":
        return [
            (row["text"], [Marked(s["start"], s["end"], s["label"], s["relevance"]) for s in row["spans"]])
            for row in rows
        ]
    return [_of_row(row) for row in rows]


def _of_row(row: dict[str, Any]) -> tuple[str, list[Marked]]:
    units = row["text"].encode("utf-16-le")  # two bytes per unit, as doccano counts
    found = [
        Marked(len(units[: 2 * start].decode("utf-16-le")), len(units[: 2 * end].decode("utf-16-le")), label, value)
        for (start, end, label), value in zip(row["label"], row["relevance"], strict=True)
    ]
    return row["text"], found


def _of_task(task: dict[str, Any]) -> tuple[str, list[Marked]]:
    (prediction,) = task["predictions"]
    found = []
    for region in prediction["result"]:
        if region["type"] == "labels":
            value, (note,) = region["value"], region["meta"]["text"]
            assert value["text"] == task["data"]["text"][value["start"] : value["end"]]
            assert 0 < region["score"] <= 1
            found.append(Marked(value["start"], value["end"], value["labels"][0], float(note.split()[1])))
    return task["data"]["text"], found


def _of_record(record: dict[str, Any]) -> tuple[str, list[Marked]]:
    suggestion = record["suggestions"].get("relevance", {"value": [], "score": []})
    largest = record["metadata"]["largest_relevance"]
    found = [
        Marked(s["start"], s["end"], s["label"], score * largest * (1 if s["label"].startswith("supports") else -1))
        for s, score in zip(suggestion["value"], suggestion["score"], strict=True)
    ]
    return record["fields"]["text"], found


def output_of(format: str, folder: Path, name: str = "out") -> Path:
    return folder / f"{name}{ANNOTATION_FORMATS[format].suffix}"


def exported(explanations: Any, format: str, folder: Path, **options: Any) -> Path:
    return write_annotations(explanations, output_of(format, folder), format=format, **options)


# ---- marked words


@every("format", SPAN_FORMATS)
@pytest.mark.parametrize("top_k", [None, 1, 3])
def test_the_marked_words_are_the_most_relevant_ones(format: str, top_k: int | None, tmp_path: Path) -> None:
    originals = varied()[:-1]
    written = marked_in(format, exported(iter(originals), format, tmp_path, top_k=top_k))
    for original, (text, found) in zip(originals, written, strict=True):
        assert text == without_surrogates(original.text)
        wanted = expected(original, top_k or 10)
        label = str.replace if format == "label-studio" else lambda text, *_: text
        assert [m[:3] for m in found] == [(w.start, w.end, label(w.label, "\0", "\ufffd")) for w in wanted]
        np.testing.assert_allclose([m.relevance for m in found], [w.relevance for w in wanted], rtol=1e-6)


@every("format", SPAN_FORMATS)
def test_a_word_of_several_character_tokens_is_one_span(format: str, tmp_path: Path) -> None:
    explanation = by_character("no car", [1, 2, 0, -4, -5, -6])
    ((_, found),) = marked_in(format, exported(explanation, format, tmp_path))
    assert [m[:3] for m in found] == [(0, 2, "supports sci.med"), (3, 6, "opposes sci.med")]
    np.testing.assert_allclose([m.relevance for m in found], [3, -15], rtol=1e-6)


@every("format", SPAN_FORMATS)
def test_equal_relevance_is_chosen_in_the_order_of_the_text(format: str, tmp_path: Path) -> None:
    explanation = make_explanation("a b c d")
    explanation = replace(explanation, relevance=np.array([[1, -1, 1, -1]], np.float32))
    ((_, found),) = marked_in(format, exported(explanation, format, tmp_path, top_k=1))
    assert [(m.start, m.relevance) for m in found] == [(0, 1), (2, -1)]


@every("format", SPAN_FORMATS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=30), seed=st.integers(0, 99))
def test_any_text_is_read_back(format: str, text: str, seed: int, tmp_path: Path) -> None:
    text = f" {text}"  # with a gap, so that the tokens are not all characters of the text
    original = make_explanation(text, seed=seed)
    ((found_text, found),) = marked_in(format, exported(original, format, tmp_path))
    assert found_text == without_surrogates(text)
    assert [m[:3] for m in found] == [w[:3] for w in expected(original)]


# ---- each tool


def test_label_studio_gets_a_configuration_with_all_labels(tmp_path: Path) -> None:
    originals = varied()
    tasks = json.loads(exported(originals, "label-studio", tmp_path).read_text())
    config = ElementTree.parse(tmp_path / "out.xml").getroot()
    labels = {each.get("value") for each in config.iter("Label")}
    choices = {each.get("value") for each in config.iter("Choice")}
    tags = {each.get("name"): each.tag.lower() for each in config.iter() if each.get("name")}
    for original, task in zip(originals, tasks, strict=True):
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "textlrp 0.1.0 cnn-0123abcd"
        ids = [region["id"] for region in prediction["result"]]
        assert len(ids) == len(set(ids))
        for region in prediction["result"]:
            assert tags[region["from_name"]] == region["type"]
            assert region["to_name"] == "text"
            assert set(region["value"].get("labels", ())) <= labels
            assert set(region["value"].get("choices", ())) <= choices
        chosen = [region["value"]["choices"] for region in prediction["result"] if region["type"] == "choices"]
        safe = [label.replace("\0", "\ufffd") for label in original.predicted_labels]
        assert chosen == ([safe] if safe else [])
    assert config.find("Choices").get("choice") == "multiple"  # type: ignore[union-attr]
    exported(make_explanation(), "label-studio", tmp_path)
    assert 'choice="single"' in (tmp_path / "out.xml").read_text()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.sampled_from("ab é🚗\n\t.-\r_"), max_size=20))
def test_the_tokens_of_prodigy_rebuild_the_text(text: str, tmp_path: Path) -> None:
    for original in (make_explanation(text, targets=(0, 1)), by_character(text) if text else make_explanation(text)):
        line = exported(original, "prodigy", tmp_path).read_text(encoding="utf-8")
        task = json.loads(line)
        tokens = task["tokens"]
        assert "".join(token["text"] + " " * token["ws"] for token in tokens) == text
        assert [token["id"] for token in tokens] == list(range(len(tokens)))
        assert all(text[token["start"] : token["end"]] == token["text"] for token in tokens)
        for span in task["spans"]:
            assert tokens[span["token_start"]]["start"] == span["start"]
            assert tokens[span["token_end"]]["end"] == span["end"]


def test_the_options_of_prodigy_are_the_classes(tmp_path: Path) -> None:
    first, none = map(
        json.loads, exported([varied()[0], varied()[5]], "prodigy", tmp_path).read_text().split("\n")[:-1]
    )
    assert [option["id"] for option in first["options"]] == ["sci.med", "sci.space", "rec.autos"]
    assert first["accept"] == [first["label"]] == list(varied()[0].predicted_labels)
    assert none["accept"] == []
    assert "label" not in none


def test_the_scores_of_argilla_are_from_0_to_1(tmp_path: Path) -> None:
    for original, record in zip(
        varied(), json.loads(exported(varied(), "argilla", tmp_path).read_text()), strict=True
    ):
        suggestions = record["suggestions"]
        if "relevance" in suggestions:
            assert 0 < min(suggestions["relevance"]["score"]) <= max(suggestions["relevance"]["score"]) <= 1
        assert ("class" in suggestions) == bool(original.predicted_labels)
        if original.thresholds is None:
            assert suggestions["class"]["value"] == original.predicted_labels[0].replace("\ud83d", "\ufffd")
            assert ("score" in suggestions["class"]) == (original.probabilities is not None)


# ---- CoNLL-U Plus

_UNESCAPED = {r"\s": " ", r"\t": "\t", r"\n": "\n", r"\r": "\r", r"\p": "|", r"\\": "\\"}


def conll_sentences(path: Path) -> Iterator[tuple[dict[str, str], list[dict[str, str]]]]:
    """(comments, words) of each sentence."""
    head, *lines = path.read_text(encoding="utf-8").split("\n")
    columns = head.removeprefix("# global.columns = ").split(" ")
    comments, words = dict[str, str](), list[dict[str, str]]()
    for line in lines:
        if line.startswith("# "):
            name, _, value = line[2:].partition(" = ")
            comments[name] = value
        elif line:
            words.append(dict(zip(columns, line.split("\t"), strict=True)))
        elif words:
            yield comments, words
            comments, words = {}, []


def text_of_conll(words: list[dict[str, str]], source: str) -> str:
    text = ""
    for word in words:
        misc = dict(each.split("=", 1) for each in word["MISC"].split("|")) if word["MISC"] != "_" else {}
        before = misc.get("SpacesBefore", "") + misc.get("TextBefore", "")
        after = misc.get("SpacesAfter", "") + misc.get("TextAfter", "") or ("" if "SpaceAfter" in misc else r"\s")
        form = source[int(word["TEXTLRP:START"]) : int(word["TEXTLRP:END"])]
        text += unescaped(before) + form + unescaped(after)
    return text


def unescaped(text: str) -> str:
    pieces, n = [], 0
    while n < len(text):
        step = 2 if text[n] == "\\" else 1
        pieces.append(_UNESCAPED[text[n : n + 2]] if step == 2 else text[n])
        n += step
    return "".join(pieces)


def test_conll_has_every_word_with_its_relevance(tmp_path: Path) -> None:
    for original in varied():
        sentences = list(conll_sentences(exported(original, "conll", tmp_path)))
        words = [word for _, each in sentences for word in each]
        frame = to_frame(original)
        if len(original.tokens) == len(words):
            columns = [[np.float32(value) for value in word["TEXTLRP:RELEVANCE"].split("|")] for word in words]
            assert columns == original.relevance.T.tolist()
            statuses = frame["status"].str.replace(" ", "_").tolist()
            assert [word["TEXTLRP:STATUS"] for word in words] * len(original.targets) == statuses
        for number, (comments, each) in enumerate(sentences, start=1):
            assert json.loads(comments["targets"]) == [without_surrogates(name) for name in original.target_names]
            assert comments["sent_id"].endswith(f"-{number}")
            assert ("newdoc id" in comments) == (number == 1)
            assert [word["ID"] for word in each] == [str(n + 1) for n in range(len(each))]
            joined = "".join(
                word["FORM"] + ("" if "SpaceAfter=No" in word["MISC"] or word is each[-1] else " ") for word in each
            )
            assert comments["text"] == joined
        if words:
            assert text_of_conll(words, without_surrogates(original.text)) == without_surrogates(original.text)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.sampled_from("ab. !🚗\n\t-\r|\\_"), min_size=1, max_size=25))
def test_conll_rebuilds_any_text(text: str, tmp_path: Path) -> None:
    for original in (make_explanation(text), by_character(text)):
        words = [word for _, each in conll_sentences(exported(original, "conll", tmp_path)) for word in each]
        assert text_of_conll(words, text) == text or not len(original.tokens)
        assert all(word["FORM"] == word["FORM"].strip() != "" for word in words)


# ---- CSV


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_words_csv_is_the_data_frame(tmp_path: Path) -> None:
    originals = varied()[:-1]
    rows = csv_rows(exported(originals, "words-csv", tmp_path, keep_formulas=True))
    frame = to_frame(originals)
    assert list(rows[0]) == list(frame.columns)
    assert len(rows) == len(frame)
    for name in frame.columns:
        if name == "relevance":
            np.testing.assert_array_equal(np.array([row[name] for row in rows], np.float32), frame[name])
        else:
            assert [row[name] for row in rows] == list(map(str, frame[name])), name


def test_words_csv_with_top_k_has_the_marked_words(tmp_path: Path) -> None:
    original = make_explanation(targets=(0, 2))
    rows = csv_rows(exported(original, "words-csv", tmp_path, top_k=2))
    assert [(int(row["start"]), int(row["end"])) for row in rows] == [m[:2] for m in expected(original, 2)]


def test_formulas_in_texts_ids_and_labels_are_inert(tmp_path: Path) -> None:
    original = by_character("-=@", [1, 2, 3])
    original = replace(original, document_id="=1+1", labels=("+a", "@b", "-c"))
    rows = csv_rows(exported(original, "words-csv", tmp_path))
    assert [row["token"] for row in rows] == ["'-", "'=", "'@"]
    assert {(row["document"], row["class"]) for row in rows} == {("'=1+1", "'+a")}
    rows = csv_rows(exported(original, "words-csv", tmp_path, keep_formulas=True))
    assert {(row["document"], row["class"]) for row in rows} == {("=1+1", "+a")}


# ---- files


@every_format
def test_files_of_the_same_format_are_replaced_and_others_are_not(format: str, tmp_path: Path) -> None:
    for explanations in ([], [make_explanation()], varied(), [make_explanation("")]):
        exported(explanations, format, tmp_path)
    for other in ANNOTATION_FORMATS:
        if other != format and ANNOTATION_FORMATS[other].suffix == ANNOTATION_FORMATS[format].suffix:
            with pytest.raises(DataError, match="exists and is not"):
                exported([make_explanation()], other, tmp_path)
    path = output_of(format, tmp_path)
    for mine in ("years of work", "[]", "[\n", '{"text": "mine"}\n', "[\n3\n]\n"):
        path.write_text(mine)
        with pytest.raises(
            DataError, match=r"exists and is not .* that textlrp wrote\. Choose another file, or pass"
        ):
            exported([make_explanation()], format, tmp_path)
        assert path.read_text() == mine
    with pytest.warns(UserWarning, match="bak1"):
        exported([make_explanation()], format, tmp_path, force=True)


def test_a_configuration_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_text("<View>mine</View>")
    with pytest.raises(DataError, match=r"out\.xml' exists and is not a labeling configuration"):
        exported(make_explanation(), "label-studio", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.xml"]
    with pytest.warns(UserWarning, match=r"out\.xml\.bak1"):
        exported(make_explanation(), "label-studio", tmp_path, force=True)
    assert (tmp_path / "out.xml.bak1").read_text() == "<View>mine</View>"


@every_format
def test_a_failure_leaves_the_old_files(format: str, tmp_path: Path) -> None:
    def breaks() -> Iterator[Explanation]:
        yield make_explanation()
        raise RuntimeError("the model broke")

    exported(make_explanation(document_id="old"), format, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RuntimeError, match="the model broke"):
        exported(breaks(), format, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@every_format
def test_memory_does_not_grow_with_the_number_of_documents(format: str, tmp_path: Path) -> None:
    why = make_explanation("the car is fine. " * 8)

    def peak(number: int) -> int:
        tracemalloc.start()
        exported(repeat(why, number), format, tmp_path)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(2)
    assert peak(50) < 2 * peak(3)


# ---- errors


def test_an_unknown_format_names_the_closest(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as problem:
        write_annotations([], tmp_path / "out.json", format="labelstudio")
    assert str(problem.value) == (
        "format must be one of label-studio, prodigy, doccano, argilla, conll, words-csv; got 'labelstudio'. Pass "
        "format='label-studio', for example. The closest name is 'label-studio'."
    )


@every_format
def test_another_suffix_is_refused(format: str, tmp_path: Path) -> None:
    suffix = ANNOTATION_FORMATS[format].suffix
    with pytest.raises(DataError, match=rf"^the output must be a {suffix} file for format='{format}'; got '.*out"):
        write_annotations([], tmp_path / "out.html", format=format)
    write_annotations([], tmp_path / f"out{suffix.upper()}", format=format)


def test_options_that_do_not_fit_the_format_are_refused(tmp_path: Path) -> None:
    for options, message in (
        ({"format": "prodigy", "top_k": 0}, r"^top_k must be at least 1; got 0\. Pass top_k=10\."),
        ({"format": "conll", "top_k": 5}, r"^top_k must not be used with format='conll'"),
        ({"format": "conll", "keep_formulas": True}, r"^keep_formulas must be used with format='words-csv' only"),
    ):
        with pytest.raises(OptionError, match=message):
            write_annotations([], tmp_path / "out", **options)  # type: ignore[arg-type]


@every_format
def test_what_is_not_finite_is_refused(format: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'doc-1'.*not finite"):
        exported(make_explanation(scores=np.array([1, np.inf, 0], np.float32)), format, tmp_path)
    assert list(tmp_path.iterdir()) == []
