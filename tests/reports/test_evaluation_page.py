import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import every
from evaluation_results import LABELS, METHODS, TITLES, make_results, protocol, renamed
from hypothesis import given, settings
from hypothesis import strategies as st
from test_document import HOSTILE, Page

from textlrp.errors import DataError, OptionError
from textlrp.reports.charts.figures import deletion_figure
from textlrp.reports.evaluation.deletion_section import comparison_finding, deletion_finding
from textlrp.reports.evaluation.evaluation_page import evaluation_page, findings, write_evaluation
from textlrp.reports.evaluation.retraining_sections import planted_finding, roar_finding
from textlrp.reports.evaluation.tables import TEST, Sentence, difference_cells, duration, p_text, share_text
from textlrp.reports.evaluation.vectors_section import vectors_claim

PARTS = (
    "deletion",
    "eraser",
    "naopc",
    "soft",
    "vectors",
    "pointing",
    "rationales",
    "words",
    "sanity",
    "cascade",
    "stability",
    "ledger",
    "errors",
    "planted-errors",
    "planted",
    "roar",
    "methods",
)


@cache
def whole() -> str:
    return evaluation_page(make_results())


def said(page: str) -> str:
    return Page(page).said().replace("\u00a0", " ")


def plain(sentence: Sentence) -> str:
    return "".join(word.text for word in sentence).replace("\u00a0", " ")


def without(*names: str, **changed: Any) -> dict[str, Any]:
    results = make_results(documents=40, **changed)
    return {name: part for name, part in results.items() if name not in names}


def test_nothing_is_requested_and_nothing_runs() -> None:
    parsed = Page(whole())
    names = {name for _, name, _ in parsed.attributes}
    assert not names & {"src", "action", "background", "srcset", "data", "formaction", "poster", "xlink:href"}
    assert not any(name.startswith("on") for name in names)
    assert all(value.startswith("#") for _, name, value in parsed.attributes if name == "href")
    assert not {"script", "img", "link", "iframe", "image", "foreignobject"} & {tag for tag, _ in parsed.tags}
    assert not re.search(r"url\((?!#)", whole())
    assert "@import" not in whole()
    policy = next(value for _, name, value in parsed.attributes if name == "content" and "default-src" in value)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def test_a_page_with_all_parts_is_small_and_its_links_have_targets() -> None:
    assert len(whole().encode()) < 600_000
    parsed = Page(whole())
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for _, name, value in parsed.attributes:
        if name == "href":
            assert value.removeprefix("#") in ids
        if name == "aria-labelledby":
            assert value in ids
    assert set(PARTS) <= set(ids)


def test_findings_come_first() -> None:
    first = said(whole()).split("Does the prediction change when")[0]
    correct, incorrect = (make_results()["deletion"]["protocols"][n]["curves"] for n in (0, 1))
    assert "Accuracy of the model: 81.2% (7,532 documents)." in first
    assert (
        "Deleting the 10 words most relevant for the true class (LRP epsilon) lowers accuracy on 3,100 correctly "
        f"classified documents from 100.0% to {100 * correct[0]['accuracy'][10]:.1f}%; deleting 10 random words "
        f"results in {100 * correct[-2]['accuracy'][10]:.1f}%."
    ) in first
    assert "Deleting the 10 words that most oppose the true class (LRP epsilon) raises accuracy on 940 in" in first
    assert f"from 0.0% to {100 * incorrect[0]['accuracy'][10]:.1f}%" in first
    assert (
        "EPI) is highest for LRP element-wise weighting: 0.8121. It is lowest for uniform weighting: 0.6208." in first
    )
    assert "hybrid documents of 10 sentences: the most relevant word (LRP epsilon) is in a sentence" in first
    assert "of the predicted class in 91.0% of them, a random word in 21.0%." in first


