"""Load a saved model: everything in its folder is checked before it is used, and nothing is ever unpickled.

Open it for what a model's folder must contain; :mod:`textlrp.models.saving` writes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from textlrp.errors import DataError, ModelError, OptionError
from textlrp.models.base import TextClassifier
from textlrp.models.model_folder import (
    CONFIG,
    TENSORS,
    check_trained,
    checksum,
    is_pipeline_file,
    model_folder,
    read_config,
)
from textlrp.models.model_kinds import KINDS, classifier_class
from textlrp.models.options import check_positive, is_whole
from textlrp.models.saving import expanded, specs_of
from textlrp.models.schema import COUNTS, WORDS, TensorSpec, check_config, damaged, shapes_of
from textlrp.models.tensor_file import (
    check_counts,
    check_model_file,
    check_tensors,
    check_values,
    decode_words,
    read_header,
    words_in,
)
from textlrp.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textlrp.models.pipeline.pipeline_model import PipelineModel


def load_classifier(
    path: str | Path,
    *,
    tokenizer: Callable[[str], Any] | None = None,
    skip: Callable[[str], Any] | None = None,
    trust_pickle: bool = False,
    class_of: Callable[[str], type[TextClassifier]] = classifier_class,
) -> TextClassifier | PipelineModel:
    """Load a model as :func:`textlrp.load` does, without importing scikit-learn for a model that textlrp trained.

    ``class_of`` gives the class of such a model by its short name.
    """
    if is_pipeline_file(Path(path)):
        from textlrp.models.pipeline.pipeline_files import load_pipeline  # late: few need it

        if tokenizer is not None or skip is not None:
            raise OptionError("tokenizer= and skip= must be left out with a pipeline, which has its own; got one.")
        return load_pipeline(Path(path), trust_pickle=trust_pickle)
    return load_folder(path, tokenizer=tokenizer, skip=skip, class_of=class_of)


def load_folder(
    path: str | Path,
    *,
    tokenizer: Callable[[str], Any] | None = None,
    skip: Callable[[str], Any] | None = None,
    class_of: Callable[[str], type[TextClassifier]] = classifier_class,
) -> TextClassifier:
    """Load a model that textlrp trained, from its folder or by its bundled name.

    Raises as :func:`load_classifier` does, and :class:`ModelError` where the file of a scikit-learn pipeline is
    named.
    """
    check_trained(path)
    folder = model_folder(path)
    config = read_config(folder)
    model = _from_options(folder, config, tokenizer, skip, class_of)
    try:
        check_config(config)
        check_model_file(folder / TENSORS)
        header = read_header(folder / TENSORS)
        specs = specs_of(model, len(config["classes"]), words_in(header), shapes_of(config))
        check_tensors(specs, header)
        if config.get("sha256") not in (None, checksum(folder / TENSORS)):
            raise ModelError(f"{TENSORS} is not the file that was saved (its checksum differs).")
        tensors = load_file(folder / TENSORS)
        _restore(model, config, specs, tensors)
    except FileNotFoundError:
        raise ModelError(f"{folder} has no {TENSORS}; the folder is incomplete, save the model again.") from None
    except (SafetensorError, OSError, ModelError, DataError) as broken:
        raise damaged(folder, broken) from None
    return model


def _restore(
    model: TextClassifier, config: dict[str, Any], specs: Mapping[str, TensorSpec], tensors: dict[str, NDArray[Any]]
) -> None:
    """Put the fitted attributes back; raises :class:`ModelError` or :class:`DataError` on values that do not fit."""
    counts = tensors.pop(COUNTS)
    documents = config["vocabulary_documents"]
    check_counts(counts, documents)
    vocabulary = Vocabulary(decode_words(tensors.pop(WORDS), len(counts)), counts, documents)
    weights = expanded(tensors, specs, model.dtype)
    check_values(specs, weights)
    model.check_weights(weights, vocabulary)
    model.vocabulary_, model.weights_, model.classes_ = vocabulary, weights, np.array(config["classes"])
    model.n_documents_ = config["documents"]


def card(path: str | Path) -> dict[str, Any]:
    """The card a model was saved with; raises :class:`ModelError` like :func:`load_classifier`."""
    return dict(read_config(model_folder(path)).get("card", {}))


def _from_options(
    folder: Path,
    config: dict[str, Any],
    tokenizer: Callable[[str], Any] | None,
    skip: Callable[[str], Any] | None,
    class_of: Callable[[str], type[TextClassifier]],
) -> TextClassifier:
    if config["kind"] not in KINDS:
        raise ModelError(f"{folder} holds a model of kind {config['kind']!r}; this version knows {', '.join(KINDS)}.")
    options = config.get("options")
    if not isinstance(options, dict):
        raise ModelError(f"{folder / CONFIG} has no options; save the model again.")
    try:
        options = {name: _loaded_option(stored) for name, stored in options.items()}
    except (TypeError, ValueError):  # pairs that are none, or a label that is a list
        raise damaged(folder, f"options in {CONFIG} hold a map that is not one") from None
    for name, given in (("tokenizer", tokenizer), ("skip", skip)):
        stored = options.get(name)
        if given is not None:
            options[name] = given
        elif isinstance(stored, dict) and isinstance(stored.get("callable"), str):
            raise ModelError(
                f"{folder} was trained with the function {stored['callable']} as its {name}; "
                f"pass it again: load({str(folder)!r}, {name}={stored['callable'].rpartition(':')[2]})."
            )
    try:
        classifier = class_of(config["kind"])
        model = classifier(**{**classifier.legacy_defaults, **options})
        model.check_options()
        _check_training_options(model)
    except TypeError as unknown:
        raise ModelError(f"{folder / CONFIG} has options this version does not know ({unknown}).") from None
    except OptionError as broken:
        raise ModelError(f"{folder / CONFIG} is damaged ({broken}); save the model again.") from None
    return model


def _check_training_options(model: TextClassifier) -> None:
    """Raise :class:`OptionError` on what ``fit`` alone would refuse."""
    state, weights = model.random_state, model.class_weight
    if state is not None and not (is_whole(state) and 0 <= state < 2**32):
        raise OptionError(f"random_state must be a whole number from 0 to 2**32 - 1, or None; got {state!r}.")
    if isinstance(weights, dict):
        for weight in weights.values():
            check_positive("class_weight", weight, zero=True)
    elif weights is not None and weights != "balanced":
        raise OptionError(f"class_weight must be None, 'balanced' or {{label: weight}}; got {weights!r}.")


def _loaded_option(stored: Any) -> Any:
    """The inverse of :func:`textlrp.models.saving.stored_option`; a function stays as its name in a dict."""
    if isinstance(stored, dict) and "pairs" in stored:
        return {_loaded_option(key): _loaded_option(value) for key, value in stored["pairs"]}
    return tuple(_loaded_option(entry) for entry in stored) if isinstance(stored, list) else stored
