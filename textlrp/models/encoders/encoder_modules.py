"""The modules of a ``SentenceTransformer`` after its transformer, as poolings and layers of a torch module.

Open it for which modules are supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from textlrp.errors import ModelError
from textlrp.models.encoders.pooled_encoder import POOLINGS, UnitLength

ACTIVATIONS = {each.__name__: each for each in (nn.Identity, nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU)}
"""The activations of a Dense module that are supported, by name."""


def modes_and_layers(parts: list[tuple[str, Mapping[str, Any], Any]]) -> tuple[tuple[str, ...], list[nn.Module]]:
    """Return the poolings, and the layers after them; a part is its type, its options, and its module or folder.

    Raises :class:`ModelError` for a module that is not supported.
    """
    if not parts or parts[0][0] != "Pooling":
        raise unsupported_module(parts[0][0] if parts else "nothing", "after the transformer")
    modes = _modes(parts[0][1])
    layers: list[nn.Module] = []
    for kind, options, source in parts[1:]:
        if kind == "Normalize":
            layers.append(UnitLength())
        elif kind == "Dense":
            layers += _dense_layers(options, source)
        elif kind != "Dropout":  # does nothing in evaluation mode
            raise unsupported_module(kind)
    return modes, layers


def _modes(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the poolings in the options of a Pooling module, of any version of sentence-transformers."""
    older = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens":
             "mean_sqrt_len_tokens", "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}  # fmt: skip
    given = options.get("pooling_mode")
    if given is None:
        given = [name for name, option in older.items() if options.get(f"pooling_mode_{option}")] or "mean"
    modes = (given,) if isinstance(given, str) else tuple(given)
    for mode in modes:
        if mode not in POOLINGS:
            raise ModelError(f"encoder must pool by {', '.join(POOLINGS)}; got {mode!r}.")
    return modes


def _dense_layers(options: Mapping[str, Any], source: Any) -> list[nn.Module]:
    """The linear layer and the activation of a Dense module, from the module itself or from its folder."""
    name = str(options.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise unsupported_module(f"Dense(activation_function={name})")
    if options.get("use_residual"):
        raise unsupported_module("Dense(use_residual=True)")
    if options.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise unsupported_module(f"Dense(module_input_name={options['module_input_name']!r})")
    linear = _linear_of_folder(source) if isinstance(source, Path) else source.linear
    return [linear] if name == "Identity" else [linear, ACTIVATIONS[name]()]


def _linear_of_folder(folder: Path) -> nn.Linear:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.exists():
        raise ModelError(
            f"encoder must have its weights in safetensors files; {path} is missing. Save the encoder again: "
            "SentenceTransformer(folder).save(folder)."
        )
    try:
        weights = load_file(path)
        rows, columns = weights["linear.weight"].shape
    except (SafetensorError, KeyError, ValueError) as problem:
        raise ModelError(f"{path} cannot be read: {problem}. Save the encoder again.") from None
    linear = nn.Linear(columns, rows, bias="linear.bias" in weights)
    linear.load_state_dict({key.removeprefix("linear."): value.float() for key, value in weights.items()})
    return linear


def options_of_module(module: Any) -> Mapping[str, Any]:
    """Return the options of a module of a ``SentenceTransformer``, named as in its folder."""
    options: dict[str, Any] = dict(module.get_config_dict()) if hasattr(module, "get_config_dict") else {}
    if type(module).__name__ == "Dense":
        options["activation_function"] = type(module.activation_function).__name__
    return options


def unsupported_module(what: str, where: str = "") -> ModelError:
    """Return the error for a module that is not supported."""
    got = f"{what} {where}".rstrip()
    return ModelError(
        f"encoder must be a Transformer, a Pooling, and any number of Dense and Normalize modules; got {got}. Pass "
        "another encoder."
    )