def test_every_measure_is_explained_and_sourced() -> None:
    text = said(whole())
    for source in (
        "Arras et al.",
        "DeYoung et al.",
        "Poerner, Roth, Schütze",
        "Adebayo et al.",
        "Bach et al.",
        "Bastings et al.",
        "Edin et al.",
        "Zhao",
        "Madsen et al.",
    ):
        assert source in text
    assert text.count("Better: ") == 14
    for method, *_ in METHODS:
        assert text.count(method) > 5
    for label in LABELS:
        assert label in text


def test_areas_have_intervals_and_verdicts() -> None:
    results = make_results()
    text = said(whole())
    first = results["deletion"]["protocols"][0]
    for curve in first["curves"]:
        low, high = curve["interval"]
        assert f"{curve['method']} {curve['area']:.3f} {low:.3f} to {high:.3f}".replace("-", "−") in text.replace(
            "-", "−"
        )
    assert (
        "▲ significantly better or ▼ significantly worse than LRP epsilon, ≈ no significant difference: paired"
        in text
    )
    occlusion = next(d for d in first["differences"] if d["method"] == "occlusion")
    assert f"−{-occlusion['difference']:.3f}" in text


@every(
    "verdict, expected",
    [
        ("significantly better", "▲ better"),
        ("significantly worse", "▼ worse"),
        ("no significant difference", "≈ not significant"),
        ("too few documents", "too few documents (n=3)"),
        ("same difference in every document", "same difference in every document (n=3)"),
        (None, "–"),
    ],
)
def test_a_verdict_is_taken_from_the_results_and_not_from_the_interval(verdict: str | None, expected: str) -> None:
    difference = {"difference": 0.5, "interval": [0.4, 0.6], "documents": 3, "verdict": verdict}
    assert [cell.text for cell in difference_cells(difference)] == ["+0.500", "+0.400 to +0.600", expected]


def test_three_documents_get_no_verdict() -> None:
    protocols = [protocol("correct", "correctly classified documents", 3, np.random.default_rng(0))]
    text = said(evaluation_page({"deletion": {"protocols": protocols}}))
    assert f"Compared with LRP epsilon ({TEST}): too few documents (n=3): LRP gamma, gradient × input" in text
    assert text.count("too few documents (n=3)") > len(METHODS)
    assert not re.search("[▲▼] (better|worse)", text)


@every("documents, few", [(3, True), (19, True), (20, False)])
def test_the_summary_tells_that_there_are_too_few_documents(documents: int, few: bool) -> None:
    results = make_results(documents=documents)
    results["deletion"] = {"protocols": [protocol("correct", "a title", documents, np.random.default_rng(0))]}
    results["pointing"]["rows"][0]["counted"] = results["naopc"]["documents"] = documents
    results["rationales"]["levels"][0]["documents"] = results["roar"]["held_out_documents"] = documents
    for kind in results["planted"]["kinds"]:
        kind["documents"] = documents
    stated = [plain(one) for one in findings(results)]
    parts = [one for one in stated if "EPI" not in one]
    assert len(parts) == 7
    assert [one for one in parts if ("(too few documents)" in one) != few] == []
    assert stated[0] == (
        f"Accuracy of the model: 81.2% on {documents} documents (too few documents)."
        if few
        else f"Accuracy of the model: 81.2% ({documents} documents)."
    )


def test_shortcuts_that_were_not_learned_are_reported_and_not_measured() -> None:
    text = said(whole())
    first, pair = text.split("Two words in order Two made-up")
    assert (
        "Share of planted words that LRP epsilon ranks highest, in models that learned them as a shortcut: " in first
    )
    assert "98.0% for a word, 98.0% for two words together." in first
    assert "The shortcut was learned in 6 of 6 cases" in first
    assert "The shortcut was learned in 0 of 6 cases" in pair
    assert "Precision@2" in first
    assert "Precision@2" not in pair
    assert "alt.atheism 0 tonekada furunozo 14 2.0% 93.0% 4 no" in pair
    assert planted_finding({"kinds": make_results()["planted"]["kinds"][2:]}) == ()


