from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import textlrp
from textlrp.cli.demonstration import choose_posts, demo
from textlrp.cli.explained_files import write_explanations
from textlrp.cli.predictions import PREDICTION_COLUMNS, Prediction, predict, write_predictions
from textlrp.cli.training_run import check_model_folder, new_model, train_corpus, vectors_of
from textlrp.errors import DataError, ModelError, OptionError, TargetError
from textlrp.explainers.named import explain_corpus
from textlrp.explanation import Explanation
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import CNNClassifier
from textlrp.models.loading import card
from textlrp.models.training import History
from textlrp.records import Document
from textlrp.store import read
from textlrp.text.corpora import Corpus
from textlrp.text.named_corpora import FileOptions, open_corpus, spread
from textlrp.text.vectors import Vectors

CARS = ["the car has a loud engine", "an old engine in a new car", "brakes and wheels of the car"]
DOCTORS = ["the doctor gave me a pill", "ask a doctor about the fever", "a pill against the fever"]
POSTS = [Document(f"d{n}", text, n % 2) for n, text in enumerate(itertools.chain(*zip(CARS, DOCTORS, strict=True)))]


def tiny(**options: object) -> CNNClassifier:
    settings = {"widths": (2,), "filters": 4, "embedding_dim": 5, "max_epochs": 2, "min_df": 1, "vectors": None}
    return CNNClassifier(**{**settings, **options})


@pytest.fixture(scope="module")
def cnn() -> TextClassifier:
    return tiny().fit(POSTS, [post.label for post in POSTS])


@pytest.fixture(scope="module")
def svm() -> TextClassifier:
    return new_model("svm").fit(POSTS, [post.label for post in POSTS])


