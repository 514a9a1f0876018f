"""Explaining ten million documents: Arrow batches in, Arrow batches out, by processes of this machine or by Ray.

:class:`BatchExplainer` is the function that every engine maps; :func:`explain_to_folder` a whole run that can be
stopped and goes on. What they write is read by :mod:`textlrp.store`, without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textlrp.lazy_imports import importer

if TYPE_CHECKING:
    from textlrp.bulk.explainer import BatchExplainer
    from textlrp.bulk.run import Run, WorkerOptions, explain_to_folder
    from textlrp.bulk.sources import CorpusSource, FileSource, file_source

__all__ = ["BatchExplainer", "CorpusSource", "FileSource", "Run", "WorkerOptions", "explain_to_folder", "file_source"]

__getattr__ = importer(
    __name__,
    {
        "BatchExplainer": "bulk.explainer",
        "CorpusSource": "bulk.sources",
        "FileSource": "bulk.sources",
        "Run": "bulk.run",
        "WorkerOptions": "bulk.run",
        "explain_to_folder": "bulk.run",
        "file_source": "bulk.sources",
    },
)