def test_masking_and_retraining_has_a_curve_and_a_relative_area_for_each_method() -> None:
    section = said(whole()).split("Recursive ROAR: masking and retraining Do models")[1]
    assert "LRP epsilon 50.0% 3.0%" in section
    assert "random – – +0.300" in section
    assert "RACU is the mean over 2 seeds, with its standard deviation." in section
    results = make_results()
    alone = said(evaluation_page({"roar": results["roar"] | {"seeds": [0]}}))
    assert "RACU is the mean over 1 seed. 0%" in alone
    assert "LRP epsilon 50.0% –" in alone
    assert "Bands:" not in alone
    assert "▼ worse" in section
    assert plain(roar_finding(make_results()["roar"])).startswith(
        "Recursive ROAR: if the words that LRP epsilon ranks highest are masked and models are trained again, the "
        "relative area between the accuracy curves (RACU) is 50.0%"
    )
    assert roar_finding({"rows": [{"method": "LRP epsilon", "racu": None}]}) == ()


def test_methods_are_compared_without_random_and_reversed() -> None:
    differences = [
        {"method": method, "against": "A", "difference": 0.1, "verdict": verdict, "documents": 40}
        for method, verdict in (
            ("B", "significantly worse"), ("C", "significantly better"), ("D", "no significant difference"),
            ("random", "significantly worse"), ("A, reversed", "significantly worse"),
        )
    ]  # fmt: skip
    protocol: dict[str, Any] = {"better": "lower", "differences": differences}
    assert plain(comparison_finding(protocol)) == (
        f"Compared with A ({TEST}): significantly better: C; significantly worse: B; no significant difference: D."
    )
    assert comparison_finding({"better": "lower", "differences": differences[3:]}) == ()
    assert comparison_finding({"better": "lower", "differences": None}) == ()


def test_the_deletion_finding_uses_the_values_that_exist() -> None:
    protocol: dict[str, Any] = {
        "name": "correct", "documents": 1, "curves": [{"method": "M", "accuracy": [1.0, 0.5, 0.25]}]
    }  # fmt: skip
    assert plain(deletion_finding(protocol)) == (
        "Deleting the 2 words most relevant for the true class (M) lowers accuracy on 1 correctly classified "
        "document from 100.0% to 25.0% (too few documents)."
    )
    still = deletion_finding(protocol | {"curves": [{"method": "M", "accuracy": [1.0, 1.0]}]})
    assert plain(still).endswith("on 1 correctly classified document (100.0%) (too few documents).")
    assert deletion_finding(protocol | {"name": "another"}) == ()
    assert deletion_finding(protocol | {"curves": []}) == ()
    assert deletion_finding(protocol | {"curves": [{"method": "M", "accuracy": [None, None]}]}) == ()


def test_words_unseen_in_training_are_marked_and_the_mark_is_explained() -> None:
    words = [
        {"word": "seen", "relevance": 2.0, "documents": 3, "in_training": 7, "examples": ["d1", "d2"]},
        {"word": "unseen", "relevance": 1.5, "documents": 1, "in_training": 0, "examples": []},
    ]
    one = {"label": "sci.med", "documents": 9, "words": words, "phrases": []}
    text = said(evaluation_page({"words": [one]}))
    assert "sci.med9 documents" in text
    assert "seen, unseen†" in text
    assert "seen +2.00 3 7 d1, d2" in text
    assert "unseen† +1.50 1 0" in text
    assert text.count("† marks a word that occurs in no training document") == 1
    known = said(evaluation_page({"words": [one | {"words": words[:1]}]}))
    assert "†" not in known
    uncounted = [{key: value for key, value in word.items() if key != "in_training"} for word in words]
    assert "training" not in said(evaluation_page({"words": [one | {"words": uncounted}]}))
    assert "No word has relevance" in said(evaluation_page({"words": [{"label": "a"}]}))