def write_table(path: Path, rows: int = 20) -> Path:
    lines = [f"{'a car engine' if n % 2 else 'my doctor'} number {n},{'x' if n % 2 else 'y'}" for n in range(rows)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


# ---- reading


def test_a_corpus_is_opened_by_name_or_from_a_path(tmp_path: Path) -> None:
    assert len(open_corpus("sample", "test")) == 80
    assert len(open_corpus(write_table(tmp_path / "some.csv"), "test")) == 20


def test_a_name_takes_precedence_over_a_path_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample" / "x").mkdir(parents=True)
    (tmp_path / "sample" / "x" / "1").write_text("a car")
    monkeypatch.chdir(tmp_path)
    assert len(open_corpus("sample", "train")) == 180
    assert [document.text for document in open_corpus("./sample", "train")] == ["a car"]


def test_a_corpus_with_a_name_takes_no_columns() -> None:
    with pytest.raises(OptionError, match=r"the corpus 'sample' takes no options.*\./sample"):
        open_corpus("sample", "train", FileOptions(label="group"))
    assert len(open_corpus("sample", "test", FileOptions(split="train"))) == 180
    assert len(open_corpus("sample", "test", FileOptions(split="all"))) == 260
    with pytest.raises(
        OptionError, match="the split of the corpus 'sample' must be one of train, test, all; got 'x'"
    ):
        open_corpus("sample", "train", FileOptions(split="x"))


def test_a_missing_corpus_lists_the_supported_formats_and_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file or folder.*\.parquet.*20newsgroups and sample"):
        open_corpus(tmp_path / "nowhere.csv", "train")


@given(total=st.integers(1, 60), limit=st.integers(1, 80))
def test_spread_is_even_in_order_and_never_above_the_limit(total: int, limit: int) -> None:
    documents = Corpus(lambda: (Document(str(n), "") for n in range(total)), name="numbers")
    taken = [int(document.id) for document in spread(documents, limit)]
    assert len(taken) == min(total, limit)
    steps = np.diff(taken)
    assert taken[0] == 0
    assert (steps > 0).all()
    assert not len(steps) or steps.max() - steps.min() <= 1
    assert total - taken[-1] <= -(-total // limit)


# ---- training


@pytest.mark.parametrize("kind", ["cnn", "boe", "svm"])
def test_a_new_model_is_the_default_one_with_its_seed_and_skip(kind: str) -> None:
    model = new_model(kind, seed=7, skip=("quotes",))
    default = type(model)(skip=("quotes",), random_state=7)
    assert model.kind == kind
    assert model.get_params() == default.get_params()


def test_epochs_and_vectors_are_for_the_networks_only() -> None:
    model = new_model("boe", epochs=3, vectors="some.vec")
    assert (model.get_params()["max_epochs"], model.get_params()["vectors"]) == (3, "some.vec")
    for options in ({"epochs": 3}, {"vectors": "some.vec"}):
        with pytest.raises(OptionError, match="svm has neither"):
            new_model("svm", **options)


def test_vectors_may_be_those_of_a_bundled_model(
    cnn: TextClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cnn.save(tmp_path / "m")
    monkeypatch.setattr("textlrp.cli.training_run.bundled", lambda: [str(folder)])
    vectors = new_model("cnn", vectors=str(folder)).get_params()["vectors"]
    assert isinstance(vectors, Vectors)
    assert vectors.words == cnn.vocabulary_.words


def test_a_bag_of_words_has_no_vectors(svm: TextClassifier, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="bag of words"):
        vectors_of(str(svm.save(tmp_path / "m")))


def test_an_unknown_kind_lists_the_three_kinds() -> None:
    with pytest.raises(OptionError, match="model must be one of cnn, boe, svm, encoder; got 'rnn'"):
        new_model("rnn")


def test_training_saves_a_model_with_the_same_scores_and_a_card(tmp_path: Path) -> None:
    lines: list[str] = []
    done = train_corpus(
        write_table(tmp_path / "some.csv", 40),
        tmp_path / "deep" / "m",
        model=tiny(validation_fraction=0.2, random_state=3),
        log=lines.append,
    )
    texts = [CARS[0], DOCTORS[0]]
    loaded = textlrp.load(tmp_path / "deep" / "m")
    np.testing.assert_array_equal(loaded.decision_function(texts), done.model.decision_function(texts))
    assert (done.documents, done.test_accuracy) == (40, None)
    assert done.held_out_accuracy == max(done.model.history_.accuracies)
    assert card(done.path) == {
        "corpus": "some.csv",
        "documents": 40,
        "seed": 3,
        "held_out_accuracy": done.held_out_accuracy,
        "test_accuracy": None,
    }
    assert lines[0] == "read 40 texts of 2 classes from some.csv"
    assert [line.split()[0] for line in lines] == ["read", "trained", "accuracy", "saved"]


def test_the_held_out_accuracy_is_that_of_the_epoch_kept(
    cnn: TextClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cnn, "history_", History(5, (0.2, 0.9, 0.4), 2))
    monkeypatch.setattr(type(cnn), "fit", lambda self, X, y: self)
    done = train_corpus(write_table(tmp_path / "some.csv"), tmp_path / "m", model=cnn)
    assert done.held_out_accuracy == 0.9


def test_a_corpus_with_a_test_part_is_measured_on_it(tmp_path: Path) -> None:
    done = train_corpus("sample", tmp_path / "m", model=new_model("svm"))
    test = textlrp.load_sample_posts("test")
    assert done.held_out_accuracy is None
    assert done.test_accuracy == pytest.approx(done.model.score(test.documents, test.labels))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("text\na\nb\n", "has no labels to train on"),
        ("text,label\na,x\nb,\nc,y\n", "the label of document '2' is missing"),
        ("text,label\na,x\nb,\nc,\n", r"the label of document '2' \(and of 1 more\) is missing"),
        ("text,label\na,x\nb,x\n", "at least two classes"),
    ],
)
def test_labels_that_are_missing_or_all_the_same(tmp_path: Path, rows: str, sentence: str) -> None:
    (tmp_path / "some.csv").write_text(rows)
    with pytest.raises(DataError, match=sentence):
        train_corpus(tmp_path / "some.csv", tmp_path / "m", model=tiny())
    assert not (tmp_path / "m").exists()


def test_the_expected_duration_of_a_training_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textlrp.models.training.MIN_LOGGED_SECONDS", 0.0)
    lines: list[str] = []
    train_corpus(write_table(tmp_path / "some.csv", 40), tmp_path / "m", model=tiny(), log=lines.append)
    assert [line.split()[0] for line in lines][:3] == ["read", "epoch", "trained"]
    assert re.fullmatch(r"epoch 1 of at most \d+ took \d+\.\d s; at most about \d+ s remain", lines[1])


def test_a_place_that_cannot_take_a_model_is_refused_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    for place in ("full", "full/letter.txt", "full/letter.txt/m"):
        with pytest.raises(ModelError, match=r"contains files that textlrp did not write|is a file"):
            train_corpus(tmp_path / "not read", tmp_path / place, model=tiny())


def test_a_folder_without_permission_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ModelError, match="is not writable"):
        check_model_folder(tmp_path / "m")


