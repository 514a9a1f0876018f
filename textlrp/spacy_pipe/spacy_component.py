"""The pipeline component ``textlrp`` of spaCy, and its factory.

Open this module for the options of the component. spaCy imports it whenever it creates a pipeline, also one without
this component, so modules of models and explainers are imported when they are used. The annotations of
:func:`make_textlrp` are evaluated by spaCy, so this module does not postpone them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import minibatch, raise_error

from textlrp.errors import ModelError, OptionError, TextlrpError, must_be
from textlrp.explanation import Explanation
from textlrp.records import UNNAMED, Document, target_names
from textlrp.spacy_pipe.displacy_markup import MIN_SHARE, OPPOSES, SUPPORTS, relevant_positions
from textlrp.spacy_pipe.spacy_results import COMPONENT, add_extensions, store_explanation, texts_of_docs

if TYPE_CHECKING:
    from textlrp.models.classifier import Classifier

LARGEST_BATCH = 128
"""Documents that are explained in one call."""


@dataclass(frozen=True, slots=True)
class ComponentOptions:
    """What a component explains and how; see :func:`make_textlrp`."""

    targets: tuple[str, ...]
    versus: str | None
    rule: str | None
    start: Literal["score", "centered"] | None
    method: str
    min_share: float


@Language.factory(
    COMPONENT,
    assigns=["doc.cats", "doc.spans", "doc._.explanation", "token._.relevance", "span._.relevance"],
    default_config={
        "model": None, "target": None, "versus": None, "rule": None, "start": None, "method": "lrp",
        "min_share": MIN_SHARE,
    },
)  # fmt: skip
def make_textlrp(
    nlp: Language,
    name: str,
    model: str | None,
    target: str | list[str] | None,
    versus: str | None,
    rule: str | None,
    start: Literal["score", "centered"] | None,
    method: str,
    min_share: float,
) -> "TextlrpComponent":
    """Create the component for ``nlp.add_pipe("textlrp", config={...})``.

    - ``model``: the name of a bundled model, the folder of a saved model, or a ``.skops`` file. It is loaded when the
      first document is processed. None: assign ``component.model``, or pass a model to ``initialize``.
    - ``target``: the class to explain, a list of classes, or ``"all"``. None is the predicted class.
    - ``versus``: the class to compare with: why the target and not this class.
    - ``rule``, ``start``, ``method``: as in :func:`textlrp.explain`, as text.
    - ``min_share``: a token is in ``doc.spans`` if its relevance is at least this share of the largest, 0 to 1.

    Raises :class:`RuleError` for an unknown rule, and :class:`OptionError` if ``min_share`` is out of range.
    """
    if not 0 <= min_share <= 1:
        raise OptionError(must_be("min_share", "from 0 to 1", min_share, "Pass min_share=0.1."))
    if rule is not None:
        from textlrp.lrp.presets import as_composite

        as_composite(rule)
    targets = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    return TextlrpComponent(name, model, ComponentOptions(targets, versus, rule, start, method, min_share))


class TextlrpComponent:
    """Explains each document of a spaCy pipeline; create it with ``nlp.add_pipe("textlrp", config={...})``.

    It sets ``doc.cats`` (probabilities of all classes if the model has them, else scores), ``doc._.explanation``,
    ``token._.relevance``, ``span._.relevance`` and ``doc.spans["textlrp"]``. A component with another name N sets
    ``doc.cats["N:class"]``, ``doc._.explanation_N``, ``token._.relevance_N``, ``span._.relevance_N`` and
    ``doc.spans["N"]``, so that several components do not overwrite each other.
    """

    def __init__(self, name: str, source: str | None, options: ComponentOptions) -> None:
        self.name = name
        self.options = options
        self._source = source
        self._model: Classifier | None = None
        self._error_handler: Callable[..., Any] = raise_error
        add_extensions(name)

    @property
    def model(self) -> "Classifier | None":
        """The model; None until it is loaded, with the first document or by :meth:`initialize`.

        Assign any model that :func:`textlrp.explain` accepts. Reading this attribute neither loads a model nor raises
        an error, because spaCy reads it whenever a component is added.
        """
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        from textlrp.models.adapt import as_classifier

        self._model = as_classifier(model)

    def _loaded_model(self) -> "Classifier":
        """Return the model, which is loaded if necessary; raise :class:`ModelError` if that is not possible."""
        if self._model is None:
            if self._source is None:
                raise ModelError(
                    f"the component {self.name!r} must have a model; got none. Pass config={{'model': ...}} to "
                    f"nlp.add_pipe, or assign nlp.get_pipe({self.name!r}).model."
                )
            from textlrp.models.estimators import load

            self._model = load(self._source)
        return self._model

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Any]] | None = None,
        *,
        nlp: Language | None = None,
        model: Any = None,
    ) -> None:
        """Set the model, or load it; ``model`` is an object that :func:`textlrp.explain` accepts, a name or a path.

        spaCy calls this method from ``nlp.initialize()``. It does not train.
        """
        if isinstance(model, (str, Path)):
            self._source, self._model = str(model), None
        elif model is not None:
            self.model = model
        self._loaded_model()

    # ---- documents

    def __call__(self, doc: Doc) -> Doc:
        """Explain one document and return it."""
        self._explain([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = LARGEST_BATCH) -> Iterator[Doc]:
        """Explain a stream of documents, in one call of :func:`textlrp.explain` for each batch.

        A batch has at most :data:`LARGEST_BATCH` documents, because a larger one only needs more memory.
        If a batch has a document that cannot be explained, its documents are explained one by one, and the error
        handler of spaCy gets the document.
        """
        for batch in minibatch(stream, min(batch_size, LARGEST_BATCH)):  # type: ignore[no-untyped-call]
            try:
                self._explain(batch)
            except TextlrpError:
                yield from self._each(batch)
            else:
                yield from batch

    def set_error_handler(self, error_handler: Callable[..., Any]) -> None:
        """Set the function that is called with a document that cannot be explained; see ``nlp.set_error_handler``."""
        self._error_handler = error_handler

    def get_error_handler(self) -> Callable[..., Any]:
        """Return the error handler; the default raises the error."""
        return self._error_handler

    def _each(self, docs: Iterable[Doc]) -> Iterator[Doc]:
        for doc in docs:
            try:
                self._explain([doc])
            except TextlrpError as problem:
                self._error_handler(self.name, self, [doc], problem)
            else:
                yield doc

    def _explain(self, docs: list[Doc]) -> None:
        from textlrp.explainers.named import explain_corpus

        options = self.options
        whys = explain_corpus(
            self._loaded_model(),
            [Document(UNNAMED, text) for text in texts_of_docs(docs)],
            targets=options.targets,
            versus=options.versus,
            rule=options.rule,
            start=options.start,
            method=options.method,
        )
        for doc, why in zip(docs, whys, strict=True):
            self._annotate(doc, why)

    def _annotate(self, doc: Doc, why: Explanation) -> None:
        prefix = "" if self.name == COMPONENT else f"{self.name}:"
        values = why.scores if why.probabilities is None else why.probabilities
        names = _class_names(why.labels)
        doc.cats.update({f"{prefix}{label}": value for label, value in zip(names, values.tolist(), strict=True)})
        relevance = store_explanation(doc, self.name, why)
        target = why.target_names[why.row()]
        spans = [
            Span(doc, position, position + 1, label=SUPPORTS if value > 0 else OPPOSES)
            for position, value in _relevant(relevance, self.options.min_share)
        ]
        attributes = {"target": target, "rule": why.rule, "method": why.method}
        doc.spans[self.name] = SpanGroup(doc, name=self.name, attrs=attributes, spans=spans)

    # ---- files

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model to a folder; spaCy stores the options of the component in its own ``config.cfg``."""
        from textlrp.spacy_pipe.component_files import save_component_model

        save_component_model(self._loaded_model(), Path(path))

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:
        """Load the model from a folder that :meth:`to_disk` wrote; without one, the configured model stays."""
        from textlrp.spacy_pipe.component_files import load_component_model

        self._model = load_component_model(Path(path)) or self._model
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Return the model as bytes."""
        from textlrp.spacy_pipe.component_files import model_bytes

        return model_bytes(self._loaded_model())

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Load the model from the result of :meth:`to_bytes`."""
        from textlrp.spacy_pipe.component_files import model_from_bytes

        self._model = model_from_bytes(data) or self._model
        return self


@lru_cache(maxsize=64)
def _class_names(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The unique names of the classes; cached, because all documents have the same."""
    return target_names(labels, range(len(labels)))


def _relevant(relevance: np.ndarray[Any, Any], share: float) -> list[tuple[int, float]]:
    positions = relevant_positions(relevance, share)
    return list(zip(positions.tolist(), relevance[positions].tolist(), strict=True))