def test_hostile_strings_do_not_change_the_structure_of_the_page() -> None:
    names = [
        "LRP epsilon", "20newsgroups-cnn", "20newsgroups test", "sci.med", "sci", "LRP element-wise", "output",
        TITLES[0], "cnn-0123abcd4567", "CNNClassifier", "2026-11-24",
        "0.2.0", "bias", "Epsilon(epsilon=1e-06, bias='absorb')", "20newsgroups-cnn, seed 1", "probability",
    ]  # fmt: skip
    results = make_results(documents=40)
    word, phrase = results["words"][0]["words"][0], results["words"][0]["phrases"][0]
    names += [word["word"], phrase["words"], word["examples"][0], results["notes"][0]]
    tame, wild = (evaluation_page(renamed(results, dict.fromkeys(names, new))) for new in ("plain", HOSTILE))
    # the strokes of a figure depend on the order of its groups
    strokes = {"marker", "path"}
    one, other = ([tag for tag in Page(page).tags if tag[0] not in strokes] for page in (tame, wild))
    assert one == other
    assert len(one) > 1000
    assert HOSTILE in Page(wild).said()
    assert Page(wild).said().count(HOSTILE) > 40


@settings(max_examples=10, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=30))
def test_any_name_can_be_shown_and_encoded(name: str) -> None:
    results = {
        "model_name": name, "corpus": name, "notes": [name], "labels": [name],
        "words": [{"label": name, "words": [{"word": name, "relevance": 1.0}]}],
        "pointing": {"rows": [{"method": name, "accuracy": 0.5}]},
    }  # fmt: skip
    page = evaluation_page(results)
    page.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff]", page)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.slow
def test_each_part_can_be_alone_or_missing(name: str) -> None:
    alone = Page(evaluation_page({name: make_results(documents=40)[name]}))
    ids = {value for _, key, value in alone.attributes if key == "id"}
    assert ids & set(PARTS) == {name}
    assert alone.count("nav") == 0
    rest = evaluation_page(without(name))
    assert {value for _, key, value in Page(rest).attributes if key == "id"} & set(PARTS) == set(PARTS) - {name}
    assert "Not measured: " in said(rest)


@every("nothing", [None, {}, [], {"rows": []}, {"protocols": []}])
def test_empty_parts_are_listed_as_missing(nothing: Any) -> None:
    text = said(evaluation_page(dict.fromkeys(PARTS, nothing)))
    assert "No main measure was computed." in text
    assert (
        "Not measured: word deletion and insertion, comprehensiveness and sufficiency, normalized AOPC, soft" in text
    )


def test_an_empty_evaluation_is_a_page() -> None:
    assert "No main measure was computed." in said(evaluation_page({}))


def test_a_protocol_without_documents_is_noted() -> None:
    results = without(notes=["No document is incorrectly classified."])
    results["deletion"]["protocols"][1] = {
        "name": "incorrect-true", "title": "incorrectly classified documents",
        "documents": 0, "better": "higher", "curves": [],
    }  # fmt: skip
    text = said(evaluation_page(results))
    assert "incorrectly classified documents 0 documents." in text
    assert "No document fits this protocol, so it was not measured." in text
    assert "No document is incorrectly classified." in text


def unmeasured(value: Any) -> Any:
    """The results without numbers, except those that a row must have."""
    if isinstance(value, dict):
        return {key: part if key in ("relevance", "x", "y") else unmeasured(part) for key, part in value.items()}
    if isinstance(value, list):
        return [unmeasured(part) for part in value]
    return None if isinstance(value, (int, float)) else value


