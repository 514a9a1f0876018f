"""A gallery page: each document explained by several rules and methods, side by side in panels."""

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
    "Requested as CAM. A class activation map needs mean pooling, but this network uses max pooling, so Grad-CAM for "
    "text is shown instead."
)
"""Note in the Grad-CAM panel that replaces ``cam`` for a CNN with max pooling."""


class MethodPanel(NamedTuple):
    """The rule of LRP by which a panel explains, or another attribution method."""

    rule: str | None = None
    method: str = "lrp"


def gallery_panels(model: Classifier, *, rules: Sequence[str] = (), methods: Sequence[str] = ()) -> list[MethodPanel]:
    """The panels of a gallery: LRP by each of ``rules``, then each of ``methods``, without repetitions.

    The method ``lrp`` without rules is LRP by the default rule. ``cam`` becomes ``grad-cam`` for a CNN with max
    pooling. Raises :class:`RuleError` for an unknown name, :class:`OptionError` if there is no rule and no method.
    """
    named = [MethodPanel(rule) for rule in rules]
    # if rules are given, the method "lrp" adds no panel
    named += [MethodPanel(method=_method(model, name)) for name in methods if name != "lrp" or not rules]
    if not named:
        raise OptionError("rules must name at least one rule; got none. Pass --rules epsilon,gamma.")
    distinct: dict[tuple[str, str], MethodPanel] = {}
    for panel in named:
        # two names can have the same meaning, such as epsilon and Epsilon()
        settings = explain_settings(model, panel.rule, panel.method)
        distinct.setdefault((settings.name, settings.printed), panel)
    return list(distinct.values())


def _method(model: Classifier, name: str) -> str:
    return "grad-cam" if _is_cam(name) and has_winning_windows(model) else name


def _is_cam(name: str) -> bool:
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
    texts: bool = True,
    force: bool = False,
) -> Path:
    """Write a page with a section per document and a panel for each of :func:`gallery_panels`; return the path.

    ``target`` and ``versus`` are those of :func:`explain_corpus`; without a target, the predicted class is explained.
    ``start`` applies to every panel of LRP. Without ``texts`` the page has no text of a document. Raises
    :class:`DataError` if ``path`` is not an ``.html`` file that can be written, and as :func:`explain_corpus` does.
    """
    check_output(path, PAGES, force=force)
    panels = gallery_panels(model, rules=rules, methods=methods)
    columns = [
        explain_corpus(
            model,
            own_documents,
            targets=() if target is None else (target,),
            versus=versus,
            rule=panel.rule,
            start=start if panel.method == "lrp" else None,
            method=panel.method,
        )
        for panel, own_documents in zip(panels, tee(documents, len(panels)), strict=True)
    ]
    replaced = any(_is_cam(name) and _method(model, name) != name for name in methods)
    notes = {"grad-cam": CAM_NOTE} if replaced else {}
    galleries_page(zip(*columns, strict=True), path, title=title, notes=notes, texts=texts, force=force)
    return Path(path)
