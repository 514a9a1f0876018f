"""Load a saved model. Everything in its folder is checked before it is used, and nothing is unpickled.

Open it for what a model folder must contain; :mod:`textlrp.models.saving` writes one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from textlrp.errors import DataError, ModelError, OptionError, must_be
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

    ``class_of`` maps the short name of a kind of model to its class.
    """
    if is_pipeline_file(Path(path)):
        from textlrp.models.pipeline.pipeline_files import load_pipeline  # imported late: few models need it

        if tokenizer is not None or skip is not None:
            got = "tokenizer" if tokenizer is not None else "skip"
            raise OptionError(
                f"{got} must be None for a scikit-learn pipeline, which contains its own; got a function. "
                f"Leave {got}= out."
            )
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

    Raises the errors of :func:`load_classifier`, and :class:`ModelError` for the file of a scikit-learn pipeline.
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
            raise ModelError(f"{TENSORS} has changed since it was saved (its checksum differs).")
        tensors = load_file(folder / TENSORS)
        _restore(model, config, specs, tensors)
    except FileNotFoundError:
        raise ModelError(f"{folder} is incomplete: {TENSORS} is missing. Save the model again.") from None
    except (SafetensorError, OSError, ModelError, DataError) as broken:
        raise damaged(folder, broken) from None
    return model


def _restore(
    model: TextClassifier, config: dict[str, Any], specs: Mapping[str, TensorSpec], tensors: dict[str, NDArray[Any]]
) -> None:
    """Set the fitted attributes; raise :class:`ModelError` or :class:`DataError` if values do not fit together."""
    counts = tensors.pop(COUNTS)
    documents = config["vocabulary_documents"]
    check_counts(counts, documents)
    vocabulary = Vocabulary(decode_words(tensors.pop(WORDS), len(counts)), counts, documents)
    weights = expanded(tensors, specs, model.dtype)
    check_values(specs, weights)
    model.check_weights(weights, vocabulary)
    model.vocabulary_, model.weights_, model.classes_ = vocabulary, weights, np.array(config["classes"])
    model.n_documents_ = config["documents"]
    thresholds = config.get("thresholds")
    model.thresholds_ = None if thresholds is None else np.array(thresholds, dtype=model.dtype)


def card(path: str | Path) -> dict[str, Any]:
    """Return the card of a saved model: command, seed, accuracy. Raises the errors of :func:`load_classifier`."""
    return dict(read_config(model_folder(path)).get("card", {}))


def _from_options(
    folder: Path,
    config: dict[str, Any],
    tokenizer: Callable[[str], Any] | None,
    skip: Callable[[str], Any] | None,
    class_of: Callable[[str], type[TextClassifier]],
) -> TextClassifier:
    """The unfitted model with the options in its config."""
    if config["kind"] not in KINDS:
        raise ModelError(
            f"{folder} has a model of unknown kind {config['kind']!r}; this version of textlrp reads "
            f"{', '.join(KINDS)}. Upgrade textlrp."
        )
    options = config.get("options")
    if not isinstance(options, dict):
        raise damaged(folder, f"{CONFIG} has no options")
    try:
        options = {name: _loaded_option(stored) for name, stored in options.items()}
    except (TypeError, ValueError):  # "pairs" is not a list of pairs, or a key is a list
        raise damaged(folder, f"options in {CONFIG} must be lists of pairs where they are maps") from None
    for name, given in (("tokenizer", tokenizer), ("skip", skip)):
        stored = options.get(name)
        if given is not None:
            options[name] = given
        elif isinstance(stored, dict) and isinstance(stored.get("callable"), str):
            raise ModelError(
                f"{folder} was trained with the function {stored['callable']} as its {name}, which is not stored. "
                f"Pass it again: load({str(folder)!r}, {name}={stored['callable'].rpartition(':')[2]})."
            )
    try:
        classifier = class_of(config["kind"])
        model = classifier(**{**classifier.legacy_defaults, **options})
        model.check_options()
        _check_training_options(model)
    except TypeError as unknown:
        raise ModelError(
            f"{folder / CONFIG} has options that this version of textlrp does not have ({unknown}). Upgrade textlrp."
        ) from None
    except OptionError as broken:
        # without its hint, which is for somebody who creates a model
        raise damaged(folder / CONFIG, str(broken).partition(" Pass ")[0]) from None
    return model


def _check_training_options(model: TextClassifier) -> None:
    """Raise :class:`OptionError` for values that otherwise only ``fit`` would refuse."""
    state, weights = model.random_state, model.class_weight
    if state is not None and not (is_whole(state) and 0 <= state < 2**32):
        raise OptionError(must_be("random_state", "a whole number from 0 to 2**32 - 1, or None", state))
    if isinstance(weights, dict):
        for weight in weights.values():
            check_positive("class_weight", weight, zero=True)
    elif weights is not None and weights != "balanced":
        raise OptionError(must_be("class_weight", "None, 'balanced' or {label: weight}", weights))


def _loaded_option(stored: Any) -> Any:
    """The inverse of :func:`textlrp.models.saving.stored_option`; a function stays a dict with its name."""
    if isinstance(stored, dict) and "pairs" in stored:
        return {_loaded_option(key): _loaded_option(value) for key, value in stored["pairs"]}
    return tuple(_loaded_option(entry) for entry in stored) if isinstance(stored, list) else stored
