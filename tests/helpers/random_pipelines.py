"""Random fitted scikit-learn models of texts or of tables, and their own scores in terms of scikit-learn alone.

Open it to test that any model which a user may fit is explained exactly or refused. It imports nothing from textlrp.

Letters: N texts, J features, C classes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import ensemble, feature_selection, linear_model, model_selection, multiclass, multioutput, naive_bayes
from sklearn import preprocessing as scaling
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.random_projection import GaussianRandomProjection
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier
from toys import SENTENCES

TEXTS = [text for texts in SENTENCES.values() for text in texts]
TOPICS = np.repeat(np.arange(3), 8)
READ = [
    "the car and the doctor saw a zebra",
    "",
    "quux xylophone",
    "Rocket, ROCKET! the moon-probe's Éngine, naïve café 42",
    "  \n\tthe\u0301 pill pill  pill ",
    TEXTS[0] + " " + TEXTS[20],
    TEXTS[9],
]
"""Texts to explain: known words, none, only unknown ones, repeated ones, accents, upper case and a long one."""
LABELS: dict[str, tuple[Any, ...]] = {
    "strings": ("autos", "med", "space"),
    "separators": ("a,b; c", "a|b/\n", "<b>&\t "),
    "numbers": (-1, 1, 7),
    "unordered": (3, 0, 1),
    "bools": (True, False, True),
    "floats": (1.0, -2.0, 3.0),
    "objects": (np.array(["x", "y", "z"], dtype=object)),
    "one letter": ("", "0", "1"),
}
"""Labels of the topics; three topics of two labels make two classes."""


class Model(NamedTuple):
    """A fitted ``estimator`` and its inputs to explain: texts or a table."""

    estimator: Any
    inputs: Any


# ---- callables of users


def upper_case(text: str) -> str:
    return text.upper()


def without_digits(text: str) -> str:
    return re.sub(r"\d+", " ", text.lower())


def pairs_of_words(text: str) -> list[str]:
    return re.findall(r"\w+ \w+", text)


def split_at_blanks(text: str) -> list[str]:
    return text.split()


def words_with_marks(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def to_dense(X: Any) -> Any:
    return X.toarray() if hasattr(X, "toarray") else X


def doubled(X: Any) -> Any:
    return X * 2


def best_index(results: Any) -> int:
    return int(np.argmin(results["rank_test_score"]))


# ---- the grammar


class Grammar:
    """Draws unfitted parts of models; ``draw`` decides everything."""

    def __init__(self, draw: np.random.Generator) -> None:
        self.draw = draw

    def one(self, *values: Any) -> Any:
        """One of several values."""
        return values[int(self.draw.integers(len(values)))]

    def maybe(self, chance: float) -> bool:
        """True with this probability."""
        return bool(self.draw.random() < chance)

    def vectorizer(self) -> Any:
        """A vectorizer with random options."""
        kind = self.one(CountVectorizer, TfidfVectorizer, TfidfVectorizer, HashingVectorizer)
        options: dict[str, Any] = {"dtype": self.one(np.float64, np.float64, np.float32)}
        if self.maybe(0.4):
            options["strip_accents"] = self.one("ascii", "unicode")
        analyzer = self.one("word", "word", "word", "char", "char_wb", "callable")
        if analyzer == "callable":
            options["analyzer"] = self.one(split_at_blanks, pairs_of_words, words_with_marks)
        else:
            low = self.one(1, 1, 2)
            options |= {"analyzer": analyzer, "ngram_range": (low, low + self.one(0, 1, 1))}
            if self.maybe(0.3):
                options["preprocessor"] = self.one(str.lower, upper_case, without_digits)
            options["lowercase"] = self.maybe(0.8)
            if analyzer == "word" and self.maybe(0.3):
                options |= {"tokenizer": self.one(split_at_blanks, words_with_marks), "token_pattern": None}
            elif analyzer == "word" and self.maybe(0.3):
                options["token_pattern"] = self.one(r"(?u)\b\w+\b", r"\S+", r"(\w)\w*")
            if analyzer == "word" and self.maybe(0.3):
                options["stop_words"] = self.one("english", ["the", "car"])
        options["binary"] = self.maybe(0.2)
        if kind is HashingVectorizer:
            options |= {"n_features": self.one(16, 64, 1 << 12), "alternate_sign": self.maybe(0.5)}
            return kind(norm=self.one("l2", "l1", None), **options)
        if analyzer == "word" and self.maybe(0.2):
            options["vocabulary"] = self.one(
                ["car", "the", "moon", "rocket", "the car"], {"pill": 1, "car": 0, "orbit": 2}
            )
        elif self.maybe(0.4):
            options |= {"min_df": self.one(1, 2), "max_df": self.one(1.0, 0.9), "max_features": self.one(None, 40)}
        if kind is TfidfVectorizer:
            options |= {
                "norm": self.one("l2", "l1", None), "sublinear_tf": self.maybe(0.3), "use_idf": self.maybe(0.8),
                "smooth_idf": "vocabulary" in options or self.maybe(0.7),
            }  # fmt: skip
        return kind(**options)

    def features(self) -> Any:
        """What turns texts into features."""
        if self.maybe(0.75):
            return self.vectorizer()
        parts = [("words", self.vectorizer()), ("chars", make_pipeline(self.vectorizer(), *self.steps(0.3)))]
        parts += [("gone", "drop")] * self.maybe(0.2)
        return FeatureUnion(parts, transformer_weights=self.one(None, {"words": 0.5}))

    def table(self) -> ColumnTransformer:
        """What turns a table into features."""
        columns = [
            ("title", self.features(), "title"),
            ("body", make_pipeline(self.features(), *self.steps(0.3)), self.one("body", 1)),
            ("price", self.one(scaling.StandardScaler(), "passthrough", scaling.MinMaxScaler()), ["price", "year"]),
            ("color", scaling.OneHotEncoder(handle_unknown="ignore"), self.one(["color"], [4])),
            ("gone", "drop", ["year"]),
        ]
        chosen = [columns[n] for n in sorted(self.draw.choice(5, self.one(2, 3, 4), replace=False))]
        weights = self.one(None, {chosen[0][0]: 2.0})
        return ColumnTransformer(chosen or columns[:1], transformer_weights=weights)

    def steps(self, chance: float) -> list[Any]:
        """Steps between vectorizer and classifier; each further one with probability ``chance``."""
        found: list[Any] = []
        while self.maybe(chance):
            found += [self.one(*_OTHER_STEPS)(self)] if self.maybe(0.03) else self.one(*_STEPS)(self)
        return found

    def plain(self) -> Any:
        """A classifier that consists of no others."""
        return self.one(*(_OTHER_CLASSIFIERS if self.maybe(0.04) else _PLAIN))(self)

    def classifier(self, depth: int = 2) -> Any:
        """A classifier, which may consist of others."""
        if depth == 0 or self.maybe(0.45):
            return self.plain()
        return self.one(*_COMBINED)(self, depth - 1)

    def member(self, depth: int) -> Any:
        """A classifier within another one, perhaps after steps of its own."""
        classifier = self.classifier(depth)
        return make_pipeline(*self.steps(0.5), classifier) if self.maybe(0.2) else classifier

    def searched(self, estimator: Any) -> Any:
        """A search over nothing: its best estimator is the estimator, fitted on everything."""
        return self.one(
            lambda: model_selection.GridSearchCV(estimator, {}, cv=2),
            lambda: model_selection.RandomizedSearchCV(estimator, {}, n_iter=1, cv=2),
            lambda: model_selection.GridSearchCV(estimator, {}, cv=2, scoring=["accuracy"], refit="accuracy"),
            lambda: model_selection.GridSearchCV(estimator, {}, cv=2, refit=best_index),
            lambda: model_selection.HalvingGridSearchCV(estimator, {}, cv=2, min_resources=16, random_state=0),
        )()


_Part = Callable[[Grammar], Any]
_STEPS: tuple[Callable[[Grammar], list[Any]], ...] = (
    lambda g: [TfidfTransformer(norm=g.one("l2", "l1", None), sublinear_tf=g.maybe(0.3))],
    lambda g: [feature_selection.SelectKBest(feature_selection.f_classif, k=g.one(3, 8, "all"))],
    lambda g: [feature_selection.SelectPercentile(feature_selection.f_classif, percentile=60)],
    lambda g: [feature_selection.VarianceThreshold()],
    lambda g: [feature_selection.SelectFromModel(LinearSVC(random_state=0), max_features=5)],
    lambda g: [scaling.MaxAbsScaler()],
    lambda g: [scaling.StandardScaler(with_mean=False)],
    lambda g: [scaling.FunctionTransformer(to_dense, accept_sparse=True), scaling.StandardScaler()],
    lambda g: [scaling.FunctionTransformer(to_dense), scaling.MinMaxScaler(g.one((0, 1), (-1, 2)))],
    lambda g: [TruncatedSVD(g.one(2, 4), random_state=0)],
    lambda g: [TruncatedSVD(3, random_state=0), scaling.Normalizer(copy=False)],
    lambda g: [PCA(g.one(2, 3), whiten=g.maybe(0.3), random_state=0)],
    lambda g: [GaussianRandomProjection(5, random_state=0)],
    lambda g: [scaling.Normalizer(g.one("l1", "l2", "max"))],
    lambda g: ["passthrough"],
    lambda g: [scaling.FunctionTransformer()],
    lambda g: [FeatureUnion([("same", "passthrough"), ("few", TruncatedSVD(2, random_state=0))])],
)
_OTHER_STEPS: tuple[_Part, ...] = (
    lambda g: scaling.FunctionTransformer(doubled, accept_sparse=True),
    lambda g: scaling.Binarizer(),
    lambda g: scaling.PolynomialFeatures(interaction_only=True),
    lambda g: NMF(2, random_state=0, max_iter=20),
)
"""Steps that textlrp must refuse by name."""
_LOSSES = ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "squared_error", "huber")
_PLAIN: tuple[_Part, ...] = (
    lambda g: LinearSVC(C=g.one(0.1, 1.0, 10.0), random_state=0, fit_intercept=g.maybe(0.8)),
    lambda g: LinearSVC(random_state=0, multi_class=g.one("ovr", "crammer_singer")),
    lambda g: SVC(kernel=g.one("linear", "linear", "rbf"), probability=g.maybe(0.2), random_state=0),
    lambda g: NuSVC(kernel="linear", nu=0.3, decision_function_shape=g.one("ovr", "ovo")),
    lambda g: linear_model.LogisticRegression(C=5.0, fit_intercept=g.maybe(0.8)),
    lambda g: linear_model.LogisticRegressionCV(Cs=2, cv=2, use_legacy_attributes=False, scoring="accuracy"),
    lambda g: linear_model.SGDClassifier(loss=g.one(*_LOSSES), random_state=0, average=g.maybe(0.2)),
    lambda g: linear_model.SGDClassifier(loss=g.one(*_LOSSES), random_state=0, early_stopping=g.maybe(0.2)),
    lambda g: linear_model.Perceptron(random_state=0),
    lambda g: linear_model.PassiveAggressiveClassifier(random_state=0),
    lambda g: linear_model.RidgeClassifier(),
    lambda g: linear_model.RidgeClassifierCV(alphas=(0.1, 1.0)),
    lambda g: naive_bayes.MultinomialNB(alpha=g.one(1.0, 0.1), fit_prior=g.maybe(0.5)),
    lambda g: naive_bayes.ComplementNB(norm=g.maybe(0.5)),
    lambda g: naive_bayes.BernoulliNB(binarize=g.one(0.0, 0.0, 0.2, None)),
    lambda g: NearestCentroid(shrink_threshold=g.one(None, 0.1), priors=g.one("uniform", "empirical")),
    lambda g: LinearDiscriminantAnalysis(solver=g.one("svd", "lsqr")),
    lambda g: MLPClassifier(
        g.one((4,), (3, 4), ()), activation=g.one("identity", "logistic", "tanh", "relu"),
        solver="lbfgs", max_iter=5, random_state=0,
    ),
    lambda g: DummyClassifier(strategy=g.one("prior", "most_frequent", "stratified")),
)  # fmt: skip
_OTHER_CLASSIFIERS: tuple[_Part, ...] = (
    lambda g: NearestCentroid(metric="manhattan"),
    lambda g: ensemble.RandomForestClassifier(3, random_state=0),
    lambda g: ensemble.GradientBoostingClassifier(n_estimators=2, random_state=0),
    lambda g: ensemble.HistGradientBoostingClassifier(max_iter=2, random_state=0),
    lambda g: ensemble.AdaBoostClassifier(g.plain(), n_estimators=2, random_state=0),
    lambda g: DecisionTreeClassifier(random_state=0),
    lambda g: KNeighborsClassifier(3),
    lambda g: naive_bayes.GaussianNB(),
    lambda g: QuadraticDiscriminantAnalysis(),
    lambda g: multiclass.OneVsOneClassifier(g.plain()),
    lambda g: multiclass.OutputCodeClassifier(g.plain(), random_state=0),
)
"""Classifiers that textlrp must refuse by name."""
_COMBINED: tuple[Callable[[Grammar, int], Any], ...] = (
    lambda g, depth: CalibratedClassifierCV(
        g.member(depth), method=g.one("sigmoid", "sigmoid", "isotonic", "temperature"), cv=2, ensemble=g.maybe(0.5)
    ),
    lambda g, depth: g.searched(g.member(depth)),
    lambda g, depth: ensemble.VotingClassifier(
        [("a", g.member(depth)), ("b", g.member(depth)), *[("gone", "drop")] * g.maybe(0.2)],
        voting=g.one("soft", "hard"),
        weights=None,
    ),
    lambda g, depth: ensemble.VotingClassifier(
        [("a", g.member(depth)), ("b", g.member(depth))], voting=g.one("soft", "hard"), weights=[2, 1]
    ),
    lambda g, depth: ensemble.StackingClassifier(
        [("a", g.member(depth)), ("b", g.member(depth))], g.plain(), cv=2, passthrough=g.maybe(0.3),
        stack_method=g.one("auto", "auto", "auto", "predict"),
    ),
    lambda g, depth: ensemble.BaggingClassifier(
        g.member(depth), 2, random_state=0, max_features=g.one(1.0, 0.6), bootstrap_features=g.maybe(0.2)
    ),
    lambda g, depth: multiclass.OneVsRestClassifier(g.member(depth)),
    lambda g, depth: multiclass.OneVsRestClassifier(g.plain()),
    lambda g, depth: model_selection.FixedThresholdClassifier(
        g.member(depth), threshold=g.one("auto", 0.7), pos_label=None
    ),
    lambda g, depth: model_selection.TunedThresholdClassifierCV(g.member(depth), cv=2),
)  # fmt: skip
_SEVERAL: tuple[Callable[[Grammar], Any], ...] = (
    lambda g: multiclass.OneVsRestClassifier(g.member(1)),
    lambda g: multioutput.MultiOutputClassifier(g.member(1)),
    lambda g: multioutput.ClassifierChain(
        g.plain(), order=g.one(None, [2, 0, 1]),
        chain_method=g.one("predict", "predict", "decision_function", "predict_proba"),
    ),
    lambda g: linear_model.RidgeClassifier(),
    lambda g: linear_model.RidgeClassifierCV(alphas=(0.1, 1.0)),
    lambda g: MLPClassifier((3,), solver="lbfgs", max_iter=5, random_state=0),
    lambda g: g.plain(),
)  # fmt: skip


def random_model(seed: int) -> Model | None:
    """Return the fitted model of a seed; None if scikit-learn itself cannot fit it or predict with it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return _random_model(np.random.default_rng(seed))
        except (ValueError, TypeError, AttributeError, LookupError, RuntimeError):
            return None


