"""Explain corpora of any size: Arrow tables of texts in, Arrow tables of explanations out.

:class:`BatchExplainer` is a function on Arrow tables, for engines that map batches (Ray Data, Spark, Dask).
:func:`explain_to_folder` is a complete run on this machine or on a Ray cluster. It writes a folder of Parquet files,
can be stopped at any time, and continues when it is called again. :mod:`textlrp.store` reads the results without
torch.
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