# ---- predicting


@pytest.mark.parametrize("name", ["cnn", "svm"])
def test_predictions_are_those_of_the_model(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name)
    documents = [*POSTS, Document("empty", ""), Document("unknown", "xyzzy", 1)]
    found = list(predict(model, documents))
    assert [p.id for p in found] == [d.id for d in documents]
    assert [p.predicted for p in found] == model.predict(documents).tolist()
    assert [p.true_label for p in found] == [d.label for d in documents]
    if name == "cnn":
        assert np.allclose([p.probability for p in found], model.predict_proba(documents).max(axis=1))
    else:
        assert {p.probability for p in found} == {None}
    whys = list(textlrp.explain(model, documents))
    assert [p.score for p in found] == pytest.approx([float(why.scores.max()) for why in whys], rel=1e-6)


def test_predicting_is_lazy(cnn: TextClassifier) -> None:
    endless = (Document(str(n), "the car") for n in itertools.count())
    assert [p.id for p in itertools.islice(predict(cnn, endless), 3)] == ["0", "1", "2"]


def test_correct_compares_labels_as_text() -> None:
    assert Prediction("a", 3, 0.0, None, "3").correct is True
    assert Prediction("a", "x", 0.0, None, "y").correct is False
    assert Prediction("a", "x", 0.0, None, None).correct is None


def test_prediction_files(cnn: TextClassifier, svm: TextClassifier, tmp_path: Path) -> None:
    odd = [Document('a,"b"\nc', "the car")]
    write_predictions(predict(svm, odd), tmp_path / "p.csv")
    header, row = (tmp_path / "p.csv").read_text().split("\n", 1)
    assert header == "id,predicted,score,probability"
    assert row.startswith('"a,""b""\nc",0,')
    assert row.endswith(",\n")
    write_predictions(predict(cnn, odd), tmp_path / "p.jsonl")
    (prediction,) = predict(cnn, odd)
    (line,) = (tmp_path / "p.jsonl").read_text().splitlines()
    assert json.loads(line) == {name: getattr(prediction, name) for name in PREDICTION_COLUMNS}
    with pytest.raises(DataError, match=r"\.jsonl or \.csv"):
        write_predictions([], tmp_path / "p.xml")


