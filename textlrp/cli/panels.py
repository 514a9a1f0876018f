"""Documents under several rules and methods, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from textlrp.errors import OptionError
from textlrp.explainers.explain import explain_settings
from textlrp.explainers.method_table import as_method
from textlrp.explainers.methods import CAM
from textlrp.explainers.named import explain_corpus
from textlrp.files.kinds import PAGES
from textlrp.files.written_file import check_output
from textlrp.lrp.starts import Start
from textlrp.models.classifier import Classifier
from textlrp.models.cnn import has_winning_windows
from textlrp.records import Document
from textlrp.reports.comparison.gallery_page import galleries_page

CAM_NOTE = (
    "Asked for as CAM: a class activation map needs mean pooling. This net takes each filter’s largest value, where "
    "Grad-CAM for text stands for it."
)
"""Stands in the panel that takes the place of ``cam`` for a CNN with max-pooling."""


class View(NamedTuple):
    """A panel's rule of LRP, or its method where that is not LRP."""

    rule: str | None = None
    method: str = "lrp"


def views(model: Classifier, *, rules: Sequence[str] = (), methods: Sequence[str] = ()) -> list[View]:
    """The panels of a gallery in order: LRP by each rule, then each method; what comes to the same stands once.

    LRP with no rule named is LRP by the default rule. ``cam`` becomes ``grad-cam`` for a CNN with max-pooling.
    Raises :class:`RuleError` for names that there are not, :class:`OptionError` where none came.
    """
    spec = [View(rule) for rule in rules]
    # beside rules, "lrp" says nothing more
    spec += [View(method=_method(model, name)) for name in methods if name != "lrp" or not rules]
    if not spec:
        raise OptionError("no rule came; name at least one, such as epsilon,gamma.")
    by_meaning: dict[tuple[str, str], View] = {}
    for view in spec:
        settings = explain_settings(model, view.rule, view.method)
        by_meaning.setdefault((settings.name, settings.printed), view)
    return list(by_meaning.values())


def _method(model: Classifier, name: str) -> str:
    return "grad-cam" if _asks_cam(name) and has_winning_windows(model) else name


def _asks_cam(name: str) -> bool:
    return name != "lrp" and isinstance(as_method(name), CAM)


def write_gallery(
    model: Classifier,
    documents: Iterable[Document],
    path: str | Path,
    *,
    rules: Sequence[str] = (),
    methods: Sequence[str] = (),
    target: str | None = None,
    versus: str | None = None,
    start: Start | None = None,
    title: str | None = None,
    force: bool = False,
) -> Path:
    """Write a page with a section for each document and a panel for each of :func:`views`; gives back the path.

    ``target`` and ``versus`` as in :func:`explain_corpus`; without a target the predicted class is explained.
    ``start`` is that of every panel of LRP.
    Raises :class:`DataError` also where ``path`` is no ``.html`` that can be written, else as that function does.
    """
    check_output(path, PAGES, force=force)
    panels = views(model, rules=rules, methods=methods)
    columns = [
        explain_corpus(
            model,
            own,
            targets=() if target is None else (target,),
            versus=versus,
            rule=panel.rule,
            start=start if panel.method == "lrp" else None,
            method=panel.method,
        )
        for panel, own in zip(panels, tee(documents, len(panels)), strict=True)
    ]
    replaced = any(_asks_cam(name) and _method(model, name) != name for name in methods)
    notes = {"grad-cam": CAM_NOTE} if replaced else {}
    galleries_page(zip(*columns, strict=True), path, title=title, notes=notes, force=force)
    return Path(path)
