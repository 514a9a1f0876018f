"""EncoderClassifier: training on cached embeddings, the saved folder, options, explanations."""

from __future__ import annotations

import json
import pickle
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import textlrp
from textlrp import EncoderClassifier
from textlrp.errors import DataError, MissingExtraError, ModelError, OptionError
from textlrp.records import Document, Status

pytest.importorskip("transformers")
from tiny_encoders import LABELS, LONG, TEXTS, save_encoder

from textlrp.models.encoders import embedding, embedding_cache
from textlrp.models.encoders.embedding_cache import EmbeddingCache
from textlrp.models.encoders.pooled_encoder import PooledEncoder
from textlrp.models.encoders.sentence_encoder import load_encoder

pytestmark = pytest.mark.transformers

READ = [*TEXTS[:3], LONG, "", "From: cat@mat\nSubject: dog\n\nwater on a planet", "the"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXTLRP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="module")
def fitted(encoder: Path) -> EncoderClassifier:
    return EncoderClassifier(encoder=encoder, C=1e4, cache=False).fit([*TEXTS, LONG], [*LABELS, "science"])


@pytest.fixture
def read_windows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of windows of each call of an encoder."""
    calls: list[int] = []
    pool = PooledEncoder.pool

    def counted(self: PooledEncoder, input_ids: Any, *rest: Any) -> Any:
        calls.append(len(input_ids))
        return pool(self, input_ids, *rest)

    monkeypatch.setattr(PooledEncoder, "pool", counted)
    return calls


# ---- training and scores


def test_learns(fitted: EncoderClassifier) -> None:
    assert fitted.score(TEXTS, LABELS) > 0.9
    assert fitted.classes_.tolist() == sorted(set(LABELS))
    assert fitted.n_documents_ == len(TEXTS) + 1
    assert "cat" in fitted.vocabulary_


@pytest.mark.parametrize(
    ("head", "estimator"),
    [
        ("logistic", LogisticRegression(C=3.0, max_iter=1000)),
        ("svm", LinearSVC(C=3.0, random_state=0)),
        (RidgeClassifier(), RidgeClassifier()),
    ],
)
@pytest.mark.parametrize("classes", [2, 3])
def test_scores_are_those_of_the_head_on_embeddings(encoder: Path, head: Any, estimator: Any, classes: int) -> None:
    texts, labels = TEXTS[: 4 * classes], LABELS[: 4 * classes]
    model = EncoderClassifier(encoder=encoder, head=head, C=3.0 if isinstance(head, str) else None, dtype="float64")
    model.fit(texts, labels)
    loaded = load_encoder(encoder)
    module = loaded.module.double()
    batch = model.encode(texts)
    inner = model.encoder_model()
    vectors = embedding.embed_group(
        module, inner.batches, inner.windows_of(batch, batch.texts()), special=2, together=64
    ).numpy()
    estimator.fit(vectors, labels)
    assert np.abs(model.decision_function(texts) - estimator.decision_function(vectors)).max() < 1e-8
    assert model.predict(texts).tolist() == estimator.predict(vectors).tolist()
    if hasattr(estimator, "predict_proba"):
        assert np.abs(model.predict_proba(texts) - estimator.predict_proba(vectors)).max() < 1e-8
    else:
        assert model.probabilities(np.zeros((1, classes))) is None
        with pytest.raises(AttributeError, match="head='logistic'"):
            model.predict_proba(texts)
    if classes == 2:
        scores = model.scores(batch)
        assert np.array_equal(scores[:, 0], -scores[:, 1])


def test_predictions_are_those_of_sentence_transformers(encoder: Path, fitted: EncoderClassifier) -> None:
    package = pytest.importorskip("sentence_transformers", exc_type=ImportError)
    theirs = package.SentenceTransformer(str(encoder), device="cpu")
    vectors = theirs.encode(TEXTS[:6])
    scores = vectors @ fitted.output_weight.T + fitted.output_bias
    assert np.abs(fitted.decision_function(TEXTS[:6]) - scores).max() < 1e-5
    by_object = clone(fitted).set_params(encoder=theirs).fit([*TEXTS, LONG], [*LABELS, "science"])
    assert by_object.fingerprint_ == fitted.fingerprint_


def test_same_seed_same_model(encoder: Path) -> None:
    models = [EncoderClassifier(encoder=encoder, cache=False).fit(TEXTS, LABELS) for _ in range(2)]
    assert {m.weights_["output.weight"].tobytes() for m in models} == {models[0].weights_["output.weight"].tobytes()}
    assert models[0].C_ == models[1].C_ in (1.0, 3.0, 10.0, 30.0)


def test_options_change_the_fingerprint(encoder: Path, fitted: EncoderClassifier, tmp_path: Path) -> None:
    other = save_encoder(tmp_path / "other", seed=1)
    labels = [*LABELS, "science"]
    prints = {fitted.fingerprint_}
    for options in ({"windows": False}, {"normalize": False}, {"max_length": 12}, {"encoder": other}, {"skip": ()}):
        prints.add(clone(fitted).set_params(**options).fit([*TEXTS, LONG], labels).fingerprint_)
    assert len(prints) == 6


def test_skipped_ranges_do_not_matter(fitted: EncoderClassifier) -> None:
    post = "From: cat@mat\nSubject: dog\n\nwater on a planet"
    document = Document("1", "cat cat water on a planet", skip=np.array([[0, 8]], dtype=np.int32))
    scores = fitted.decision_function([post, document, "water on a planet"])
    assert np.allclose(scores, scores[2], atol=1e-6)
    assert (fitted.encode([post]).status[0] == Status.SKIPPED).any()


# ---- explanations


def test_relevance_plus_absorbed_is_score(fitted: EncoderClassifier) -> None:
    for rule in (None, "epsilon", "gradient-x-input"):
        options: dict[str, Any] = {"method": rule} if rule == "gradient-x-input" else {"rule": rule}
        for why in textlrp.explain(fitted, READ, target="all", dtype="float64", **options):
            assert np.abs(why.scores - fitted.decision_function([why.text])[0]).max() < 1e-5
            if rule == "gradient-x-input":
                continue
            size = np.abs(why.relevance).sum(axis=1) + sum(np.abs(entry) for entry in why.ledger.values())
            assert (np.abs(why.relevance.sum(axis=1) + why.absorbed - why.scores) / size).max() < 1e-12
            assert not why.relevance[:, why.status != Status.READ].any()


def test_batch_is_single_texts(fitted: EncoderClassifier) -> None:
    together = list(textlrp.explain(fitted, READ, target="all"))
    for text, why in zip(READ, together, strict=True):
        alone = textlrp.explain(fitted, text, target="all")
        assert np.abs(alone.relevance - why.relevance).max(initial=0) < 1e-5


def test_counts_are_training_documents(fitted: EncoderClassifier) -> None:
    why = textlrp.explain(fitted, "the cat zebra")
    assert why.counts.tolist() == [sum("the" in text.lower().split() for text in [*TEXTS, LONG]), 3, 0]


# ---- the cache


def test_embeddings_are_computed_once(encoder: Path, read_windows: list[int], own_cache: Path) -> None:
    first = EncoderClassifier(encoder=encoder, head="svm").fit([*TEXTS, *TEXTS], [*LABELS, *LABELS])
    assert sum(read_windows) <= len(TEXTS) + 4  # equal texts are read once; two calls try how to pad
    count = len(read_windows)
    second = EncoderClassifier(encoder=encoder, head="svm").fit([*TEXTS, *TEXTS], [*LABELS, *LABELS])
    assert len(read_windows) == count
    assert first.weights_["output.weight"].tobytes() == second.weights_["output.weight"].tobytes()
    assert len(list(own_cache.iterdir())) == 1
    EncoderClassifier(encoder=encoder, normalize=False).fit(TEXTS, LABELS)
    assert len(list(own_cache.iterdir())) == 2


def test_cache_can_be_switched_off(encoder: Path, own_cache: Path) -> None:
    EncoderClassifier(encoder=encoder, cache=False).fit(TEXTS, LABELS)
    assert not own_cache.exists()


def test_interrupted_training_keeps_finished_groups(
    encoder: Path, read_windows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "TEXTS_STORED_TOGETHER", 4)
    write = EmbeddingCache.write
    groups: list[int] = []

    def interrupted(self: EmbeddingCache, keys: Any, vectors: Any) -> None:
        groups.append(len(keys))
        if len(groups) == 3:
            raise KeyboardInterrupt
        write(self, keys, vectors)

    monkeypatch.setattr(EmbeddingCache, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EncoderClassifier(encoder=encoder).fit(TEXTS, LABELS)
    monkeypatch.setattr(EmbeddingCache, "write", write)
    read_windows.clear()
    EncoderClassifier(encoder=encoder).fit(TEXTS, LABELS)
    assert sum(read_windows) == len(TEXTS) - 8 + 3  # 8 of 12 texts were stored; three windows try how to pad


def test_damaged_cache_is_not_used(encoder: Path, own_cache: Path) -> None:
    first = EncoderClassifier(encoder=encoder, C=1.0).fit(TEXTS, LABELS)
    (file,) = own_cache.iterdir()
    with sqlite3.connect(file) as database:
        database.execute("UPDATE embeddings SET vector = zeroblob(length(vector))")
    again = EncoderClassifier(encoder=encoder, C=1.0).fit(TEXTS, LABELS)
    assert np.allclose(first.output_weight, again.output_weight, atol=1e-4)
    for content in (b"no database at all, and long enough", b""):
        file.write_bytes(content)
        again = EncoderClassifier(encoder=encoder, C=1.0).fit(TEXTS, LABELS)
        assert np.allclose(first.output_weight, again.output_weight, atol=1e-4)


def test_cache_removes_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_cache, "MAX_CACHE_BYTES", 5 * 2 * 4)
    cache = EmbeddingCache({"encoder": "a"}, 2, "float32")
    keys = [bytes([n]) for n in range(8)]
    for n, key in enumerate(keys):
        cache.write([key], np.full((1, 2), n, dtype=np.float32))
    assert sorted(cache.read(keys)) == keys[3:]
    assert cache.read([keys[7]])[keys[7]].tolist() == [7, 7]
    assert not EmbeddingCache({"encoder": "b"}, 2, "float32").read(keys)


def test_writers_at_the_same_time(own_cache: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from textlrp.models.encoders.embedding_cache import EmbeddingCache\n"
        "cache, me = EmbeddingCache({'encoder': 'a'}, 2, 'float32'), int(sys.argv[1])\n"
        "for n in range(40):\n"
        "    cache.write([bytes([me, n])], np.full((1, 2), me, dtype=np.float32))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(me)]) for me in range(2)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    keys = [bytes([me, n]) for me in range(2) for n in range(40)]
    found = EmbeddingCache({"encoder": "a"}, 2, "float32").read(keys)
    assert {key: vector.tolist() for key, vector in found.items()} == {key: [key[0]] * 2 for key in keys}


def test_cache_that_cannot_be_written_is_ignored(encoder: Path, own_cache: Path) -> None:
    own_cache.parent.mkdir(parents=True)
    own_cache.write_text("a file in place of the folder")
    assert EncoderClassifier(encoder=encoder).fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.5


# ---- saving and loading


def same_results(one: EncoderClassifier, other: EncoderClassifier) -> bool:
    return (
        one.fingerprint_ == other.fingerprint_
        and one.decision_function(READ).tobytes() == other.decision_function(READ).tobytes()
        and one.predict_proba(READ).tobytes() == other.predict_proba(READ).tobytes()
        and one.vocabulary_.words == other.vocabulary_.words
        and one.C_ == other.C_
    )


def test_saved_and_loaded_byte_for_byte(fitted: EncoderClassifier, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "model")
    assert sorted(each.name for each in path.iterdir()) == ["config.json", "model.safetensors"]
    loaded = textlrp.load(path)
    assert isinstance(loaded, EncoderClassifier)
    assert same_results(fitted, loaded)
    again = loaded.save(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (path / name).read_bytes() == (again / name).read_bytes()
    assert same_results(fitted, pickle.loads(pickle.dumps(fitted)))
    assert len(pickle.dumps(fitted)) < 20_000  # the encoder is not part of it


def test_included_encoder_moves_with_the_model(fitted: EncoderClassifier, encoder: Path, tmp_path: Path) -> None:
    path = fitted.save(tmp_path / "model", include_encoder=True)
    fitted.save(path, include_encoder=True)  # replaces its own folder
    moved = shutil.move(path, tmp_path / "moved")
    loaded = textlrp.load(moved)
    assert Path(loaded.encoder) == tmp_path / "moved" / "encoder"
    assert same_results(fitted, loaded)
    (tmp_path / "moved" / "encoder" / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="contains files that textlrp did not write"):
        fitted.save(tmp_path / "moved")
    with pytest.raises(ModelError, match="its files have changed"):
        textlrp.load(tmp_path / "moved")


def test_encoder_passed_as_an_object(encoder: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("sentence_transformers", exc_type=ImportError)
    theirs = package.SentenceTransformer(str(encoder), device="cpu")
    model = EncoderClassifier(encoder=theirs, C=3.0).fit(TEXTS, LABELS)
    with pytest.raises(ModelError, match="include_encoder=True"):
        model.save(tmp_path / "model")
    loaded = textlrp.load(model.save(tmp_path / "model", include_encoder=True))
    assert same_results(model, loaded)


def test_missing_or_changed_encoder(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "encoder")
    model = EncoderClassifier(encoder=folder).fit(TEXTS, LABELS)
    path = model.save(tmp_path / "model")
    moved = shutil.move(folder, tmp_path / "moved")
    with pytest.raises(ModelError, match=r"encoder of the model must be in the folder .*; there is none"):
        textlrp.load(path)
    assert same_results(model, textlrp.load(path, encoder=moved))
    config = moved / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("24", "20"))
    with pytest.raises(ModelError, match="its files have changed"):
        textlrp.load(path, encoder=moved)
    (moved / "README.md").write_text("does not matter")
    config.write_text(config.read_text().replace("20", "24"))
    assert same_results(model, textlrp.load(path, encoder=moved))


def test_encoder_that_changes_after_training(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "encoder")
    model = EncoderClassifier(encoder=folder).fit(TEXTS, LABELS)
    copied = pickle.loads(pickle.dumps(model))  # without the loaded encoder
    save_encoder(tmp_path / "other", seed=1)
    shutil.copy(tmp_path / "other" / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(ModelError, match="its files have changed"):
        copied.predict(TEXTS)
    with pytest.raises(ModelError, match="has changed since the training"):
        model.save(tmp_path / "model", include_encoder=True)


@pytest.mark.parametrize(
    "about", [None, [], {}, {"digest": 1}, {"link": "cosine"}, {"folder": 3}, {"C": "high"}, {"files": None}]
)
def test_damaged_field_about_the_encoder(fitted: EncoderClassifier, tmp_path: Path, about: Any) -> None:
    path = fitted.save(tmp_path / "model")
    config = json.loads((path / "config.json").read_text())
    config["encoder"] = {**config["encoder"], **about} if isinstance(about, dict) and about else about
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"is damaged: encoder in config\.json must have"):
        textlrp.load(path)


def test_own_estimator_is_not_stored(encoder: Path, tmp_path: Path) -> None:
    model = EncoderClassifier(encoder=encoder, head=LogisticRegression(C=5.0)).fit(TEXTS, LABELS)
    loaded = textlrp.load(model.save(tmp_path / "model"))
    assert same_results(model, loaded)
    with pytest.raises(OptionError, match="head must be 'logistic', 'svm' or a linear classifier"):
        loaded.fit(TEXTS, LABELS)


def test_encoder_belongs_to_encoder_classifiers(fitted: EncoderClassifier, encoder: Path, tmp_path: Path) -> None:
    bag = textlrp.BagOfWordsClassifier().fit(TEXTS, LABELS).save(tmp_path / "bag")
    with pytest.raises(OptionError, match="encoder must be None for a model of kind svm"):
        textlrp.load(bag, encoder=encoder)
    with pytest.raises(OptionError, match="tokenizer must be None for a model of kind encoder"):
        textlrp.load(fitted.save(tmp_path / "model"), tokenizer=str.split)


# ---- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": None}, "encoder must be the folder of a SentenceTransformer"),
        ({"encoder": 3}, "encoder must be the folder of a SentenceTransformer, or a SentenceTransformer; got 'int'"),
        ({"encoder": "no/such/folder"}, "which has a modules.json; got 'no/such/folder'"),
        ({"head": "tree"}, "head must be 'logistic', 'svm' or a linear classifier"),
        ({"head": 3}, "got a int"),
        ({"head": LinearSVC(), "C": 1.0}, "C must be None with an estimator as head"),
        ({"head": LinearSVC(), "class_weight": "balanced"}, "class_weight must be None with an estimator"),
        ({"C": 0}, "C must be a finite number > 0"),
        ({"windows": 1}, "windows must be True or False"),
        ({"normalize": "l2"}, "normalize must be True or False"),
        ({"max_length": 0}, "max_length must be a whole number >= 1"),
        ({"max_length": 2}, "max_length must be more than the 2 special tokens"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"cache": "yes"}, "cache must be True or False"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64'"),
        ({"skip": ("header",)}, "skip must contain only"),
        ({"random_state": -1}, "random_state must be"),
        ({"class_weight": "even"}, "class_weight must be"),
    ],
)
def test_refused_options(encoder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        EncoderClassifier(**{"encoder": encoder, **options}).fit(TEXTS, LABELS)
    assert message in str(caught.value)


def test_refused_data(encoder: Path) -> None:
    for several in ([[label] for label in LABELS], np.eye(len(TEXTS), 2, dtype=int)):
        with pytest.raises(
            DataError, match="y must have one label for each text, because an EncoderClassifier is not"
        ):
            EncoderClassifier(encoder=encoder).fit(TEXTS, several)
    with pytest.raises(OptionError, match="classes must be None"):
        EncoderClassifier(encoder=encoder).fit(TEXTS, LABELS, classes=["a", "b"])
    with pytest.raises(DataError, match="none of the 2 texts has a word"):
        EncoderClassifier(encoder=encoder).fit(["", " "], ["a", "b"])
    with pytest.raises(ModelError, match="head must be linear in the embedding; got a DecisionTreeClassifier"):
        EncoderClassifier(encoder=encoder, head=DecisionTreeClassifier()).fit(TEXTS, LABELS)
    with pytest.raises(NotFittedError):
        EncoderClassifier(encoder=encoder).predict(TEXTS)


def test_few_texts_of_a_class(encoder: Path) -> None:
    model = EncoderClassifier(encoder=encoder).fit(TEXTS[3:6], LABELS[3:6])  # one text of a class
    assert model.C_ == 3.0


def test_scikit_face(encoder: Path) -> None:
    model = EncoderClassifier(encoder=encoder, head="svm", skip=("quotes",))
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert "head='svm'" in repr(model)
    assert model.set_params(max_length=9).max_length == 9


def test_missing_extra(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'textlrp\[transformers\]'"):
        EncoderClassifier(encoder=encoder).fit(TEXTS, LABELS)