def _random_model(draw: np.random.Generator) -> Model | None:
    grammar = Grammar(draw)
    several, of_table, classes = grammar.maybe(0.15), grammar.maybe(0.15), grammar.one(2, 3)
    rows = np.flatnonzero(classes > TOPICS)
    texts, names = [TEXTS[n] for n in rows], LABELS[grammar.one(*LABELS)]
    as_list = [names[topic] for topic in TOPICS[rows]]
    y: Any = as_list if grammar.maybe(0.5) else np.array(as_list)
    if several:
        y = (draw.random((len(rows), 3)) < 0.3).astype(int)
        y[np.arange(len(rows)), TOPICS[rows]] = 1
    classifier = grammar.one(*_SEVERAL)(grammar) if several else grammar.classifier()
    first = grammar.table() if of_table else grammar.features()
    model: Any = Pipeline([("first", first), *_named(grammar.steps(0.35)), ("last", classifier)])
    inputs: Any = as_table(texts) if of_table else texts
    around = draw.random()
    if around < 0.15:
        model = grammar.searched(model)
    elif around < 0.25 and not several:
        model = CalibratedClassifierCV(model, method=grammar.one("sigmoid", "isotonic"), cv=2)
    model.fit(inputs, y)
    if grammar.maybe(0.1) and not several:
        model = CalibratedClassifierCV(FrozenEstimator(model)).fit(inputs, y)
    found = Model(model, as_table(READ) if of_table else READ)
    model.predict(found.inputs)
    return found if hasattr(model, "classes_") or several else None


def _named(steps: list[Any]) -> list[tuple[str, Any]]:
    return [(f"step{n}", step) for n, step in enumerate(steps)]


def as_table(texts: list[str]) -> pd.DataFrame:
    """A table whose columns are made of N texts."""
    return pd.DataFrame(
        {
            "title": [" ".join(text.split()[:3]) for text in texts],
            "body": texts,
            "price": np.linspace(1.0, 9.0, len(texts)) ** 2,
            "year": [1990 + n % 7 for n in range(len(texts))],
            "color": [["red", "blue", "green"][n % 3] for n in range(len(texts))],
        }
    )