def test_interrupted_predictions_leave_no_file(cnn: TextClassifier, tmp_path: Path) -> None:
    def broken() -> Iterator[Prediction]:
        yield from predict(cnn, POSTS[:1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(broken(), tmp_path / "p.csv")
    assert list(tmp_path.iterdir()) == []


# ---- explaining


@pytest.mark.parametrize(
    ("labels", "name", "meant"),
    [([1, 2], "2", 2), ([False, True], "True", True), (["x", "y"], "y", "y"), (["all", "y"], "all", "all")],
)
def test_classes_are_found_by_their_text(labels: list[object], name: str, meant: object) -> None:
    model = new_model("svm").fit(POSTS, labels * 3)
    (why,) = explain_corpus(model, POSTS[:1], targets=[name])
    assert [why.labels[int(str(target))] for target in why.targets] == [str(meant)]


def test_targets_and_the_contrast(cnn: TextClassifier) -> None:
    def targets(*names: str, versus: str | None = None) -> tuple[object, ...]:
        (why,) = explain_corpus(cnn, POSTS[:1], targets=names, versus=versus)
        return why.targets

    assert targets() == (cnn.predict(POSTS[:1])[0],)
    assert targets("1") == (1,)
    assert targets("1", "0") == (1, 0)
    assert targets("all") == (0, 1)
    assert targets("1", versus="0") == ((1, 0),)
    with pytest.raises(OptionError, match=r"versus must be used with a target.*got versus='0'"):
        targets(versus="0")
    with pytest.raises(TargetError, match="got '7'"):
        targets("7")


def test_the_rule_is_passed_on(cnn: TextClassifier) -> None:
    (zero,) = explain_corpus(cnn, POSTS[:1], rule="zero")
    assert zero.rule == "Zero()"


def test_one_document_becomes_its_page_and_several_a_list(cnn: TextClassifier, tmp_path: Path) -> None:
    def page(documents: list[Document]) -> str:
        return write_explanations(explain_corpus(cnn, documents), tmp_path / "w.html").read_text()

    assert page(POSTS[:1]).count('class="reading"') < page(POSTS).count('class="reading"') == len(POSTS)
    assert page([]).count('class="reading"') == 0
    assert all(post.text.split()[1] in page(POSTS) for post in POSTS)


def test_explanation_files(cnn: TextClassifier, tmp_path: Path) -> None:
    def ids(explanations: Iterator[Explanation]) -> list[str]:
        return [why.document_id for why in explanations]

    for name in ("w.jsonl", "w.parquet"):
        assert ids(read(write_explanations(explain_corpus(cnn, POSTS), tmp_path / name))) == [
            post.id for post in POSTS
        ]
    with pytest.raises(DataError, match=r"\.html or \.jsonl or \.parquet"):
        write_explanations([], tmp_path / "w.pdf")
    with pytest.raises(DataError, match="does not exist"):
        write_explanations([], tmp_path / "no" / "w.html")


# ---- the demo


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo without 20 Newsgroups, on a quarter of the sample posts, with a tiny net."""

    def nothing(subset: str) -> Corpus:
        raise DataError("20 Newsgroups is not on this machine")

    def quarter(subset: str) -> Corpus:
        return textlrp.load_sample_posts(subset)[::4]  # type: ignore[arg-type]

    words = Vectors(("god", "car", "doctor"), np.eye(3, 5, dtype=np.float32))
    monkeypatch.delenv("TEXTLRP_20NEWS", raising=False)
    monkeypatch.setattr("textlrp.cli.demonstration.load_20newsgroups", nothing)
    monkeypatch.setattr("textlrp.cli.demonstration.load_sample_posts", quarter)
    monkeypatch.setattr("textlrp.cli.demonstration.starting_vectors", lambda: words)
    monkeypatch.setattr("textlrp.cli.demonstration.SAMPLE_SETTINGS", {"filters": 3, "max_epochs": 1, "min_df": 1})


@pytest.mark.usefixtures("small_demo")
def test_without_20_newsgroups_the_demo_uses_the_sample_posts_and_logs_it(tmp_path: Path) -> None:
    lines: list[str] = []
    done = demo(tmp_path / "new" / "page.html", log=lines.append)
    assert lines[0].startswith(
        "20 Newsgroups is not on this machine and cannot be downloaded. The demo uses the sample"
    )
    assert lines[-1].startswith(f"wrote {done.path}: ")
    page = done.path.read_text()
    assert re.search(r"Sample posts: test accuracy \d+\.\d ?% \(\d+ of 20\)\. \d+ documents shown\.", page)
    assert page.count('class="reading"') == len(done.shown) > 0
    assert all(prediction.id in page for prediction in done.shown)
    assert 0 <= done.accuracy <= 1


@pytest.mark.usefixtures("small_demo")
def test_the_demo_is_reproducible(tmp_path: Path) -> None:
    first, second = (demo(tmp_path / f"{n}.html", seed=5) for n in range(2))
    assert first.shown == second.shown
    assert first.path.read_bytes() == second.path.read_bytes()


def test_an_incorrect_prediction_is_explained_together_with_the_true_label(
    small_demo: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Explanation] = []

    def watched(explanations: Iterator[Explanation], path: Path, **options: object) -> Path:
        seen.extend(explanations)
        return path

    monkeypatch.setattr("textlrp.cli.demonstration.write_report", watched)
    done = demo(tmp_path / "page.html")
    assert not all(prediction.correct for prediction in done.shown)
    for why, prediction in zip(seen, done.shown, strict=True):
        names = dict.fromkeys((str(prediction.predicted), str(prediction.true_label)))
        assert list(why.target_names) == list(names)


def test_an_archive_named_by_the_user_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTLRP_20NEWS", str(tmp_path / "nowhere.tar.gz"))
    with pytest.raises(DataError, match=r"file not found: .*nowhere\.tar\.gz"):
        demo(tmp_path / "page.html")


def test_the_demo_uses_20_newsgroups_if_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, numbers in (("train", range(12)), ("test", range(12, 16))):
        for group, text in (("rec.autos", CARS[0]), ("sci.med", DOCTORS[0])):
            folder = tmp_path / f"20news-bydate-{part}" / group
            folder.mkdir(parents=True)
            for number in numbers:
                (folder / str(number)).write_text(f"From: me\n\n{' '.join([text] * 25)} {number}\n")
    monkeypatch.setenv("TEXTLRP_20NEWS", str(tmp_path))
    monkeypatch.setattr(
        "textlrp.cli.demonstration.CNNClassifier", partial(CNNClassifier, embedding_dim=5, filters=4, max_epochs=2)
    )
    lines: list[str] = []
    done = demo(tmp_path / "page.html", log=lines.append)
    assert lines[0] == "training a CNN on 24 posts of 20 Newsgroups (2 classes) ..."
    assert done.corpus == "20newsgroups-test"


def test_the_demo_checks_its_output_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot create the folder"):
        demo(tmp_path / "file" / "page.html")
    with pytest.raises(DataError, match=r"must end in \.html"):
        demo(tmp_path / "new" / "page.pdf")
    assert not (tmp_path / "new").exists()


@given(
    posts=st.lists(
        st.tuples(st.integers(0, 15), st.booleans(), st.floats(0, 1), st.sampled_from([10, 800, 4000])), max_size=60
    )
)
def test_chosen_posts_are_readable_and_of_distinct_groups(
    posts: list[tuple[int, bool, float, int]],
) -> None:
    documents = [Document(str(n), "x" * length, group) for n, (group, _, _, length) in enumerate(posts)]
    predictions = [
        Prediction(str(n), group if correct else group + 1, 0.0, probability, group)
        for n, (group, correct, probability, _) in enumerate(posts)
    ]
    chosen = choose_posts(documents, predictions)
    groups = [posts[n][0] for n in chosen]
    incorrect = [n for n in chosen if not posts[n][1]]
    assert chosen == sorted(set(chosen))
    assert len(groups) == len(set(groups)) <= 12
    assert all(posts[n][3] == 800 for n in chosen)
    readable = [(group, p) for group, correct, p, length in posts if not correct and length == 800]
    assert len(incorrect) == min(3, len({group for group, _ in readable}))
    if incorrect:
        assert max(posts[n][2] for n in incorrect) == max(p for _, p in readable)
