"""Import the public names of a package on first use, so that importing the package itself is fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def importer(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package. ``homes`` maps each public name to its module within textlrp.

    The value is stored in the package, so that ``__getattr__`` runs once per name. It raises AttributeError for any
    other name.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"textlrp.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