@pytest.mark.parametrize("missing", [None, math.nan])
def test_numbers_that_are_missing_are_dashes(missing: float | None) -> None:
    results = unmeasured(make_results(documents=40)) if missing is None else make_results(documents=40)
    if missing is not None:
        results["eraser"][0]["comprehensiveness"] = missing
        results["pointing"]["rows"][0]["accuracy"] = missing
        results["vectors"]["rows"][0]["epi"] = missing
        results["deletion"]["protocols"][0]["curves"][0]["accuracy"] = [missing] * 51
        results = {name: results[name] for name in ("eraser", "pointing", "vectors", "deletion")}
    text = said(evaluation_page(results))
    assert "–" in text
    assert not re.search(r"\b(None|nan)\b", text)


def test_the_same_results_give_the_same_page_also_from_a_file() -> None:
    assert evaluation_page(json.loads(json.dumps(make_results()))) == whole()


def test_the_footer_lists_model_corpus_seed_date_and_version() -> None:
    text = said(whole()).split("Notes and missing measures")[1]
    for fact in ("cnn-0123abcd4567", "CNNClassifier", "20newsgroups test", "7,532", "2026-11-24", "0.2.0", "seed 0"):
        assert fact in text
    assert "LIME and SHAP were measured on a sample of 100 documents" in text


