"""The names of classes that Hugging Face's package ``datasets`` stores as numbers, in folders and in Parquet files.

Open this module if such a label is read as a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def features_of(metadata: Mapping[bytes, bytes] | None) -> Any:
    """Return the descriptions of the columns from the metadata of a Parquet file; None if it has none."""
    try:
        found = json.loads((metadata or {})[b"huggingface"])
    except (KeyError, ValueError, RecursionError):
        return None
    info = found.get("info") if isinstance(found, dict) else None
    return info.get("features") if isinstance(info, dict) else None


def class_names(features: Any, label: str | None) -> Sequence[str]:
    """Return the names of the classes of a column, also of a list of classes; empty if it stores no classes."""
    feature = features.get(label) if isinstance(features, dict) else None
    while isinstance(feature, (list, dict)):
        if isinstance(feature, list):
            feature = feature[0] if feature else None
        elif isinstance(feature.get("names"), list) and feature.get("_type") == "ClassLabel":
            return [str(name) for name in feature["names"]]
        else:
            feature = feature.get("feature")
    return ()


def named_class(value: Any, classes: Sequence[str]) -> Any:
    """Return the name of a class, or of each class of a list; None for -1, which datasets writes for no label."""
    if isinstance(value, list):
        return [named_class(each, classes) for each in value]
    if not classes or not isinstance(value, int):
        return value
    return classes[value] if 0 <= value < len(classes) else None
