"""Tiny sentence encoders with random weights, as folders like those of ``SentenceTransformer.save``.

Import this module only after ``pytest.importorskip("transformers")``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny_transformers import tiny_classifier, tiny_tokenizer

LENGTH = 24
"""Pieces that the encoders read at once, special tokens included."""
DIMENSIONS = 16
DENSE = 6

TOPICS = {
    "animals": ("The cat sat on the mat", "the dog barked", "a cat and a dog", "on the mat the dog sat"),
    "science": ("Scientists discovered water", "a distant planet in 2024", "water on a planet", "planet discovered"),
    "politics": (
        "Parliament rejected the proposal",
        "government proposal on Monday",
        "the government's Parliament",
        "rejected on Monday morning",
    ),
}
LABELS = [label for label, texts in TOPICS.items() for _ in texts]
TEXTS = [text for texts in TOPICS.values() for text in texts]
LONG = " ".join(TEXTS)
"""A text of several windows."""


def save_encoder(
    folder: Path,
    architecture: str = "bert",
    *,
    pooling: str | tuple[str, ...] = "mean",
    normalize: bool = True,
    dense: str | None = None,
    seed: int = 0,
    length: int = LENGTH,
) -> Path:
    """Write an encoder; ``dense`` is the activation of a Dense module after the pooling, or None for none."""
    transformer = tiny_classifier(architecture, seed=seed, dtype=torch.float32).base_model
    transformer.save_pretrained(folder)
    tiny_tokenizer(architecture).save_pretrained(folder)
    parts: list[tuple[str, dict[str, Any]]] = [("Transformer", {})]
    size = DIMENSIONS * (1 if isinstance(pooling, str) else len(pooling))
    parts.append(("Pooling", {"embedding_dimension": DIMENSIONS, "pooling_mode": pooling}))
    if dense is not None:
        activation = (
            f"torch.nn.modules.activation.{dense}" if dense != "Identity" else "torch.nn.modules.linear.Identity"
        )
        parts.append(
            ("Dense", {"in_features": size, "out_features": DENSE, "bias": True, "activation_function": activation})
        )
    if normalize:
        parts.append(("Normalize", {}))
    listed = []
    for number, (kind, config) in enumerate(parts):
        path = "" if number == 0 else f"{number}_{kind}"
        listed.append(
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        )
        if path:
            (folder / path).mkdir()
            (folder / path / "config.json").write_text(json.dumps(config))
        if kind == "Dense":
            generator = torch.Generator().manual_seed(seed)
            weights = {
                "linear.weight": torch.randn(DENSE, size, generator=generator) / size**0.5,
                "linear.bias": torch.randn(DENSE, generator=generator) / 3,
            }
            save_file(weights, folder / path / "model.safetensors")
    (folder / "modules.json").write_text(json.dumps(listed))
    settings = {"max_seq_length": length, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    return folder