def test_a_page_is_written_atomically(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.html"
    assert write_evaluation(without("vectors"), path) == path
    before = path.read_bytes()
    with pytest.raises(
        DataError, match=r"the part 'deletion' of the results does not have the expected form \(KeyError: 'title'\)"
    ):
        write_evaluation({"deletion": {"protocols": [{"name": "correct", "curves": []}]}}, path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["evaluation.html"]
    with pytest.raises(DataError, match="does not exist"):
        write_evaluation({}, tmp_path / "no" / "page.html")


def test_invalid_results_raise_errors() -> None:
    with pytest.raises(DataError, match=r"results must be a mapping, .*; got list"):
        evaluation_page([])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the part 'sanity'"):
        evaluation_page({"sanity": "good"})
    with pytest.raises(OptionError, match="got 'pink'"):
        evaluation_page({}, palette="pink")


def test_findings_leave_out_what_was_not_measured() -> None:
    assert findings({}) == []
    assert [plain(one) for one in findings({"accuracy": 0.5})] == ["Accuracy of the model: 50.0% (– documents)."]
    one = {"rows": [{"weighting": "w", "epi": 0.5}]}
    assert plain(findings({"vectors": one})[0]).endswith(
        "(explanatory power index, EPI) is highest for w weighting: 0.5000."
    )


@every(
    "seconds, text",
    [
        (6.4, "6.4 s"),
        (73.0, "73 s"),
        (0.21, "210 ms"),
        (0.00041, "410 µs"),
        (2.4e-6, "2.4 µs"),
        (0.0, "0.0 µs"),
        (None, "–"),
    ],
)
def test_times_are_for_people(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_shares_keep_their_sign_and_stay_on_one_line() -> None:
    assert [share_text(value) for value in (0.0, 0.5, 1.2, -0.03)] == [
        "0.0%", "50.0%", "120.0%", "−3.0%"
    ]  # fmt: skip


def test_numbers_of_numpy_are_numbers() -> None:
    results = make_results(documents=40)
    results["pointing"]["rows"][0]["accuracy"] = np.float32(0.5)
    results["vectors"]["maps"][0]["x"] = np.asarray(results["vectors"]["maps"][0]["x"])
    assert "50.0%" in said(evaluation_page(results))


def test_the_verdict_has_the_corrected_p_value_and_the_effect_size() -> None:
    difference = {
        "difference": -0.5, "interval": [-0.6, -0.4], "documents": 40, "p_value": 0.001, "p_corrected": 0.0043,
        "effect_size": -1.234, "verdict": "significantly worse",
    }  # fmt: skip
    assert difference_cells(difference)[2].note == "p = 0.0043, d = −1.23"
    assert difference_cells(difference | {"effect_size": None})[2].note == "p = 0.0043"
    few = difference | {"p_corrected": None, "effect_size": None, "interval": None, "verdict": "too few documents"}
    assert [cell.text for cell in difference_cells(few)][1:] == ["–", "too few documents (n=40)"]
    assert difference_cells(few)[2].note == ""


@every("value, text", [(1.0, "1.00"), (0.1234, "0.12"), (0.0456, "0.046"), (0.00432, "0.0043"), (1e-5, "0.0001")])
def test_p_values_have_two_significant_digits(value: float, text: str) -> None:
    assert p_text(value) == text


def test_intervals_of_few_documents_are_not_shown() -> None:
    eraser = make_results()["eraser"][:1]
    few = [row | {"documents": 3, "comprehensiveness_interval": None, "sufficiency_interval": None} for row in eraser]
    assert said(evaluation_page({"eraser": few})).count("too few (n=3)") == 2
    equal = [row | {"comprehensiveness_interval": None} for row in eraser]
    assert said(evaluation_page({"eraser": equal})).count("all equal (n=500)") == 1
    assert "too few" not in said(evaluation_page({"eraser": eraser})).replace("Fewer", "")


def claim(verdict: str, **changed: Any) -> str:
    difference = {"verdict": verdict, "documents": 12} | changed
    rows = [{"weighting": "LRP", "epi": 0.8, "differences": {"epi": difference}}, {"weighting": "TF-IDF", "epi": 0.7}]
    return plain(vectors_claim({"against": "TF-IDF", "rows": rows}))


def test_no_claim_is_made_where_tfidf_does_as_well() -> None:
    evidence = "So the EPI is no evidence for the explanations of this model."
    better = claim("significantly better")
    assert better == "LRP weights represent the classes significantly better than TF-IDF weights, which need no " + (
        "explanation."
    )
    as_well = claim("no significant difference")
    assert as_well == f"TF-IDF weights, which need no explanation, do as well as LRP weights. {evidence}"
    assert claim("significantly worse").endswith(f"do significantly better than LRP weights. {evidence}")
    assert claim("too few documents") == "No comparison of LRP with TF-IDF: too few documents (n=12)."
    assert claim("None") == ""
    text = said(whole())
    assert text.count("LRP element-wise weights represent the classes significantly better than TF-IDF") == 2


def test_the_part_of_a_curve_that_is_as_in_training_is_shaded_and_explained() -> None:
    results = make_results()["deletion"]
    text = said(evaluation_page({"deletion": results}))
    assert "Shaded: up to 21 words. In training, 20.0% of the words of each text were replaced" in text
    assert "21 deleted words are at most this share in 95% of the documents, 34 in half of them." in text
    assert text.count("Shaded: up to 21 words") == 3  # not removal and insertion
    svg = deletion_figure(results["protocols"][0], uid="u")
    assert "Shaded up to 21 words deleted: as in training." in svg
    assert ">as in training</text>" in svg
    for each in results["protocols"]:
        each.pop("as_in_training", None)
    assert "haded" not in evaluation_page({"deletion": results})


def test_label_errors_have_labels_and_the_words_that_oppose_them() -> None:
    text = said(evaluation_page({"errors": make_results()["errors"]}))
    assert "The prediction is not the given label for 1,400 of 7,532 documents. The 4 with the largest" in text
    row = f"test/{LABELS[0]}/50000 {LABELS[0]} {LABELS[3]} −4.20 orbit −1.25, moon −0.50 engine +0.75"
    assert row in text
    none = {"documents": 9, "incorrect": 0, "rows": []}
    assert "Not measured" in said(evaluation_page({"errors": none}))


def test_planted_errors_are_compared_with_the_margin() -> None:
    text = said(evaluation_page({"planted-errors": make_results()["planted-errors"]}))
    assert "5.0% of the documents get a random other label." in text
    assert "376 planted errors in 7,532 documents" in text
    assert "margina minus b 0.970 0.960 to 0.980" in text
    assert "net relevance 0.620 0.590 to 0.650 −0.040 −0.050 to −0.030 ▼ worsep = 0.0032, d = +0.42" in text
