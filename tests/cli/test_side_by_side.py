"""Galleries and comparisons: as functions of a model, and from the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from toys import LABELS, NAMES, READ, TEXTS, fitted, small

from textlrp import cli
from textlrp.cli.inputs import split_names
from textlrp.cli.panels import CAM_NOTE, MethodPanel, gallery_panels, write_gallery
from textlrp.cli.two_sides import Comparison, explain_both_sides, write_comparison
from textlrp.errors import ModelError, OptionError, RuleError
from textlrp.models.base import TextClassifier
from textlrp.records import Document

POSTS = [Document(f"d{n}", text, label) for n, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("cnn-max", "cnn-mean", "boe", "svm"):
        fitted(name).save(folder / name)
    small("svm").fit(TEXTS[:16], LABELS[:16]).save(folder / "two")
    return folder


def refused(outcome: Outcome, *fragments: str) -> None:
    """Assert that a command failed with exit code 2 and one line on standard error, and wrote no file."""
    assert outcome.code == 2
    assert re.fullmatch(r"textlrp: [^\n]+[.\w]\n", outcome.err), outcome.err
    for fragment in fragments:
        assert fragment in outcome.err
    assert list(Path().iterdir()) == []


# ---- which panels


def test_panels_are_the_rules_and_then_the_methods_without_repetitions() -> None:
    model = fitted("cnn-max")
    assert gallery_panels(model, rules=["zero", "alpha1beta0"], methods=["lrp", "occlusion"]) == [
        MethodPanel("zero"), MethodPanel("alpha1beta0"), MethodPanel(method="occlusion"),
    ]  # fmt: skip
    assert gallery_panels(model, rules=["epsilon", "Epsilon()", "gamma", "epsilon"]) == [
        MethodPanel("epsilon"),
        MethodPanel("gamma"),
    ]
    assert gallery_panels(model, methods=["lrp", "lime"]) == [MethodPanel(), MethodPanel(method="lime")]


def test_cam_becomes_grad_cam_with_max_pooling() -> None:
    assert gallery_panels(fitted("cnn-max"), methods=["cam", "grad-cam", "CAM()"]) == [MethodPanel(method="grad-cam")]
    assert gallery_panels(fitted("cnn-mean"), methods=["cam"]) == [MethodPanel(method="cam")]


def test_no_panel_or_an_unknown_rule_is_refused() -> None:
    with pytest.raises(OptionError, match="rules must name at least one rule"):
        gallery_panels(fitted("boe"))
    with pytest.raises(RuleError, match="'gama'"):
        gallery_panels(fitted("boe"), rules=["zero", "gama"])


@pytest.mark.parametrize("variant", ["cnn-max", "cnn-mean", "boe", "svm"])
def test_a_gallery_of_odd_texts(variant: str, tmp_path: Path) -> None:
    documents = [text if isinstance(text, Document) else Document(str(n), text) for n, text in enumerate(READ)]
    rules = ["epsilon", "gamma", "alpha2-beta1"]
    path = write_gallery(fitted(variant), iter(documents), tmp_path / "g.html", rules=rules, methods=["random"])
    assert path.read_text().count('<article class="panel">') >= 4 * len(documents)


def test_the_gallery_notes_why_cam_is_grad_cam(tmp_path: Path) -> None:
    def page(variant: str, *methods: str) -> str:
        return write_gallery(fitted(variant), POSTS[:1], tmp_path / "g.html", methods=methods).read_text()

    assert CAM_NOTE in page("cnn-max", "lrp", "cam")
    assert CAM_NOTE not in page("cnn-max", "lrp", "grad-cam")
    assert CAM_NOTE not in page("cnn-mean", "lrp", "cam", "grad-cam")
    with pytest.raises(ModelError, match="needs a CNNClassifier"):
        page("boe", "lrp", "cam")


# ---- both sides of a comparison


def both(model: TextClassifier, **asked: object) -> list[tuple[tuple[str, ...], tuple[str, ...], str, str]]:
    pairs = explain_both_sides(model, POSTS, Comparison(**asked))  # type: ignore[arg-type]
    return [(one.target_names, other.target_names, one.rule, other.rule) for one, other in pairs]


def test_both_sides_explain_the_prediction_of_the_first() -> None:
    first, second = fitted("cnn-max", seed=1), fitted("boe", seed=2)
    predicted = first.predict(TEXTS).tolist()
    assert predicted != second.predict(TEXTS).tolist()
    assert [(one, other) for one, other, *_ in both(first, against=second)] == [((p,), (p,)) for p in predicted]


def test_models_of_other_classes_explain_their_own_prediction() -> None:
    first, second = fitted("boe"), fitted("svm", classes=2)
    found = both(first, against=second)
    assert [one for one, *_ in found] == [(p,) for p in first.predict(TEXTS).tolist()]
    assert [other for _, other, *_ in found] == [(p,) for p in second.predict(TEXTS).tolist()]
    assert {one + other for one, other, *_ in both(first, against=second, target="med")} == {("med", "med")}


def test_the_second_side_has_its_own_rule_or_that_of_the_first() -> None:
    model, other = fitted("boe"), fitted("boe", seed=3)

    def rules(**asked: object) -> list[str]:
        return [text.partition("(")[0] for text in both(model, **asked)[0][2:]]

    assert rules(against_rule="gamma") == ["Epsilon", "Gamma"]
    assert rules(rule="zero", against_method="occlusion") == ["Zero", "Occlusion"]
    assert rules(method="occlusion", against_rule="flat") == ["Occlusion", "Flat"]
    assert rules(against=other, rule="zero") == ["Zero", "Zero"]
    assert rules(against=other, rule="zero", against_rule="gamma") == ["Zero", "Gamma"]
    assert rules(against=other, method="random") == ["Random", "Random"]


def test_a_comparison_reads_documents_as_it_goes() -> None:
    read: list[int] = []

    def documents() -> Iterator[Document]:
        for n in range(300):
            read.append(n)
            yield Document(str(n), "the doctor and the moon")

    model = fitted("boe")
    pairs = explain_both_sides(model, documents(), Comparison(against_rule="gamma"))
    next(pairs)
    assert len(read) <= 64
    assert sum(1 for _ in pairs) == 299


@pytest.mark.parametrize("against", ["cnn-mean", "svm"])
def test_a_comparison_of_odd_texts_between_tokenizers(against: str, tmp_path: Path) -> None:
    documents = [text if isinstance(text, Document) else Document(str(n), text) for n, text in enumerate(READ)]
    asked = Comparison(against=fitted(against))
    path = write_comparison(fitted("boe"), iter(documents), tmp_path / "c.html", asked)
    assert path.read_text().count('<details id="d') == len(documents)


# ---- the command line


def test_names_are_separated_by_commas_outside_brackets() -> None:
    assert split_names(["zero, gamma", "Composite({0: Flat(), 1: Zero()}, default=Zero()),x"]) == [
        "zero", "gamma", "Composite({0: Flat(), 1: Zero()}, default=Zero())", "x",
    ]  # fmt: skip
    assert split_names([",", "", "Gamma(0.5)"]) == ["Gamma(0.5)"]


def test_explain_with_rules_writes_a_gallery(run: Run) -> None:
    text = "My doctor watched the shuttle reach its orbit."
    rules = "zero,epsilon,gamma,alpha1beta0,alpha2beta1"
    arguments = ("explain", "20newsgroups-cnn", "--text", text, "--rules", rules, "--method", "cam", "-o", "g.html")
    assert run(*arguments) == (0, "wrote g.html\n", "")
    page = Path("g.html").read_text()
    assert page.count('<article class="panel">') == 6
    for name in ("LRP-0", "LRP-ε", "LRP-γ", "LRP-α1β0", "LRP-α2β1", "Grad-CAM for text"):
        assert f"<h3><bdi>{name}" in page
    assert CAM_NOTE in page


def test_methods_may_be_repeated_or_separated_by_commas(models: Path, run: Run) -> None:
    given = ("explain", models / "cnn-mean", "--text", "the moon and my doctor", "-o", "g.html")
    for methods in (
        ("--method", "cam,lrp,occlusion"),
        ("--method", "cam", "--method", "lrp", "--method", "occlusion"),
    ):
        assert run(*given, *methods).code == 0
        names = re.findall(r"<h3><bdi>(?!Supports|Opposes)(.*?)</bdi>", Path("g.html").read_text())
        assert names == ["Class activation map (CAM)", "LRP-ε (ε = 1e-06)", "Occlusion"]
    assert run(*given, "--rules", "gamma", "--target", "med", "--versus", "space").code == 0
    assert "<bdi>med</bdi> and not <bdi>space</bdi>" in Path("g.html").read_text()


def test_a_gallery_shows_at_most_a_dozen_texts_by_default(run: Run) -> None:
    outcome = run("explain", "20newsgroups-boe", "sample", "--rules", "zero,gamma", "-o", "g.html")
    used = "12 of 80 texts, evenly spaced (raise --limit for more)\n"
    assert outcome.out == f"using {used}wrote g.html: {used}"
    assert Path("g.html").read_text().count('<section class="gallery">') == 12


def test_what_does_not_fit_a_gallery_is_refused(models: Path, run: Run) -> None:
    given = ("explain", models / "boe", "--text", "the moon")
    page = ("-o", "g.html")
    refused(run(*given, "--rules", "zero,gamma"), "-o PAGE.html")
    refused(run(*given, "--method", "lrp,occlusion"), "-o PAGE.html")
    refused(run(*given, "--rules", "zero,gamma", "-o", "g.jsonl"), "must end in .html")
    refused(run(*given, "--rules", "zero,gama", *page), "'gama'")
    refused(run(*given, "--rules", ",", *page), "rules must name at least one rule")
    refused(run(*given, "--rules", "zero", "--rule", "gamma", *page), "--rule ", "--rules")
    refused(run(*given, "--rules", "zero", "--phrases", "3", *page), "--phrases")
    refused(run(*given, "--rules", "zero", "--method", "cam", *page), "'cam' needs a CNNClassifier")
    refused(run(*given, "--rules", "zero", "--target", "med", "--target", "space", *page), "must be given once")
    refused(run(*given, "--rules", "zero", "--target", "all", *page), "one target; got 3")
    refused(run(*given, "--rules", "zero", "--target", "mad", *page), "'mad'")
    refused(run(*given, "--method", "", *page), "shap; got ''")


def test_report_against_another_model(run: Run) -> None:
    outcome = run("report", "20newsgroups-cnn", "sample", "--against", "20newsgroups-boe", "-o", "c.html")
    assert outcome == (0, "wrote c.html\n", "")
    page = Path("c.html").read_text()
    assert page.count('<details id="d') == 80
    assert "20newsgroups-cnn vs. 20newsgroups-boe" in page
    assert "documents have the same predicted class" in page
    distances = [float(found) for found in re.findall(r'class="far"><span class="num">(.*?)<', page)]
    assert distances == sorted(distances, reverse=True)
    assert len(page.encode()) < 3_000_000


def test_report_against_a_rule_a_method_and_other_classes(models: Path, run: Run) -> None:
    table = "text,label\nthe doctor gave me a pill,med\nthe moon and the rocket,space\n"
    Path("some.csv").write_text(table)

    def page(model: str, *arguments: object) -> str:
        outcome = run("report", models / model, "some.csv", *arguments, "-o", "c.html")
        assert (outcome.code, outcome.err) == (0, "")
        return Path("c.html").read_text()

    assert "LRP-ε (ε = 1e-06) vs. LRP-γ (γ = 0.25)" in page("boe", "--against-rule", "gamma")
    assert "LRP-0 vs. Occlusion" in page("boe", "--rule", "zero", "--against-method", "occlusion")
    assert "do not have the same classes" in page("boe", "--against", models / "two")
    assert "Both sides explain the score of med." in page("boe", "--against", models / "two", "--target", "med")
    assert "<bdi>the doctor" in page("boe", "--rule", "gamma", "--target", "space")
    Path("some.csv").unlink()
    Path("c.html").unlink()


def test_what_does_not_fit_a_comparison_is_refused(
    models: Path, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = tmp_path_factory.mktemp("table") / "some.csv"
    table.write_text("text\nthe doctor gave me a pill\n")
    given = ("report", models / "boe", table, "-o", "c.html")
    refused(run(*given, "--against", "nothing"), "'nothing'")
    refused(run(*given, "--against-rule", "gama"), "'gama'", "'gamma'")
    refused(run(*given, "--against-method", "lima"), "'lime'")
    refused(run(*given, "--against-rule", "zero", "--against-method", "lime"), "rules belong to LRP")
    refused(run(*given, "--against-method", "grad-cam"), "needs a CNNClassifier")
    refused(run(*given, "--against", models / "two", "--target", "space"), "'space'")
    refused(run(*given, "--against-rule", "zero", "--target", "med", "--target", "space"), "must be given once")
    refused(run("report", models / "boe", table, "--against-rule", "zero", "-o", "c.txt"), "must end in .html")
    empty = table.with_name("empty.csv")
    empty.write_text("text\n")
    refused(run("report", models / "boe", empty, "--against-rule", "zero", "-o", "c.html"))


def test_the_toys_have_the_classes_that_are_named_here() -> None:
    assert NAMES == ("autos", "med", "space")
