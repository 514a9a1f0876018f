"""Store results for later processes in the user's cache folder. Everything in that folder can be deleted at any time.

The folder is ``$TEXTLRP_CACHE_DIR`` if that is set, else ``textlrp`` in the cache folder of the operating system.
Open this module to cache a result that takes long to compute.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path


def cache_path(*parts: str) -> Path:
    """Return a path inside the user's cache folder; nothing is created."""
    root = os.environ.get("TEXTLRP_CACHE_DIR")
    return (Path(root) if root else user_cache_path("textlrp")).joinpath(*parts)


def is_writable(folder: Path) -> bool:
    """Create a folder if it is missing, and return whether files can be created in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def read_cached(path: Path, key: Mapping[str, Any]) -> Any | None:
    """Return the content that :func:`write_cached` wrote to ``path`` with an equal ``key``.

    None if there is no such file, if it was written with another key, or if it is damaged.
    """
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(stored, dict) or stored.get("key") != key or "content" not in stored:
        return None
    return stored["content"] if stored.get("sha256") == _checksum(stored["content"]) else None


def write_cached(path: Path, key: Mapping[str, Any], content: Any) -> None:
    """Write JSON ``content`` for :func:`read_cached`, atomically. Nothing happens if the folder is not writable."""
    if not is_writable(path.parent):
        return
    text = json.dumps({"key": key, "sha256": _checksum(content), "content": content})
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, suffix=".part", delete=False, encoding="ascii"
        ) as file:
            temporary = Path(file.name)
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
